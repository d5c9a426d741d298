"""Rules of the school for voices: as a mask for what a voice may sing next, and as faults to be counted."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from course_lib.music.encodings.voices import OneHot
from course_lib.music.piece import MusicError


class NoParallels:
    """``rule(made, step, voice)``: where a symbol of the voice makes parallels with a voice above, or holds nothing.

    encoding: a OneHot without rests. Parallels are those of ``course_lib.music.measures.parallels``: two voices that
    move in one direction from a perfect interval to the same one.

    made: int (batch, steps, voices), symbols as in ``OneHot.symbols``; the steps before ``step`` are complete, and
    so are the voices above ``voice`` at it. → bool (batch, size of the voice), True where the symbol may be chosen.
    Ask for the voices of a step in order, the first one first. Raises MusicError for an encoding with rests.
    Notebook: 04.
    """

    def __init__(self, encoding: OneHot) -> None:
        if encoding.rest:
            raise MusicError("the rule knows no rests. Use OneHot(rest=False).")
        self.lowest = np.array([low for low, _ in encoding.ranges])
        self.holds = np.array(encoding.sizes) - 1  # the last symbol of each voice
        self._before = np.zeros((0, len(self.holds)), int)

    def __call__(self, made: np.ndarray, step: int, voice: int) -> np.ndarray:
        hold = self.holds[voice]
        may = np.ones((len(made), hold + 1), bool)
        if not step:
            may[:, hold] = False  # nothing to hold yet
            return may
        if not voice:
            self._before = self._sounding(made[:, :step])
        before = self._before
        pitch = self.lowest[voice] + np.arange(hold)
        for above in range(voice):
            interval = abs(before[:, above] - before[:, voice]) % 12
            symbol = made[:, step, above]
            # Most often the voice above stays, or the two are no fifth or octave apart.
            risk = ((interval == 0) | (interval == 7)) & (symbol != self.holds[above])
            if risk.any():
                now = self.lowest[above] + symbol
                way = np.sign(now - before[:, above])[:, None]
                same = (abs(now[:, None] - pitch) % 12 == interval[:, None]) & (
                    np.sign(pitch - before[:, [voice]]) == way
                )
                may[:, :hold] &= ~(same & risk[:, None] & (way != 0))
        return may

    def _sounding(self, made: np.ndarray) -> np.ndarray:
        """The MIDI pitches that sound at the last step of ``made``: int (batch, voices)."""
        struck = made != self.holds
        last = np.where(struck, np.arange(made.shape[1])[:, None], 0).max(axis=1)
        return self.lowest + np.take_along_axis(made, last[:, None], axis=1)[:, 0]


def faults(pitch: np.ndarray) -> np.ndarray:
    """Offences against two rules of the school in each of many pieces: int (pieces,).

    Parallel fifths and octaves, as ``course_lib.music.measures.parallels`` finds them, and for each two voices the time
    steps in which they cross. pitch: int (pieces, time_steps, voices), sounding MIDI pitches without rests, the highest
    voice first. Notebook: 09.
    """
    motion = np.sign(np.diff(pitch, axis=1))
    found = np.zeros(len(pitch), int)
    for upper, lower in combinations(range(pitch.shape[2]), 2):
        apart = pitch[..., upper] - pitch[..., lower]
        found += (apart < 0).sum(axis=1)
        together = (motion[..., upper] != 0) & (motion[..., upper] == motion[..., lower])
        for interval in (0, 7):
            perfect = abs(apart) % 12 == interval
            found += (perfect[:, 1:] & perfect[:, :-1] & together).sum(axis=1)
    return found
