"""``ChordBoard``: twelve pitch classes, each fixed or free; a model completes the free ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from course_lib.music.encodings.frames import set_name, sets_piece
from course_lib.music.errors import MusicError
from course_lib.music.keys import PITCH_CLASSES
from course_lib.music.piece import REST, Piece
from course_lib.show.panel import Player

FREE, SILENT, SOUNDS = -1, 0, 1

_STEPS = 12  # sixteenths of a chord: its notes enter one by one, then it stays

ChordCompletion = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]
"""(fixed int (12,), temperature) → how probably each pitch class sounds, float (12,), and a chord, bool (12,)."""


class ChordBoard(anywidget.AnyWidget):
    """Twelve keys of three states, *free*, *sounds* and *silent*: the model fills in what is free.

    answer: is called at each change; knows the network. It should take less than 0.2 s.
    fixed: int (12,), the states to begin with: 1 sounds, 0 silent, -1 free. temperature: likewise, 0.3..3.

    Show it together with its player: ``ipywidgets.VBox([board, board.player])``. A click, Enter or Space on a key
    goes to its next state; the arrow keys go from key to key; Delete frees one. ``fixed``, ``temperature``,
    ``probabilities`` and ``chord`` are the present ones; the first two may be set. What ``answer`` raises stands below.
    A saved page shows no widgets: put a ``listen`` beside it. Raises MusicError when ``fixed`` is none. Notebook: 06.
    """

    _esm = Path(__file__).with_name("chords.js")
    _css = Path(__file__).with_name("chords.css")
    fixed = traitlets.List(traitlets.Int()).tag(sync=True)
    temperature = traitlets.Float(1.0).tag(sync=True)
    _names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)
    _draws = traitlets.Int(0).tag(sync=True)

    def __init__(self, answer: ChordCompletion, fixed: Sequence[int] = (FREE,) * 12, temperature: float = 1.0) -> None:
        self._answer = answer
        self.probabilities, self.chord = np.zeros(12), np.zeros(12, bool)
        super().__init__(fixed=list(map(int, fixed)), temperature=float(temperature), _names=list(PITCH_CLASSES))
        self.player = Player(self._piece())
        self._fill()
        self.observe(lambda _: self._fill(), names=["fixed", "temperature", "_draws"])

    @traitlets.validate("fixed")
    def _checked(self, proposal: dict) -> list[int]:
        states = proposal["value"]
        if len(states) != 12 or not set(states) <= {FREE, SILENT, SOUNDS}:
            raise MusicError(f"fixed is {states}; it must be twelve of 1 (sounds), 0 (silent) and -1 (free).")
        return states

    @traitlets.validate("temperature")
    def _in_range(self, proposal: dict) -> float:
        if not 0.3 <= proposal["value"] <= 3:
            raise MusicError(f"temperature is {proposal['value']}; the board goes from 0.3 to 3.")
        return proposal["value"]

    def another(self) -> None:
        """Draws another chord for the same keys."""
        self._draws += 1

    def __repr__(self) -> str:
        return f"ChordBoard. {self._state.get('text', '')}"

    def _fill(self) -> None:
        try:
            probabilities, chord = self._answer(np.array(self.fixed), self.temperature)
            self.probabilities, self.chord = np.asarray(probabilities, float), np.asarray(chord, bool)
            self.player.piece = self._piece()
            text, wrong = self._words(), False
        except Exception as error:  # whatever the model raises is shown where it is seen
            text, wrong = f"{type(error).__name__}: {error}", True
        probabilities = [round(float(x), 4) for x in self.probabilities]
        self._state = {"probabilities": probabilities, "chord": self.chord.tolist(), "text": text, "wrong": wrong}

    def _piece(self) -> Piece:
        if not self.chord.any():
            silence = np.full((_STEPS, 1), REST)
            return Piece(silence, np.zeros(silence.shape, bool), title="silence")
        return sets_piece(self.chord[None], set_name(self.chord), steps=_STEPS, spread=True)

    def _words(self) -> str:
        added = [PITCH_CLASSES[i] for i in range(12) if self.chord[i] and self.fixed[i] == FREE]
        given = [PITCH_CLASSES[i] for i in range(12) if self.fixed[i] == SOUNDS]
        start = f"Given {' '.join(given)}" if given else "Nothing is given"
        drawn = f"the model adds {' '.join(added)}" if added else "the model adds nothing"
        return f"{start}; {drawn}: {set_name(self.chord)}."
