"""A melody seen through a window that slides over it: one example a time step, for pieces of any length."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from course_lib.music.encodings.voices import MINIBACH_RANGES, likeliest_by_note
from course_lib.music.errors import WrongVoices
from course_lib.music.keys import shift_to_c
from course_lib.music.piece import REST, SATB, Piece

UNKNOWN = -1
"""The target where nothing is to be learnt: the voice rests or leaves the range."""

_MARGIN = 7
_BAR_POSITIONS = 48


@dataclass(frozen=True)
class SlidingWindow:
    """Soprano around a time step → alto, tenor and bass at that step.

    reach: how many time steps the window sees before and after; stride: every how many.
    common_key: whether every piece is moved to C major or A minor first, by the key of its *soprano* alone.
    metre: whether the inputs hold the position in the bar.

    Notebook: 02.
    """

    reach: int = 16
    stride: int = 2
    common_key: bool = True
    metre: bool = True

    @property
    def ranges(self) -> np.ndarray:
        """int (4, 2): lowest and highest pitch of each voice, wide enough for every transposition."""
        return np.array(MINIBACH_RANGES) + (-_MARGIN, _MARGIN)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the six outputs: pitch of alto, tenor, bass; then whether each is held or starts."""
        return (*(int(high - low) + 1 for low, high in self.ranges[1:]), 2, 2, 2)

    def key_shift(self, piece: Piece) -> tuple[int, bool]:
        """Semitones (−5..6) that take the piece to C major or A minor, and whether it is in minor."""
        if not self.common_key:
            return 0, False
        return shift_to_c(piece.select(0))

    def inputs(self, piece: Piece) -> np.ndarray:
        """float32 (time_steps, width): the first voice of ``piece`` around each step.

        One-hot pitch (or rest, or outside the piece) at each place of the window; onsets one beat around;
        one-hot position in the bar; 1 for minor.
        """
        low, high = self.ranges[0]
        shift, minor = self.key_shift(piece)
        melody = piece.pitch[:, 0].astype(int)
        pitch = melody + shift
        # A soprano beyond the range is moved by an octave towards it.
        pitch = np.where(pitch > high, pitch - 12, np.where(pitch < low, pitch + 12, pitch)).clip(low, high)
        outside, silent = high - low + 1, high - low + 2
        symbol = np.where(melody == REST, silent, pitch - low)
        places = np.arange(-self.reach, self.reach + 1, self.stride)
        seen = np.pad(symbol, self.reach, constant_values=outside)
        seen = seen[np.arange(len(piece))[:, None] + self.reach + places]
        beat = np.arange(-piece.steps_per_quarter, piece.steps_per_quarter + 1)
        onset = np.pad(piece.onset[:, 0], piece.steps_per_quarter)
        onset = onset[np.arange(len(piece))[:, None] + piece.steps_per_quarter + beat]
        position = np.zeros((len(piece), _BAR_POSITIONS), np.float32)
        if self.metre:
            position[np.arange(len(piece)), self._bar_position(piece)] = 1
        return np.concatenate(
            [
                np.eye(silent + 1, dtype=np.float32)[seen].reshape(len(piece), -1),
                onset.astype(np.float32),
                position,
                np.full((len(piece), 1), minor, np.float32),
            ],
            axis=1,
        )

    @staticmethod
    def _bar_position(piece: Piece) -> np.ndarray:
        """int (time_steps,): 0..15 in a bar of four quarters, 16..27 in one of three, 28..47 in any other."""
        position = (np.arange(len(piece)) - piece.pickup) % piece.bar_steps * 4 // piece.steps_per_quarter
        quarters = piece.bar_steps / piece.steps_per_quarter
        return position if quarters == 4 else 16 + position if quarters == 3 else 28 + position % 20

    def targets(self, piece: Piece) -> np.ndarray:
        """int (time_steps, 6): pitch index of alto, tenor, bass, then 1 where each starts; ``UNKNOWN`` for rests."""
        if len(piece.voices) != 4:
            raise WrongVoices(f"{len(piece.voices)} voices {piece.voices}; harmony has four: {', '.join(SATB)}.")
        shift, _ = self.key_shift(piece)
        low, high = self.ranges[1:].T
        lower = piece.pitch[:, 1:].astype(int)
        index = lower + shift - low
        known = (lower != REST) & (index >= 0) & (index <= high - low)
        starts = piece.onset[:, 1:].astype(int)
        return np.concatenate([np.where(known, index, UNKNOWN), np.where(known, starts, UNKNOWN)], axis=1)

    def decode(self, logits: np.ndarray, melody: Piece) -> Piece:
        """The four voices: ``melody`` and the likeliest lower voices of ``logits`` (time_steps, sum(sizes)).

        A note is one decision: it begins where its onset is likelier than a hold, and its pitch is the one with the
        greatest summed log-probability over the note's length.
        """
        shift, _ = self.key_shift(melody)
        parts = np.split(np.asarray(logits, float), np.cumsum(self.sizes)[:-1], axis=1)
        pitch = np.empty((len(melody), 4), int)
        onset = np.empty((len(melody), 4), bool)
        pitch[:, 0], onset[:, 0] = melody.pitch[:, 0], melody.onset[:, 0]
        for voice in (1, 2, 3):
            likely, onsets = parts[voice - 1], parts[voice + 2]
            log_p = likely - np.logaddexp.reduce(likely, axis=1, keepdims=True)
            starts = onsets[:, 1] > onsets[:, 0]
            starts[0] = True
            pitch[:, voice] = likeliest_by_note(log_p, starts) + self.ranges[voice, 0] - shift
            onset[:, voice] = starts
        return replace(melody, pitch=pitch, onset=onset, voices=SATB)
