"""``TemplateBoard``: pick a template or bring a file, set strengths, and listen to what a model makes of it."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Mapping
from html import escape

import ipywidgets
import numpy as np

from course_lib.music.errors import MusicError, MusicWarning
from course_lib.music.files import read_bytes
from course_lib.music.measures.structure import Template, same_structure, self_similarity, template
from course_lib.music.piece import Piece
from course_lib.show.panel import Player

Composer = Callable[[Template, dict[str, float], Callable[[float], None]], Piece]
"""(template, strengths by name, progress) → a piece as long as the template. progress(share): how far it is, 0..1."""

FILES = ".mid,.midi,.musicxml,.xml,.mxl,.abc"

MOST = 3.0


class TemplateBoard(ipywidgets.VBox):
    """A menu of templates, an upload, a field for each strength, a button; below, sound, roll and two matrices.

    pieces: what the menu offers, by name. answer: makes a piece; knows the network. strengths: names, each from 0
    (off) to 3 times what is usual, 1. made: a piece of the first template, to show at the beginning.

    An upload is taken as template at once, if it can be read; what is wrong with it, or with what ``answer`` raises,
    stands in words below the button. ``piece`` and ``template`` are the present ones. A saved page shows no widgets:
    put a ``listen`` beside it. (The strengths are no sliders, for those of ipywidgets have no name that a screen reader
    could read out.) Raises MusicError when there are no pieces. Notebook: 13.
    """

    def __init__(self, pieces: Mapping[str, Piece], answer: Composer, strengths: tuple[str, ...], made: Piece) -> None:
        if not pieces:
            raise MusicError("0 templates. Give at least one.")
        self._answer = answer
        self.templates: dict[str, Template] = {name: template(piece) for name, piece in pieces.items()}
        wide = lambda: {  # noqa: E731 (widgets that share a layout are hidden together)
            "style": {"description_width": "7em"},
            "layout": ipywidgets.Layout(width="min(30em, 95%)"),
        }
        self.menu = ipywidgets.Dropdown(options=list(self.templates), description="Template", **wide())
        self.upload = ipywidgets.FileUpload(accept=FILES, description="A file of your own", multiple=False)
        self.upload.tooltip = "A MIDI, MusicXML or ABC file whose structure, key and metre are to be used"
        self.upload.layout.width = "auto"
        self.strengths = {
            name: ipywidgets.BoundedFloatText(1.0, min=0, max=MOST, step=0.1, description=name, **wide())
            for name in strengths
        }
        self.button = ipywidgets.Button(description="Compose", button_style="primary")
        self.button.tooltip = "Make a new piece on this template"
        self.bar = ipywidgets.FloatProgress(0, min=0, max=1, description="working", **wide())
        self.bar.layout.visibility = "hidden"
        self.status = ipywidgets.HTML()
        self.matrices = ipywidgets.HTML()
        self.piece = made
        self.player = Player(made)
        self.upload.observe(self._take, names="value")
        self.button.on_click(lambda _: self.compose())
        super().__init__(
            [
                self.menu,
                self.upload,
                *self.strengths.values(),
                self.button,
                self.bar,
                self.status,
                self.matrices,
                self.player,
            ]
        )
        self._show("This is what the model made before; press Compose for another one.")

    @property
    def template(self) -> Template:
        """The template that is chosen."""
        return self.templates[self.menu.value]

    def compose(self) -> None:
        """What the button does: asks for a piece and shows it."""
        self.button.disabled, self.bar.value, self.bar.layout.visibility = True, 0, "visible"
        try:
            strengths = {name: field.value for name, field in self.strengths.items()}
            self.piece = self._answer(self.template, strengths, self._progress)
            self.player.piece = self.piece
            self._show(f"Composed on {self.menu.value}.")
        except Exception as error:  # whatever a reader's own model raises is shown to the reader
            self._write(str(error) if isinstance(error, MusicError) else f"{type(error).__name__}: {error}", wrong=True)
        finally:
            self.button.disabled, self.bar.layout.visibility = False, "hidden"

    def _progress(self, share: float) -> None:
        self.bar.value = share

    def _take(self, change: dict) -> None:
        for file in change["new"]:
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", MusicWarning)
                    found = template(read_bytes(file["content"], file["name"]))
            except MusicError as error:
                self._write(f"Not taken: {error}", wrong=True)
                continue
            name = f"your file {file['name']}"
            self.templates[name] = found
            self.menu.options = list(self.templates)
            self.menu.value = name
            remarks = " ".join(str(one.message) for one in caught if issubclass(one.category, MusicWarning))
            self._write(f"Taken: {file['name']}, {len(found.piece)} eighths. Press Compose. {remarks}")

    def _write(self, words: str, wrong: bool = False) -> None:
        colour = "#B03A00" if wrong else "#333333"
        sign = "⚠ " if wrong else ""
        style = f"color:{colour};line-height:1.4"
        self.status.value = f'<div role="status" class="board-status" style="{style}">{sign}{escape(words)}</div>'

    def _show(self, words: str) -> None:
        theirs = self.template.structure
        if len(self.piece) // 4 != len(theirs):
            raise MusicError(
                f"the model made {len(self.piece)} time steps for a template of {len(self.template.piece)}; they "
                "must be as many."
            )
        found = same_structure(self.piece, theirs)
        self._write(f"{words} Its self-similarity correlates with the template's by {found:.2f}.")
        pictures = [("the template", theirs), ("the new piece", self_similarity(self.piece))]
        self.matrices.value = "".join(
            f'<figure class="matrix" style="display:inline-block;margin:.3em 1em .3em 0"><img width="180" height="180" '
            f'style="image-rendering:pixelated" alt="Self-similarity of {name}: {len(matrix)} half notes against each '
            f'other, dark where they are alike" src="{picture(matrix)}"><figcaption>{name}</figcaption></figure>'
            for name, matrix in pictures
        )


def picture(matrix: np.ndarray) -> str:
    """A data: address of a PNG, a pixel a pair of parts: white for 0, dark blue for 1; the first pair below left."""
    from PIL import Image

    low, high = np.array([255, 255, 255]), np.array([0, 60, 120])
    pixels = low + np.clip(matrix, 0, 1)[::-1, :, None] * (high - low)
    png = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(png, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
