"""Lead sheets: a melody with a chord for each half bar; and their bars, as a conditioned network takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from course_lib.music.encodings.chords import (
    CHORDS,
    MEMBERS,
    NO_CHORD,
    chord_piece,
    segments,
    transposed_chords,
    triads,
)
from course_lib.music.errors import WrongMetre
from course_lib.music.keys import LETTERS
from course_lib.music.piece import REST, Piece

BAR, HALF = 16, 8
"""Time steps, sixteenths, of a bar of 4/4 and of its half."""

LOWEST_MELODY, MELODY_PITCHES = 60, 24
"""C4, the lowest pitch of a melody in bars, and how many there are: up to B5."""

_SYMBOL = re.compile(r"\s*([A-G])([#b♯♭]?)(m(?!a)|min|-|dim|°|o(?!n)|ø)?")


class LeadSheet(NamedTuple):
    """A melody, of one voice, and its chord in each half bar: int (segments,), an index of CHORDS or NO_CHORD.

    Notebook: 15.
    """

    melody: Piece
    chord: np.ndarray


def lead_sheet(piece: Piece) -> LeadSheet:
    """A piece of several voices as its first voice and the triads of the others. Raises as ``triads``. Notebook: 15."""
    return LeadSheet(piece.select(0), triads(piece, piece.bar_steps // 2))


def chord_number(symbol: str) -> int | None:
    """Index of CHORDS of the triad in a chord symbol: ``Am7`` → Am, ``F#dim`` → F#m, ``Cmaj7/E`` → C.

    ``N.C.`` is NO_CHORD; None for what is no chord symbol, such as a remark above the notes. Notebook: 15.
    """
    if symbol.strip().upper().rstrip(".") in ("NC", "N.C"):
        return NO_CHORD
    found = _SYMBOL.match(symbol)
    if not found:
        return None
    root = LETTERS[found[1]] + {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[found[2]]
    return root % 12 + 12 * bool(found[3])


def chords_of_symbols(melody: Piece, symbols: Iterable[tuple[float, str]]) -> np.ndarray:
    """The chord that lasts longest in each half bar of the melody: int (segments,).

    symbols: (quarters from the beginning, chord symbol), in order of time; each lasts to the next. Before the first
    there is NO_CHORD. Notebook: 15.
    """
    at_step = np.full(len(melody), NO_CHORD)
    for quarters, symbol in symbols:
        number = chord_number(symbol)
        if number is not None:
            at_step[round(quarters * melody.steps_per_quarter) :] = number
    parts = segments(melody, melody.bar_steps // 2)
    return np.array([np.bincount(at_step[part] + 1).argmax() - 1 for part in parts])


class Bars(NamedTuple):
    """Bars of 4/4 with their chords.

    melody: int (bars, 16), pitch that sounds in each sixteenth, counted from LOWEST_MELODY. chord: int (bars, 2), of
    each half bar. before: int (bars, 16), the melody of the bar before, or -1 where there is none. sheet: int (bars,),
    which of the lead sheets the bar is from. Notebook: 15.
    """

    melody: np.ndarray
    chord: np.ndarray
    before: np.ndarray
    sheet: np.ndarray


def chord_bars(sheets: Sequence[LeadSheet], transpositions: Iterable[int] = (0,)) -> Bars:
    """The full bars of lead sheets in which both halves have a chord and the melody fits into two octaves.

    A rest is filled with the note before it. Each bar is moved by octaves until its lowest note is C4..B4, and the bar
    before with it; a note of the bar before that falls outside is moved by an octave alone.

    transpositions: in semitones; with ``range(12)`` each bar comes in every key.
    Raises WrongMetre for a melody that is not in 4/4 on a grid of sixteenths. Source of the range: Yang, Chou & Yang,
    arXiv:1703.10847. Notebook: 15.
    """
    shifts = np.fromiter(transpositions, int)
    found: list[tuple[np.ndarray, ...]] = []
    for number, (melody, chord) in enumerate(sheets):
        if (melody.bar_steps, melody.steps_per_quarter) != (BAR, BAR // 4):
            raise WrongMetre(
                f"{melody.title or 'a melody'!r} has bars of {melody.bar_steps} steps, {melody.steps_per_quarter} a "
                "quarter. Take one in 4/4 on a grid of sixteenths."
            )
        pitch = _without_rests(melody.pitch[:, 0])
        chord_at = dict(zip([part.start for part in segments(melody, HALF)], chord, strict=True))
        before = None
        for start in melody.bar_lines[melody.bar_lines + BAR <= len(melody)]:
            bar, halves = pitch[start : start + BAR], np.array([chord_at[start], chord_at[start + HALF]])
            if (bar == REST).any() or (halves == NO_CHORD).any():
                before = None
                continue
            moved = bar + shifts[:, None]
            octaves = (moved.min(axis=1, keepdims=True) - LOWEST_MELODY) // 12 * 12
            moved = moved - octaves - LOWEST_MELODY
            last = np.full_like(moved, -1)
            if before is not None:
                last = before + shifts[:, None] - octaves - LOWEST_MELODY
                last = np.where((last < 0) | (last >= MELODY_PITCHES), last % 12 + 12 * (last >= MELODY_PITCHES), last)
            chords = transposed_chords(halves, shifts[:, None])
            fits = moved.max(axis=1) < MELODY_PITCHES
            found.append((moved[fits], chords[fits], last[fits], np.full(fits.sum(), number)))
            before = bar
    if not found:
        return Bars(np.zeros((0, BAR), int), np.zeros((0, 2), int), np.zeros((0, BAR), int), np.zeros(0, int))
    return Bars(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _without_rests(pitch: np.ndarray) -> np.ndarray:
    """Each rest filled with the note before it, at the beginning with the first note."""
    sounding = np.flatnonzero(pitch != REST)
    if not len(sounding):
        return pitch.astype(int)
    last = np.searchsorted(sounding, np.arange(len(pitch)), side="right") - 1
    return pitch[sounding[last.clip(min=0)]].astype(int)


def chord_features(chord: np.ndarray) -> np.ndarray:
    """The root, one-hot, and whether the chord is minor: int (...), indices of CHORDS → float32 (..., 13).

    Source: Yang, Chou & Yang, arXiv:1703.10847. Notebook: 15.
    """
    chord = np.asarray(chord)
    return np.concatenate([np.eye(12)[chord % 12], (chord >= 12)[..., None]], axis=-1).astype(np.float32)


def chord_tone_share(melody: np.ndarray, chord: np.ndarray) -> np.ndarray:
    """Share of each bar's sixteenths whose note is one of the three of its half bar's chord, 0..1: float (bars,).

    melody, chord: as in ``Bars``. Notebook: 15.
    """
    members = MEMBERS[np.repeat(chord, HALF, axis=1)]
    return np.take_along_axis(members, melody[..., None] % 12, axis=-1).mean(axis=(1, 2))


def bars_piece(melody: np.ndarray, chord: np.ndarray, title: str = "", tempo: float = 110.0) -> Piece:
    """Bars in a row over their chords, as a piece to play: the melody in the first voice, as ``chord_piece``.

    melody, chord: as in ``Bars``. Bars do not tell a repeated note from a long one: a note starts where the pitch
    changes and at each bar line. Notebook: 15.
    """
    pitch = (np.asarray(melody).reshape(-1, 1) + LOWEST_MELODY).astype(int)
    onset = np.ones(pitch.shape, bool)
    onset[1:] = pitch[1:] != pitch[:-1]
    onset[::BAR] = True
    names = [CHORDS[number] for number in np.asarray(chord).ravel()]
    line = Piece(pitch, onset, title=title or " ".join(names), tempo=tempo, voices=("Melody",))
    return chord_piece(line, np.asarray(chord).ravel(), HALF)
