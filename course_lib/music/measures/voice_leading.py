"""Voice leading: parallel fifths and octaves, and crossings, to be counted; and as a mask on a voice's next symbol."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from course_lib.music.encodings.voices import OneHot
from course_lib.music.errors import MusicError
from course_lib.music.piece import REST


def parallel_motion(upper: np.ndarray, lower: np.ndarray, interval: int) -> np.ndarray:
    """bool (..., time_steps − 1): True where two voices move in parallel into the next step, ``interval`` apart.

    upper, lower: int (..., time_steps), sounding MIDI pitches or REST. Both sound before and after; both change their
    pitch, in the same direction; and both before and after they lie ``interval`` semitones apart, octaves left out.
    """
    apart = abs(upper - lower) % 12 == interval % 12
    moves = [
        np.where((voice[..., 1:] != REST) & (voice[..., :-1] != REST), np.sign(np.diff(voice)), 0)
        for voice in (upper, lower)
    ]
    return apart[..., :-1] & apart[..., 1:] & (moves[0] != 0) & (moves[0] == moves[1])


class NoParallels:
    """``rule(made, step, voice)``: where a symbol of the voice makes parallels with a voice above, or holds nothing.

    encoding: a OneHot without rests. Parallels are those of ``parallel_motion``, fifths and octaves.

    made: int (batch, steps, voices), symbols as in ``OneHot.symbols``; the steps before ``step`` are complete, and
    so are the voices above ``voice`` at it. → bool (batch, size of the voice), True where the symbol may be chosen.
    Raises MusicError for an encoding with rests. Notebook: 04.
    """

    def __init__(self, encoding: OneHot) -> None:
        if encoding.rest:
            raise MusicError("the rule has no rests. Use OneHot(rest=False).")
        self.lowest = np.array([low for low, _ in encoding.ranges])
        self.holds = encoding.holds

    def __call__(self, made: np.ndarray, step: int, voice: int) -> np.ndarray:
        hold = self.holds[voice]
        may = np.ones((len(made), hold + 1), bool)
        if not step:
            may[:, hold] = False  # nothing to hold yet
            return may
        above = made[:, step, :voice]
        moves = above != self.holds[:voice]
        if not moves.any():  # so it is most often, and always for the first voice
            return may
        before = self._sounding(made, step - 1, voice + 1)
        own, pitch = before[:, voice], self.lowest[voice] + np.arange(hold)
        way = np.sign(pitch - own[:, None])
        for other in range(voice):
            interval = abs(before[:, other] - own) % 12
            risk = moves[:, other] & ((interval == 0) | (interval == 7))
            if risk.any():
                now = self.lowest[other] + above[:, other]
                same_way = (way == np.sign(now - before[:, other])[:, None]) & (way != 0)
                may[:, :hold] &= ~(risk[:, None] & same_way & (abs(now[:, None] - pitch) % 12 == interval[:, None]))
        return may

    def _sounding(self, made: np.ndarray, step: int, voices: int) -> np.ndarray:
        """int (batch, voices): the MIDI pitches that the first voices sound at a step."""
        symbols, holds = made[:, step, :voices], self.holds[:voices]
        while step and (held := symbols == holds).any():  # notes are short, so this looks back a few steps
            step -= 1
            symbols = np.where(held, made[:, step, :voices], symbols)
        return self.lowest[:voices] + symbols


def voice_leading_violations(pitch: np.ndarray) -> np.ndarray:
    """Violations of two rules of voice leading in each of many pieces: int (pieces,), 0 or more.

    Parallel fifths and octaves, as of ``parallel_motion``, and for each two voices the time steps in which they cross.
    pitch: int (pieces, time_steps, voices), sounding MIDI pitches without rests, the highest voice first. Notebook: 09.
    """
    found = np.zeros(len(pitch), int)
    for a, b in combinations(range(pitch.shape[2]), 2):
        upper, lower = pitch[..., a], pitch[..., b]
        found += (upper < lower).sum(axis=1)
        for interval in (0, 7):
            found += parallel_motion(upper, lower, interval).sum(axis=1)
    return found
