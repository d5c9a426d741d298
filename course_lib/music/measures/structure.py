"""What a template hands on: which of its parts are alike, how clear its key is, where in the bar notes begin.

All three are compared by Pearson's correlation, −1..1: 1 where the pattern is the same, 0 where there is no relation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from course_lib.music.errors import MusicError
from course_lib.music.keys import key_profile, shift_to_c
from course_lib.music.piece import REST, Piece


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two arrays of one shape; 0 where one of them is constant, for it has no pattern.

    Raises MusicError when the shapes differ.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape or not a.size:
        raise MusicError(f"shapes {a.shape} and {b.shape} cannot be compared; give two of one shape that is not empty.")
    a, b = a - a.mean(), b - b.mean()
    sizes = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / sizes) if sizes > 1e-12 else 0.0


def self_similarity(piece: Piece, window: int = 4) -> np.ndarray:
    """float (parts, parts): how alike the parts of a piece are, 0..1. Parts are runs of ``window`` time steps.

    S_ij = cosine of what sounds in part i and in part j, step by step and key by key, voices that share a key counted.
    1 on the diagonal; a part transposed by a semitone is another one; a silent part is like none, 0. What is left over
    at the end is not used. Raises MusicError when there are not three parts. Notebook: 13.
    """
    parts = len(piece) // window
    if parts < 3:
        raise MusicError(f"{len(piece)} time steps hold {parts} parts of {window}; it must hold 3. Take a longer one.")
    rows = piece.pitch_counts(128)[: parts * window].reshape(parts, -1).astype(float)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows @ rows.T


def same_structure(piece: Piece, template: np.ndarray, window: int = 4) -> float:
    """Correlation of a piece's self-similarity with a template's (parts, parts), each pair of parts once, −1..1.

    The diagonal is left out, for it is 1 in every piece. Raises MusicError when the sizes differ. Notebook: 13.
    """
    found = self_similarity(piece, window)
    if found.shape != template.shape:
        raise MusicError(f"{len(found)} parts against a template's {len(template)}; cut both to one length.")
    pairs = np.tril_indices(len(found), -1)
    return correlation(found[pairs], template[pairs])


def in_key(piece: Piece, key: str, window: int = 16) -> float:
    """Mean correlation with the profile of ``key`` of what sounds in each run of ``window`` time steps, −1..1.

    Source: Krumhansl, Cognitive Foundations of Musical Pitch (1990). Raises MusicError for a piece that is too short.
    Notebook: 13.
    """
    runs = len(piece) // window
    if not runs:
        raise MusicError(f"{len(piece)} time steps; in_key needs {window}. Take a longer piece, or a smaller window=.")
    sums = piece.pitch_counts()[: runs * window].reshape(runs, window, 12).sum(axis=1)
    return float(np.mean([correlation(row, key_profile(key)) for row in sums]))


def onset_profile(piece: Piece) -> np.ndarray:
    """float (bar_steps,): notes that begin at each place of the bar, per bar and voice, 0..1. A pickup is left out.

    The first place holds the notes that were there when the piece began. Raises MusicError without a full bar.
    Notebook: 13.
    """
    onset = piece.with_onsets_at_start().onset
    bars = (len(piece) - piece.pickup) // piece.bar_steps
    if not bars:
        raise MusicError(f"{len(piece)} time steps hold no full bar of {piece.bar_steps}. Take a longer piece.")
    onset = onset[piece.pickup : piece.pickup + bars * piece.bar_steps]
    return onset.reshape(bars, piece.bar_steps, -1).mean(axis=(0, 2))


class Template(NamedTuple):
    """What a piece hands on to another one. None of its notes are in it.

    piece: its beginning, on eighths, in C major or A minor. structure: (parts, parts), as ``self_similarity``.
    key: the key of ``piece``. onsets: (bar_steps,), as ``onset_profile``.
    """

    piece: Piece
    structure: np.ndarray
    key: str
    onsets: np.ndarray


def template(piece: Piece, most: int = 64, least: int = 16) -> Template:
    """The template in the first full bars of any piece: ``least`` to ``most`` eighths, in C major or A minor.

    Raises MusicError for a piece that is shorter, silent, or whose bars are no whole number of eighths. Notebook: 13.
    """
    name = repr(piece.title or "this piece")
    if piece.pickup >= len(piece):
        raise MusicError(f"{name} is nothing but a pickup. Take a longer piece.")
    full = piece.window(piece.pickup, len(piece) - piece.pickup).regrid(2)
    steps = min(most, len(full)) // full.bar_steps * full.bar_steps
    if steps < least:
        raise MusicError(f"{name} has {steps} eighths in full bars; a template needs {least}. Take a longer piece.")
    start = full.window(0, steps).with_onsets_at_start()
    if (start.pitch == REST).all():
        raise MusicError(f"{name} is silent in its first {steps} eighths. Take another one.")
    shift, minor = shift_to_c(start)
    lowest, highest = start.pitch[start.pitch != REST].min(), start.pitch.max()
    shift += 12 * (lowest + shift < 0) - 12 * (highest + shift > 127)
    start = replace(start.transpose(shift), key="A minor" if minor else "C major")
    return Template(start, self_similarity(start), start.key, onset_profile(start))
