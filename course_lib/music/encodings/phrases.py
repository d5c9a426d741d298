"""Phrases of chorales as pairs of rows of numbers: the soprano that is given, the bass that is asked.

A chorale's phrases end under its fermatas, as sentences end with a full stop. They are put on a grid of eighth notes.
A row of numbers: 0 fills up, 1 begins, 2 ends, 3 holds the note, 4 rests, 5 and more are pitches that are struck.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from course_lib.music.encodings.chords import transposed_chords, triads
from course_lib.music.piece import GRID, REST, MusicError, Piece, PitchOutOfRange, WrongVoices, note_name
from course_lib.symbols import END

HOLD, SILENCE, FIRST = 3, 4, 5
LONGEST_PHRASE = 32
"""Eighth notes in a phrase at most: one chorale phrase in fifty is longer, and left out."""


@dataclass(frozen=True)
class PhraseTokens:
    """One voice of a phrase as a row of numbers, and back. low, high: MIDI pitches that have a number. Notebook: 10."""

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

    def encode(self, piece: Piece, voice: int = 0) -> np.ndarray:
        """int32 (time_steps + 1,): a number for each eighth, then END. Raises PitchOutOfRange."""
        pitch, onset = piece.pitch[:, voice].astype(int), piece.onset[:, voice].copy()
        if not self.fits(pitch):
            wrong = next(p for p in pitch if p != REST and not self.low <= p <= self.high)
            raise PitchOutOfRange(
                f"pitch {wrong} ({note_name(wrong)}); the numbers hold {self.low}..{self.high} "
                f"({note_name(self.low)}..{note_name(self.high)}). Transpose."
            )
        onset[0] = True  # there is nothing to hold yet
        row = np.where(pitch == REST, SILENCE, np.where(onset, pitch - self.low + FIRST, HOLD))
        return np.append(row, END).astype(np.int32)

    def sounding(self, row: np.ndarray, steps: int | None = None) -> np.ndarray:
        """int (steps,): what sounds at each eighth; after END nothing does. A hold with nothing to hold is a rest."""
        row = np.asarray(row)
        steps = len(row) if steps is None else steps
        pitch, now = np.full(steps, REST), REST
        for t, number in enumerate(row[:steps]):
            if number == END:
                break
            now = now if number == HOLD else number - FIRST + self.low if number >= FIRST else REST
            pitch[t] = now
        return pitch

    def join(self, above: Piece, row: np.ndarray, title: str | None = None) -> Piece:
        """The first voice of ``above`` with this row as the bass below it, as long as ``above``.

        Where the row ends early the bass is silent. Raises MusicError for a number that there is not.
        """
        row = np.asarray(row)
        if row.size and not 0 <= row.min() <= row.max() < self.symbols:
            raise MusicError(f"numbers {row.min()}..{row.max()}; there are 0..{self.symbols - 1}.")
        pitch = self.sounding(row, len(above))
        struck = np.zeros(len(above), bool)
        struck[: len(row)] = row[: len(above)] >= FIRST
        struck &= pitch != REST
        return replace(
            above,
            pitch=np.stack([above.pitch[:, 0], pitch], axis=1),
            onset=np.stack([above.onset[:, 0], struck], axis=1),
            voices=(above.voices[0], "Bass"),
            title=above.title if title is None else title,
        )


SOPRANO, BASS = PhraseTokens(57, 81), PhraseTokens(36, 64)


class Pairs(NamedTuple):
    """Phrases as numbers, filled up with PAD: source and target int32 (phrases, steps)."""

    source: np.ndarray
    target: np.ndarray


def voice_pairs(found: Sequence[Piece], semitones: Iterable[int] = (0,), longest: int = LONGEST_PHRASE) -> Pairs:
    """Soprano and bass of two-voice phrases as numbers, in several keys: those that both ranges hold.

    In the order of ``semitones``, then of the phrases. Raises WrongVoices, and MusicError where none fits.
    """
    for piece in found:
        if len(piece.voices) != 2:
            raise WrongVoices(f"{len(piece.voices)} voices {piece.voices}; a pair has two. Use phrases(...).")
    plain = [(piece.pitch.astype(int), piece) for piece in found]
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    for shift in semitones:
        for pitch, piece in plain:
            transposed_chords = np.where(pitch == REST, REST, pitch + shift)
            if SOPRANO.fits(transposed_chords[:, 0]) and BASS.fits(transposed_chords[:, 1]):
                there = piece.transpose(shift) if shift else piece
                rows.append((SOPRANO.encode(there, 0), BASS.encode(there, 1)))
    return _padded(rows, longest + 1, longest + 1)


def chord_pairs(found: Sequence[Piece], semitones: Iterable[int] = (0,), longest: int = LONGEST_PHRASE) -> Pairs:
    """Soprano and chords of phrases in all voices, in several keys: those that the soprano's range holds.

    source int32 (phrases, longest + 1), as in ``voice_pairs``. target int32 (phrases, longest // 2 + 1): for each quarter the
    triad below the soprano (see ``chords.triads``), as its index in CHORDS + FIRST; SILENCE where nothing sounds; then
    END, and PAD. Quarters are counted from the phrase's first note. In the order of ``voice_pairs``. Raises MusicError where
    none fits. Notebook: 10.
    """
    plain = [(piece.select(0), triads(replace(piece, pickup=0), GRID)) for piece in found]
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    for shift in semitones:
        for soprano, chord in plain:
            if SOPRANO.fits(np.where(soprano.pitch == REST, REST, soprano.pitch.astype(int) + shift)):
                there = soprano.transpose(shift) if shift else soprano
                rows.append((SOPRANO.encode(there), np.append(transposed_chords(chord, shift) + FIRST, END)))
    return _padded(rows, longest + 1, longest // GRID + 1)


def _padded(rows: Sequence[tuple[np.ndarray, np.ndarray]], *steps: int) -> Pairs:
    """Rows filled up with PAD, to so many steps in source and target. Raises MusicError for none."""
    if not rows:
        raise MusicError("none of the phrases lies within the ranges. Transpose them.")
    both = [np.zeros((len(rows), wide), np.int32) for wide in steps]
    for i, pair in enumerate(rows):
        for filled, row in zip(both, pair, strict=True):
            filled[i, : len(row)] = row
    return Pairs(*both)


def on_beats(rows: np.ndarray) -> np.ndarray:
    """int (phrases, quarters): what sounds on each quarter, as the number that struck it; END and PAD stay.

    rows: int (phrases, steps), eighths, of phrases that are whole quarters long. Notebook: 10.
    """
    return _held(np.atleast_2d(rows))[:, ::GRID] // 2


def _held(rows: np.ndarray) -> np.ndarray:
    """The rows with each hold replaced by twice the number that it holds, plus one; all others doubled."""
    result, now = np.zeros_like(rows), np.zeros(len(rows), rows.dtype)
    for t in range(rows.shape[1]):
        held = rows[:, t] == HOLD
        now = np.where(held, now, rows[:, t])
        result[:, t] = 2 * now + held
    return result
