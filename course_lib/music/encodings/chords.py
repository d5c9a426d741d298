"""Chords from chorales: one major or minor triad for each half bar, read from the voices below the melody."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from course_lib.music.encodings.frames import TRIADS
from course_lib.music.errors import MusicError, WrongVoices
from course_lib.music.keys import PITCH_CLASSES, shift_to_c
from course_lib.music.piece import REST, Piece

NO_CHORD = -1
CHORDS = (*PITCH_CLASSES, *(f"{name}m" for name in PITCH_CLASSES))
"""The 24 triads: twelve major, then twelve minor, by root from C upwards."""

_TRIADS = np.array([[(root + step) % 12 for step in TRIADS[kind]] for kind in ("", "m") for root in range(12)])
MEMBERS = np.zeros((24, 12))
np.put_along_axis(MEMBERS, _TRIADS, 1, axis=1)
"""float (24, 12): 1 for the three pitch classes of each chord."""

_ROOT = np.eye(12)[_TRIADS[:, 0]]


def segments(piece: Piece, length: int) -> list[slice]:
    """The piece cut every ``length`` time steps, counted from the bar lines: the first and the last may be shorter.

    Raises MusicError when a bar is no multiple of ``length``. Notebook: 09.
    """
    if length < 1 or piece.bar_steps % length:
        raise MusicError(f"length is {length}; it must divide a bar of {piece.bar_steps} time steps. Use a half bar.")
    first = piece.pickup % length
    cuts = [0, *range(first or length, len(piece), length), len(piece)]
    return [slice(start, end) for start, end in zip(cuts, cuts[1:], strict=False)]


def pitch_classes(piece: Piece, parts: list[slice]) -> np.ndarray:
    """float (parts, 12): in how many time steps each pitch class sounds in each part, summed over the voices.

    parts: as of ``segments``. Notebook: 09.
    """
    return np.add.reduceat(piece.pitch_counts(), [part.start for part in parts]).astype(float)


def triads(piece: Piece, length: int) -> np.ndarray:
    """The chord below the melody in each of ``segments``: int (segments,), an index of CHORDS, or NO_CHORD in silence.

    Of the 24 triads the one with the highest score: time steps × voices in which the voices below the first sound one
    of its three notes, plus half of what sounds its root, plus what the lowest voice gives to its root. So the bass
    decides between C major and A minor over C and E. Of equal scores the first counts.

    Raises WrongVoices for a single voice, MusicError as ``segments``. Notebook: 09.
    """
    if len(piece.voices) < 2:
        raise WrongVoices(f"{len(piece.voices)} voice; chords are read below the first. Give two or more.")
    parts = segments(piece, length)
    last = len(piece.voices) - 1
    lower, bass = (pitch_classes(piece.select(*voices), parts) for voices in (range(1, last + 1), [last]))
    score = lower @ (MEMBERS + 0.5 * _ROOT).T + bass @ _ROOT.T
    return np.where(lower.any(axis=1), score.argmax(axis=1), NO_CHORD)


class HalfBars(NamedTuple):
    """A melody and its chords, half bar by half bar, moved to C major or A minor by the key of the *melody*.

    counts: float (segments, 12), time steps in which each pitch class sounds in the melody. inputs: float32 (segments,
    INPUTS), what a network conditions on. chord: int (segments,), as ``triads``, in the common key. shift: semitones
    that the piece was moved by. Notebook: 09.
    """

    counts: np.ndarray
    inputs: np.ndarray
    chord: np.ndarray
    shift: int


INPUTS = 12 + 12 + 12 + 3
"""Pitch classes as shares of a half bar, the first one, the last one; second half, shorter than a half bar, minor."""


def half_bars(piece: Piece) -> HalfBars:
    """The melody of ``piece``, its first voice, as inputs; and the chords below it. Raises as ``triads``.

    Notebook: 09.
    """
    length = piece.bar_steps // 2
    parts = segments(piece, length)
    melody = piece.select(0)
    shift, minor = shift_to_c(melody)
    counts = np.roll(pitch_classes(melody, parts), shift, axis=1)
    inputs = np.zeros((len(parts), INPUTS), np.float32)
    inputs[:, :12] = counts / length
    for row, part in zip(inputs, parts, strict=True):
        notes = melody.pitch[part][melody.pitch[part] != REST].astype(int) + shift
        if len(notes):
            row[12 + notes[0] % 12] = row[24 + notes[-1] % 12] = 1
        row[36] = (part.start - piece.pickup) % piece.bar_steps >= length
        row[37] = part.stop - part.start < length
    inputs[:, 38] = minor
    return HalfBars(counts, inputs, transposed_chords(triads(piece, length), shift), shift)


def transposed_chords(chord: np.ndarray, semitones: int) -> np.ndarray:
    """Chords transposed: int of any shape, indices of CHORDS; NO_CHORD stays. Notebook: 09."""
    chord = np.asarray(chord)
    return np.where(chord == NO_CHORD, NO_CHORD, chord // 12 * 12 + (chord + semitones) % 12)


def chord_coverage(piece: Piece, length: int) -> float:
    """Share of what sounds below the melody that belongs to the chord of its segment, 0..1. Notebook: 09."""
    chord = triads(piece, length)
    lower = pitch_classes(piece.select(*range(1, len(piece.voices))), segments(piece, length))
    return float((lower * MEMBERS[chord])[chord != NO_CHORD].sum() / lower.sum())


def chord_piece(melody: Piece, chord: np.ndarray, length: int) -> Piece:
    """The melody over its chords, to be played: three voices in close position below middle C's octave, and the root.

    melody: of one voice; chord: int (segments,), as ``triads`` gives them. Notebook: 09.
    """
    parts = segments(melody, length)
    if len(parts) != len(chord):
        raise MusicError(f"{len(chord)} chords for {len(parts)} segments. Give one for each.")
    pitch = np.full((len(melody), 5), REST, np.int16)
    onset = np.zeros(pitch.shape, bool)
    pitch[:, 0], onset[:, 0] = melody.pitch[:, 0], melody.onset[:, 0]
    for part, number in zip(parts, chord, strict=True):
        if number != NO_CHORD:
            notes = sorted((53 + (tone - 53) % 12 for tone in _TRIADS[number]), reverse=True)
            pitch[part, 1:] = [*notes, 36 + _TRIADS[number, 0]]
            onset[part.start, 1:] = True
    names = ("Melody", "Chord, high", "Chord, middle", "Chord, low", "Root")
    return replace(melody, pitch=pitch, onset=onset, voices=names, fermata=None)
