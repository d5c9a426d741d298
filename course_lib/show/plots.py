"""Plots: piano roll, training curves, pictures of networks; ``figure`` shows any of them with its alt text.

Each plot takes ``ax=None`` and returns the axes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from course_lib.music.keys import note_name
from course_lib.music.piece import Piece
from course_lib.show import roll

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_DPI = 160


_SMALL, _NORMAL = 12, 13.5  # points: still read where a phone shows the picture at half its size


_GREY, _PALE = "#595959", "#D9D9D9"

_FILLS = {"data": "#FFFFFF", "layer": "#DCE9F5", "random": "#FBE5D0", "loss": "#EFEFEF"}


class Picture:
    """A PNG with its alt text: what a notebook shows, and what a screen reader reads out."""

    def __init__(self, png: bytes, alt: str, width: int, height: int) -> None:
        self.png, self.alt, self.width, self.height = png, alt, width, height

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        # Width and height keep the place while the picture loads; the style lets it shrink on a phone.
        return (
            f'<img alt="{escape(self.alt)}" width="{self.width}" height="{self.height}" '
            f'style="max-width:100%;height:auto;background:#fff" '
            f'src="data:image/png;base64,{base64.b64encode(self.png).decode()}">'
        )


def figure(drawn: Axes | Figure, alt: str) -> Picture:
    """The figure as a picture with alt text; the figure itself is closed, so that it is shown once.

    alt: what one should see in it, in a sentence or two. Raises ValueError when it is empty.
    """
    import matplotlib.pyplot as plt
    from PIL import Image

    if not alt.strip():
        raise ValueError("the alt text is empty. Say in a sentence what one should see in the picture.")
    canvas: Figure = drawn.get_figure(root=True)  # type: ignore[assignment]
    width, height = (round(inches * 96) for inches in canvas.get_size_inches())
    raw, png = io.BytesIO(), io.BytesIO()
    canvas.savefig(raw, format="png", dpi=_DPI, facecolor="white")
    plt.close(canvas)
    # 64 colours are as good as all of them for a plot, at a third of the size.
    Image.open(raw).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(png, format="PNG", optimize=True)
    return Picture(png.getvalue(), alt, width, height)


def plot_piano_roll(piece: Piece, ax: Axes | None = None, title: str | None = None, legend: bool = True) -> Axes:
    """Piano roll: time in bars to the right, pitch upwards, a colour for each voice.

    A held note is one box of colour, repeated notes are parted by a gap, a note that sounded before the piece
    began sticks out on the left. title: None takes the piece's. Middle C = MIDI 60 = C4. Notebook: 01.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    ax = _axes(ax, (7, 3.6))
    boxes = roll.note_boxes(piece)
    corners = [[(b.left, b.bottom), (b.right, b.bottom), (b.right, b.top), (b.left, b.top)] for b in boxes]
    colours = [roll.voice_colour(piece, b.voice) for b in boxes]
    ax.add_collection(PolyCollection(corners, facecolors=colours, zorder=3), autolim=False)
    low, high = roll.pitch_span([piece])
    ax.set_xlim(-roll.lead(piece), len(piece))
    ax.set_ylim(low - 0.5, high + 0.5)
    marks = roll.pitch_marks(low, high)
    ax.set_yticks(marks, [note_name(pitch) for pitch in marks])
    numbers = roll.bar_numbers(piece)
    ax.set_xticks([step for step, _ in numbers], [str(number) for _, number in numbers])
    ax.hlines(marks, *ax.get_xlim(), colors=_PALE, linewidth=0.6, zorder=1)
    ax.vlines(piece.bar_lines, *ax.get_ylim(), colors="#8C8C8C", linewidth=0.8, zorder=2)
    _finish(ax, xlabel="bar", ylabel="pitch")
    if legend:
        names = [Patch(color=roll.voice_colour(piece, voice), label=name) for voice, name in enumerate(piece.voices)]
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 4, "frameon": False, "fontsize": _SMALL}
        ax.legend(handles=names, borderpad=0.2, borderaxespad=0.2, handlelength=1, columnspacing=1.2, **place)
    # A title stands above the legend: beside it there is no room for the names of chorales.
    rows = -(-len(piece.voices) // 4) if legend else 0
    ax.set_title(piece.title if title is None else title, loc="left", fontsize=_NORMAL, pad=6 + 1.5 * _SMALL * rows)
    return ax


def plot_loss(history: Mapping[str, Sequence[float]], ax: Axes | None = None, title: str = "") -> Axes:
    """Training curves: loss on the training pieces and, where ``val_loss`` is there, on the validation pieces.

    history: a list for each name, one value an epoch, as Keras' ``History.history``. The lowest validation loss
    gets a mark. Other names are not drawn.
    """
    from matplotlib.ticker import MaxNLocator

    ax = _axes(ax, (7, 3.2))
    curves = (("loss", "training", roll.VOICE_COLOURS[1], "-"), ("val_loss", "validation", roll.VOICE_COLOURS[0], "--"))
    for name, label, colour, dashes in curves:
        values = list(history.get(name, ()))
        if not values and name == "val_loss":
            continue
        epochs = range(1, len(values) + 1)
        ax.plot(epochs, values, dashes, color=colour, label=label, linewidth=2, marker="o" if len(values) < 3 else "")
        if name == "val_loss" and values:
            best = min(epochs, key=lambda epoch: values[epoch - 1])
            ax.plot(best, values[best - 1], "o", color=colour, label=f"lowest: {values[best - 1]:.3g}, epoch {best}")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    ax.set_xlim(0.7, max([2, *map(len, history.values())]) + 0.3)
    ax.grid(axis="y", color=_PALE, linewidth=0.6)
    _finish(ax, xlabel="epoch", ylabel="loss")
    if ax.lines:
        ax.legend(frameon=False, fontsize=_SMALL)
    ax.set_title(title, loc="left", fontsize=_NORMAL)
    return ax


Box = tuple[str, str] | tuple[str, str, str]


def plot_network(layers: Sequence[Box | Sequence[Box]], ax: Axes | None = None, upwards: bool = False) -> Axes:
    """Picture of an architecture: a box for each layer, arrows from each to the next.

    layers: in the order of the data; each is (name, detail) or (name, detail, kind), the kind being ``"data"``,
        ``"layer"`` (the default), ``"random"`` or ``"loss"``; a list of such boxes stands side by side.
        The first and the last are data unless they say otherwise.
    upwards: data flow from bottom to top; otherwise from left to right.

    Example: ``plot_network([("soprano", "64 × 21"), ("hidden", "200, ReLU"), ("three voices", "64 × 70")])``.
    """
    columns = [[entry] if isinstance(entry[0], str) else list(entry) for entry in layers]
    deep, broad = len(columns), max(len(column) for column in columns)
    wide, tall = (broad, deep) if upwards else (deep, broad)
    longest = max(len(text) for column in columns for name, detail, *_ in column for text in (name, detail))
    ax = _axes(ax, (max(1.5, 0.115 * longest + 0.55) * wide, max(1.05 * tall, 1.3)))
    before: list[tuple[float, float]] = []
    for depth, column in enumerate(columns):
        usual = "data" if depth in (0, deep - 1) else "layer"
        places = []
        for row, (name, detail, *kind) in enumerate(column):
            across = row - (len(column) - 1) / 2
            x, y = (across, float(depth)) if upwards else (float(depth), -across)
            _box(ax, x, y, name, detail, _FILLS[kind[0] if kind else usual])
            places.append((x, y))
        for start in before:
            for end in places:
                _arrow(ax, start, end, upwards)
        before = places
    half = (broad - 1) / 2
    spans = (-half, half), (0, deep - 1)
    (left, right), (low, high) = spans if upwards else spans[::-1]
    ax.set_xlim(left - 0.45, right + 0.45)
    ax.set_ylim(low - 0.5, high + 0.5)
    ax.set_axis_off()
    return ax


def _box(ax: Axes, x: float, y: float, name: str, detail: str, fill: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.06"
    ax.add_patch(FancyBboxPatch((x - 0.4, y - 0.33), 0.8, 0.66, style, facecolor=fill, edgecolor=_GREY, zorder=2))
    text = {"ha": "center", "va": "center", "zorder": 3}
    ax.text(x, y + 0.13 * bool(detail), name, fontsize=_SMALL, fontweight="bold", **text)
    ax.text(x, y - 0.14, detail, fontsize=_SMALL - 1, color="#333333", **text)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], upwards: bool) -> None:
    (x0, y0), (x1, y1) = start, end
    tail, head = ((x0, y0 + 0.34), (x1, y1 - 0.34)) if upwards else ((x0 + 0.41, y0), (x1 - 0.41, y1))
    line = {"arrowstyle": "-|>", "color": _GREY, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", xy=head, xytext=tail, arrowprops=line, zorder=1)


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The given axes, or new ones on a white figure of this size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained", facecolor="white")[1]


def _finish(ax: Axes, xlabel: str, ylabel: str) -> None:
    """Axis names, sizes of letters, and no more frame than needed."""
    ax.set_xlabel(xlabel, fontsize=_SMALL)
    ax.set_ylabel(ylabel, fontsize=_SMALL)
    ax.tick_params(labelsize=_SMALL, length=3)
    ax.spines[["top", "right"]].set_visible(False)
