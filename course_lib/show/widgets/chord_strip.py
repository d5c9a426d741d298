"""``ChordStrip``: bars over chords of your choice; a model writes the melody, any bar can be kept or drawn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from course_lib.music.encodings.chords import CHORDS
from course_lib.music.encodings.lead_sheets import (
    BAR,
    LOWEST_MELODY,
    MELODY_PITCHES,
    bars_piece,
    chord_tone_share,
)
from course_lib.music.errors import MusicError
from course_lib.music.keys import note_name
from course_lib.show.panel import Player

Write = Callable[[np.ndarray, np.ndarray, int, str], np.ndarray]
"""(chord int (2,), bar before int (16,), all -1 for none, seed, mode) → melody int (16,), all as in ``Bars``."""


class ChordStrip(anywidget.AnyWidget):
    """Bars in a row: choose two chords for each, lock what you like, draw the others again, and play the whole.

    write: makes one bar; knows the network. It should take less than 0.2 s. chords: int (bars, 2), indices of CHORDS,
    to begin with. modes: names of the ways to write, such as stable and creative; the first is chosen. seed: of the
    first melody.

    Show it together with its player: ``ipywidgets.VBox([strip, strip.player])``. Below each bar stands the share of
    its melody that lies in its chords. A new chord draws its bar again; a new mode all bars that are not locked, from
    the same noise; a bar is always written after the one that stands before it. ``chords``, ``locked`` and ``mode`` are
    the present ones and may be set; ``melody`` and ``shares`` are what they gave. What ``write`` raises stands below.
    A saved page shows no widgets: put a ``listen`` beside it. Raises MusicError for chords or modes that are none.
    Notebook: 15.
    """

    _esm = Path(__file__).with_name("chord_strip.js")
    _css = Path(__file__).with_name("chord_strip.css")
    chords = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    locked = traitlets.List(traitlets.Bool()).tag(sync=True)
    mode = traitlets.Unicode().tag(sync=True)
    _names = traitlets.Dict().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)
    _request = traitlets.List(traitlets.Int(), [0, -1]).tag(sync=True)  # number of the request, bar or -1 for all

    def __init__(
        self, write: Write, chords: Sequence[Sequence[int]], modes: Sequence[str] = ("stable",), seed: int = 0
    ) -> None:
        self._write, self._modes = write, tuple(modes)
        self._random = np.random.default_rng(seed)
        if not self._modes:
            raise MusicError("0 modes. Name at least one.")
        chords = [list(map(int, pair)) for pair in chords]
        self.melody = np.full((len(chords), BAR), -1)
        self._seeds = self._random.integers(1 << 30, size=len(chords))
        super().__init__(
            chords=chords,
            locked=[False] * len(chords),
            mode=self._modes[0],
            _names={"chords": CHORDS, "modes": self._modes, "pitches": MELODY_PITCHES},
        )
        self._fill(range(len(chords)), "Written")
        self.player = Player(self._piece())
        self.observe(self._new_chords, names="chords")
        self.observe(lambda _: self._fill(self._free(), f"Written anew, {self.mode}"), names="mode")
        self.observe(lambda change: self.draw(change["new"][1]), names="_request")

    @traitlets.validate("chords")
    def _checked(self, proposal: dict) -> list[list[int]]:
        chords = proposal["value"]
        if len(chords) != len(self.melody) or not chords or any(len(pair) != 2 for pair in chords):
            raise MusicError(f"chords are {chords}; they must be two for each of {len(self.melody) or 'several'} bars.")
        if not all(0 <= number < len(CHORDS) for pair in chords for number in pair):
            raise MusicError(f"chords are {chords}; each must be an index of CHORDS, 0..{len(CHORDS) - 1}.")
        return chords

    @traitlets.validate("locked")
    def _as_many(self, proposal: dict) -> list[bool]:
        if len(proposal["value"]) != len(self.melody):
            raise MusicError(f"locked has {len(proposal['value'])} values for {len(self.melody)} bars.")
        return proposal["value"]

    @traitlets.validate("mode")
    def _known(self, proposal: dict) -> str:
        if proposal["value"] not in self._modes:
            raise MusicError(f"mode is {proposal['value']!r}; choose one of {', '.join(self._modes)}.")
        return proposal["value"]

    @property
    def shares(self) -> np.ndarray:
        """Share of each bar's melody in its chords, 0..1: float (bars,)."""
        return chord_tone_share(self.melody, np.array(self.chords))

    def draw(self, bar: int = -1) -> None:
        """Draws a bar again, counted from 0, or with -1 all that are not locked."""
        bars = self._free() if bar < 0 else [bar]
        self._seeds[bars] = self._random.integers(1 << 30, size=len(bars))
        self._fill(bars, "Drawn again" if bars else "All bars are locked")

    def __repr__(self) -> str:
        return f"ChordStrip. {self._state.get('words', '')}"

    def _free(self) -> list[int]:
        return [bar for bar, locked in enumerate(self.locked) if not locked]

    def _new_chords(self, change: dict) -> None:
        changed = [bar for bar, (old, new) in enumerate(zip(change["old"], change["new"], strict=True)) if old != new]
        self._fill(changed, f"New chords for bar {', '.join(str(bar + 1) for bar in changed)}")

    def _fill(self, bars: Sequence[int], what: str) -> None:
        """Writes these bars, in order, each after the bar that stands before it; then shows and tells the state."""
        try:
            melody = self.melody.copy()
            for bar in bars:
                before = melody[bar - 1] if bar else np.full(BAR, -1)
                melody[bar] = self._write(np.array(self.chords[bar]), before, int(self._seeds[bar]), self.mode)
            self.melody = melody
            if hasattr(self, "player"):
                self.player.piece = self._piece()
            words, wrong = f"{what}. {self.shares.mean():.0%} of the melody lies in its chords.", False
        except Exception as error:  # whatever the model raises is shown where it is seen
            words, wrong = f"{type(error).__name__}: {error}", True
        shares = self.shares if (self.melody >= 0).all() else np.zeros(len(self.melody))
        self._state = {
            "melody": self.melody.tolist(),
            "shares": [round(100 * share) for share in shares],
            "notes": [self._notes(bar) for bar in self.melody],
            "words": words,
            "wrong": wrong,
        }

    @staticmethod
    def _notes(bar: np.ndarray) -> str:
        """Names of a bar's notes, for those who do not see the picture."""
        starts = np.flatnonzero(np.diff(bar, prepend=-2))
        return " ".join(note_name(int(bar[step]) + LOWEST_MELODY) for step in starts if bar[step] >= 0)

    def _piece(self) -> object:
        melody = np.where(self.melody < 0, 0, self.melody)
        return bars_piece(melody, np.array(self.chords), f"{len(melody)} bars, {self.mode}")
