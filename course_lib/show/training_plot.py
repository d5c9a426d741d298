"""The loss while a network trains: one picture, replaced in place."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from course_lib.show.plots import Picture, figure, plot_loss

_SIZE = (7, 3.2)  # inches


class TrainingPlot:
    """Draws the training curves while ``fit`` runs: ``fit(..., watch=TrainingPlot())``.

    The picture is redrawn at most every half second, and drawing takes at most a twentieth of the time. After the
    last call (no seconds left, or all epochs done) a still picture with alt text takes its place, which the saved
    notebook keeps. Outside a notebook it prints a line now and then.

    title: stands over the curves. clock: seconds that never go back, replaced in tests.
    """

    def __init__(self, title: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self.title, self._clock = title, clock
        self._screen: _Notebook | _Terminal | None = None

    def __call__(self, history: Mapping[str, Sequence[float]], epoch: int, epochs: int, seconds_left: float) -> None:
        """Show where training stands. history: a list for each name; epoch: how many are done, of ``epochs``."""
        now = self._clock()
        if self._screen is None:
            self._screen = _Notebook(self.title) if _in_notebook() else _Terminal()
            self._next = now
        last = seconds_left <= 0 or epoch >= epochs
        if not last and now < self._next:
            return
        line = _line(history, epoch, epochs, 0 if last else seconds_left)
        if last:
            self._screen.end(history, line)
            self._screen = None  # the next training gets a picture of its own
        else:
            self._screen.show(history, line)
            after = self._clock()
            self._next = after + max(self._screen.pause, 19 * (after - now))


class _Notebook:
    pause = 0.5

    def __init__(self, title: str) -> None:
        import ipywidgets
        from IPython.display import display
        from matplotlib.figure import Figure

        self.title = title
        self.axes = Figure(_SIZE, layout="constrained").subplots()
        self.image = ipywidgets.Image(format="png", width=round(_SIZE[0] * 96))
        self.line = ipywidgets.Label()
        self.box = ipywidgets.VBox([self.image, self.line])
        # A first picture before the box is shown: so its place never changes height.
        self._redraw({}, "training begins")
        self.handle = display(self.box, display_id=True)

    def _redraw(self, history: Mapping[str, Sequence[float]], line: str) -> None:
        out = io.BytesIO()
        self._plot(history).savefig(out, format="png", dpi=100)
        self.image.value, self.line.value = out.getvalue(), line

    def _plot(self, history: Mapping[str, Sequence[float]]) -> Any:  # noqa: ANN401 (a Figure, imported late)
        self.axes.clear()
        return plot_loss(history, self.axes, self.title).figure

    show = _redraw

    def end(self, history: Mapping[str, Sequence[float]], line: str) -> None:
        alt = f"Training curves{': ' + self.title if self.title else ''}. {line}."
        self.handle.update(_Still(figure(self._plot(history), alt), line))
        for widget in (self.box, self.image, self.line):
            widget.close()


class _Still:
    """The last picture and, below it, the last line."""

    def __init__(self, shown: Picture, line: str) -> None:
        self.picture, self.line = shown, line

    def __repr__(self) -> str:
        return self.picture.alt

    def _repr_html_(self) -> str:
        return f"{self.picture._repr_html_()}<p>{escape(self.line)}</p>"


class _Terminal:
    pause = 5.0

    def show(self, history: Mapping[str, Sequence[float]], line: str) -> None:
        print(line, flush=True)

    end = show


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def _line(history: Mapping[str, Sequence[float]], epoch: int, epochs: int, seconds_left: float) -> str:
    parts = [f"epoch {epoch} of {epochs}"]
    for name, label in (("loss", "loss"), ("val_loss", "validation loss")):
        if history.get(name):
            parts.append(f"{label} {history[name][-1]:.3g}")
    if seconds_left:
        minutes, seconds = divmod(round(seconds_left), 60)
        parts.append(f"{minutes} min {seconds} s left" if minutes else f"{seconds} s left")
    return " · ".join(parts)
