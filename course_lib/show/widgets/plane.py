"""``PlaneBoard``: pictures of a plane of pitch pairs, buttons that change them, and the pair under the pointer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from course_lib.music.piece import MusicError


class PlaneBoard(anywidget.AnyWidget):
    """Pictures of one plane side by side: one pitch of the upper voice a row, one of the lower voice a column.

    pictures: () → name → float (rows, columns), how they are now; those whose names begin with D are probabilities,
        drawn around 0.5, the others shares, drawn from 0 up to the largest. actions: what stands on a button → what
        it does, in a few seconds at most. words: () → what stands below the pictures. rows, columns: MIDI pitches.
        voices: names of the two.

    Point at a cell, or go to it with the arrow keys, and its pair and values are named; a click, Enter or Space plays
    it. What an action raises stands below. A saved page shows no widgets: put a ``Slideshow`` beside it.
    Raises MusicError for a picture of another shape. Notebook: 07.
    """

    _esm = Path(__file__).with_name("plane.js")
    _css = Path(__file__).with_name("plane.css")
    _pitches = traitlets.List().tag(sync=True)
    _voices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _actions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        pictures: Callable[[], Mapping[str, np.ndarray]],
        actions: Mapping[str, Callable[[], object]],
        words: Callable[[], str],
        rows: Sequence[int],
        columns: Sequence[int],
        voices: tuple[str, str] = ("Soprano", "Bass"),
    ) -> None:
        self._pictures, self._act, self._words = pictures, dict(actions), words
        super().__init__(
            _pitches=[list(map(int, rows)), list(map(int, columns))], _voices=list(voices), _actions=list(actions)
        )
        self._refresh()
        self.on_msg(lambda _, action, buffers: self.press(action))

    def press(self, action: str) -> None:
        """What the button does; what it raises stands on the board."""
        try:
            self._act[action]()
            self._refresh()
        except Exception as error:  # whatever a reader's code raises is shown to the reader
            number = self._state["number"] + 1
            self._state = {**self._state, "words": f"{type(error).__name__}: {error}", "wrong": True, "number": number}

    def _refresh(self) -> None:
        shape = tuple(map(len, self._pitches))
        shown = {name: np.asarray(values, float) for name, values in self._pictures().items()}
        for name, values in shown.items():
            if values.shape != shape:
                raise MusicError(f"the picture {name} has shape {values.shape}; rows and columns ask for {shape}.")
        pictures = [[name, values.round(4).ravel().tolist()] for name, values in shown.items()]
        number = self._state.get("number", 0) + 1  # so that an answer that changes nothing arrives, too
        self._state = {"pictures": pictures, "words": self._words(), "wrong": False, "number": number}

    def __repr__(self) -> str:
        return f"PlaneBoard of {', '.join(name for name, _ in self._state['pictures'])}. {self._state['words']}"
