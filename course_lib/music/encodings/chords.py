"""Chords from chorales: one major or minor triad for each half bar, read from the voices below the melody."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from course_lib.music.keys import shift_to_c
from course_lib.music.piece import REST, MusicError, Piece, WrongVoices

NO_CHORD = -1
TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

CHORDS = (*TONICS, *(f"{name}m" for name in TONICS))
"""The 24 triads: twelve major, then twelve minor, by root from C upwards."""

_MAJOR, _MINOR = (0, 4, 7), (0, 3, 7)
_TRIADS = np.array([[(root + step) % 12 for step in shape] for shape in (_MAJOR, _MINOR) for root in range(12)])

_MEMBERS = np.zeros((24, 12))
np.put_along_axis(_MEMBERS, _TRIADS, 1, axis=1)


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


def pitch_classes(pitch: np.ndarray, parts: list[slice]) -> np.ndarray:
    """float (parts, 12): in how many time steps each pitch class sounds in each part, summed over the voices.

    pitch: int (time_steps, voices), sounding MIDI pitch or REST. Notebook: 09.
    """
    found = np.zeros((len(parts), 12))
    for row, part in zip(found, parts, strict=True):
        sounding = pitch[part][pitch[part] != REST]
        row += np.bincount(sounding % 12, minlength=12)
    return found


def triads(piece: Piece, length: int) -> np.ndarray:
    """The chord below the melody in each of ``segments``: int (segments,), an index of CHORDS, or NO_CHORD in silence.

    Of the 24 triads the one with the highest score: time steps × voices in which the voices below the first sound one
    of its three notes, plus half of what sounds its root, plus what the lowest voice gives to its root. So the bass
    decides between C major and A minor over C and E. Of equal scores the first counts.

    Raises WrongVoices for a single voice, MusicError as ``segments``. Notebook: 09.
    """
    if len(piece.voices) < 2:
        raise WrongVoices(
            f"{len(piece.voices)} voice; chords are read from the voices below the first. Give two or more."
        )
    parts = segments(piece, length)
    lower, bass = pitch_classes(piece.pitch[:, 1:], parts), pitch_classes(piece.pitch[:, -1:], parts)
    score = lower @ (_MEMBERS + 0.5 * _ROOT).T + bass @ _ROOT.T
    return np.where(lower.any(axis=1), score.argmax(axis=1), NO_CHORD)


class HalfBars(NamedTuple):
    """A melody and its chords, half bar by half bar, moved to C major or A minor by the key of the *melody*.

    heard: float (segments, 12), time steps in which each pitch class sounds in the melody. seen: float32 (segments,
    INPUTS), what a network is told. chord: int (segments,), as ``triads``, in the common key. shift: semitones that
    the piece was moved by.
    """

    heard: np.ndarray
    seen: np.ndarray
    chord: np.ndarray
    shift: int


INPUTS = 12 + 12 + 12 + 3
"""Pitch classes as shares of a half bar, the first one, the last one; second half, shorter than a half bar, minor."""


def half_bars(piece: Piece) -> HalfBars:
    """The melody of ``piece``, its first voice, told to a network; and the chords below it. Raises as ``triads``.

    Notebook: 09.
    """
    length = piece.bar_steps // 2
    parts = segments(piece, length)
    shift, minor = shift_to_c(piece.select(0))
    melody = piece.pitch[:, :1].astype(int)
    melody = np.where(melody == REST, REST, melody + shift)
    heard = pitch_classes(melody, parts)
    seen = np.zeros((len(parts), INPUTS), np.float32)
    seen[:, :12] = heard / length
    for row, part in zip(seen, parts, strict=True):
        notes = melody[part, 0][melody[part, 0] != REST] % 12
        if len(notes):
            row[12 + notes[0]] = row[24 + notes[-1]] = 1
        row[36] = (part.start - piece.pickup) % piece.bar_steps >= length
        row[37] = part.stop - part.start < length
    seen[:, 38] = minor
    return HalfBars(heard, seen, transposed_chords(triads(piece, length), shift), shift)


def transposed_chords(chord: np.ndarray, semitones: int) -> np.ndarray:
    """Chords transposed: int of any shape, indices of CHORDS; NO_CHORD stays. Notebook: 09."""
    chord = np.asarray(chord)
    return np.where(chord == NO_CHORD, NO_CHORD, chord // 12 * 12 + (chord + semitones) % 12)


def explained(piece: Piece, length: int) -> float:
    """Share of what sounds below the melody that belongs to the chord of its segment, 0..1. Notebook: 09."""
    parts, chord = segments(piece, length), triads(piece, length)
    lower = pitch_classes(piece.pitch[:, 1:], parts)
    return float((lower * _MEMBERS[chord])[chord != NO_CHORD].sum() / lower.sum())


def chord_piece(melody: Piece, chord: np.ndarray, length: int) -> Piece:
    """The melody over its chords, to be heard: three voices in close position below middle C's octave, and the root.

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
    return Piece(
        pitch,
        onset,
        voices=("Melody", "Chord, high", "Chord, middle", "Chord, low", "Root"),
        title=melody.title,
        key=melody.key,
        time_signature=melody.time_signature,
        pickup=melody.pickup,
        tempo=melody.tempo,
        steps_per_quarter=melody.steps_per_quarter,
    )
