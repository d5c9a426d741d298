"""Phrases of chorales as pairs of rows of numbers: the soprano that is given, the bass to be predicted.

A chorale's phrases end under its fermatas, as sentences end with a full stop. They are put on a grid of eighth notes.
A row of numbers: 0 is padding, 1 begins, 2 ends, 3 holds the note, 4 rests, 5 and more are pitches that start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from course_lib.music.encodings.chords import transposed_chords, triads
from course_lib.music.encodings.voices import check_ranges, held_symbols
from course_lib.music.errors import MusicError, PitchOutOfRange, WrongVoices
from course_lib.music.keys import note_name
from course_lib.music.piece import REST, Piece
from course_lib.symbols import END

GRID = 2
"""Time steps in a quarter note of a phrase."""

HOLD, SILENCE, FIRST = 3, 4, 5
LONGEST_PHRASE = 32
"""Eighth notes in a phrase at most: one chorale phrase in fifty is longer, and left out."""


@dataclass(frozen=True)
class PhraseTokens:
    """One voice of a phrase as a row of numbers, and back. low, high: MIDI pitches that have a number.

    Notebook: 10.
    """

    low: int
    high: int

    @property
    def symbols(self) -> int:
        """How many numbers there are."""
        return self.high - self.low + 1 + FIRST

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each number."""
        return ("·", "start", "end", "–", "rest", *map(note_name, range(self.low, self.high + 1)))

    def fits(self, pitch: np.ndarray) -> bool:
        """Whether every pitch has a number."""
        return bool(((pitch == REST) | ((pitch >= self.low) & (pitch <= self.high))).all())

    def encode(self, piece: Piece, voice: int = 0, semitones: int = 0) -> np.ndarray:
        """int32 (time_steps + 1,): a number for each eighth, ``semitones`` higher, then END. Raises PitchOutOfRange."""
        pitch = piece.pitch[:, voice].astype(int)
        pitch[pitch != REST] += semitones
        if not self.fits(pitch):
            check_ranges(piece.select(voice).transpose(semitones), ((self.low, self.high),))
        starts = piece.onset[:, voice].copy()
        starts[0] = True  # there is nothing to hold yet
        row = np.where(pitch == REST, SILENCE, np.where(starts, pitch - self.low + FIRST, HOLD))
        return np.append(row, END).astype(np.int32)

    def sounding(self, row: np.ndarray, steps: int | None = None) -> np.ndarray:
        """int (steps,): what sounds at each eighth; after END nothing does. A hold with nothing to hold is a rest."""
        row = np.asarray(row)[:steps]
        row = row[: np.append(np.flatnonzero(row == END), len(row))[0]]
        held = held_symbols(row, HOLD, axis=0)
        pitch = np.where(held >= FIRST, held - FIRST + self.low, REST)
        return np.pad(pitch, (0, (len(row) if steps is None else steps) - len(pitch)), constant_values=REST)

    def join(self, above: Piece, row: np.ndarray, title: str | None = None) -> Piece:
        """The first voice of ``above`` with this row as the bass below it, as long as ``above``.

        Where the row ends early the bass is silent. Raises MusicError for a number that there is not.
        """
        row = np.asarray(row)
        if row.size and not 0 <= row.min() <= row.max() < self.symbols:
            raise MusicError(f"numbers {row.min()}..{row.max()}; there are 0..{self.symbols - 1}.")
        pitch = self.sounding(row, len(above))
        starts = np.zeros(len(above), bool)
        starts[: len(row)] = row[: len(above)] >= FIRST
        starts &= pitch != REST
        return replace(
            above,
            pitch=np.stack([above.pitch[:, 0], pitch], axis=1),
            onset=np.stack([above.onset[:, 0], starts], axis=1),
            voices=(above.voices[0], "Bass"),
            title=above.title if title is None else title,
        )


SOPRANO, BASS = PhraseTokens(57, 81), PhraseTokens(36, 64)


class Pairs(NamedTuple):
    """Phrases as numbers, padded with PAD: source and target int32 (phrases, steps). Notebook: 10."""

    source: np.ndarray
    target: np.ndarray


def voice_pairs(found: Sequence[Piece], semitones: Iterable[int] = (0,), longest: int = LONGEST_PHRASE) -> Pairs:
    """Soprano and bass of two-voice phrases as numbers, in several keys: those that both ranges hold.

    In the order of ``semitones``, then of the phrases. Raises WrongVoices, and MusicError where none fits.
    Notebook: 10.
    """
    for piece in found:
        if len(piece.voices) != 2:
            raise WrongVoices(f"{len(piece.voices)} voices {piece.voices}; a pair has two. Use chorale_phrases(...).")

    rows = []
    for shift in semitones:
        for piece in found:
            with suppress(PitchOutOfRange):
                rows.append((SOPRANO.encode(piece, 0, shift), BASS.encode(piece, 1, shift)))
    return _padded(rows, longest + 1, longest + 1)


def chord_pairs(found: Sequence[Piece], semitones: Iterable[int] = (0,), longest: int = LONGEST_PHRASE) -> Pairs:
    """Soprano and chords of phrases in all voices, in several keys: those that the soprano's range holds.

    source int32 (phrases, longest + 1), as in ``voice_pairs``. target int32 (phrases, longest // 2 + 1): for each
    quarter the triad below the soprano (see ``chords.triads``), as its index in CHORDS + FIRST; SILENCE where nothing
    sounds; then END, and PAD. Quarters are counted from the phrase's first note. In the order of ``voice_pairs``.
    Raises MusicError where none fits. Notebook: 10.
    """
    chords = [triads(replace(piece, pickup=0), GRID) for piece in found]

    rows = []
    for shift in semitones:
        for piece, chord in zip(found, chords, strict=True):
            with suppress(PitchOutOfRange):
                rows.append((SOPRANO.encode(piece, 0, shift), np.append(transposed_chords(chord, shift) + FIRST, END)))
    return _padded(rows, longest + 1, longest // GRID + 1)


def _padded(rows: Sequence[tuple[np.ndarray, np.ndarray]], *steps: int) -> Pairs:
    """Rows padded with PAD, to so many steps in source and target. Raises MusicError for none."""
    if not rows:
        raise MusicError("none of the phrases lies within the ranges. Transpose them.")
    both = [np.zeros((len(rows), wide), np.int32) for wide in steps]
    for i, pair in enumerate(rows):
        for padded, row in zip(both, pair, strict=True):
            padded[i, : len(row)] = row
    return Pairs(*both)


def on_beats(rows: np.ndarray) -> np.ndarray:
    """int (phrases, quarters): what sounds on each quarter, as the number of the pitch's onset; END and PAD stay.

    rows: int (phrases, steps), eighths, of phrases that are whole quarters long. Notebook: 10.
    """
    return held_symbols(np.atleast_2d(rows), HOLD, axis=1)[:, ::GRID]
