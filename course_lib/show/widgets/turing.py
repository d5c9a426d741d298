"""``TuringGame``: is a piece real or generated? The reader answers, a judge beside the reader, and both are counted."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import NamedTuple

import anywidget
import numpy as np
import traitlets

from course_lib.music.measures.realism import binomial_interval
from course_lib.music.piece import MusicError, Piece
from course_lib.show.audio import data_url, mp3, synthesize
from course_lib.show.panel import Player

_WORD = {True: "real", False: "generated"}


class Round(NamedTuple):
    """piece: without title, key and fermatas. real: whether it is. source: the title that was taken away."""

    piece: Piece
    real: bool
    source: str


class TuringGame(anywidget.AnyWidget):
    """Pieces one after the other, half of them real: the player answers "real" or "generated", and so does a judge.

    real: pieces of the unseen side. generated: level → pieces; a level is one difficulty. All of one length, grid and
        choir: what differs betrays.
    judge: piece → probability that it is real; None: nobody judges beside the player.
    rounds: of a game, an even number. tempo: of all pieces. seed: of the choice and the order; each new game adds 1.

    Show it together with its player: ``ipywidgets.VBox([game, game.player])``. Keys: R real, G generated, N next.
    Titles stay here until the answer is given. ``game.page()`` is a form for a saved page, which shows no widgets.
    Raises MusicError for pieces that differ, and where there are too few for a game. Notebook: 07.
    """

    _esm = Path(__file__).with_name("turing.js")
    _css = Path(__file__).with_name("turing.css")
    level = traitlets.Unicode().tag(sync=True)
    _levels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        real: Sequence[Piece],
        generated: Mapping[str, Sequence[Piece]],
        judge: Callable[[Piece], float] | None = None,
        rounds: int = 20,
        tempo: float = 60.0,
        seed: int = 0,
    ) -> None:
        fewest = min(len(group) for group in (real, *generated.values()))
        if rounds < 2 or rounds % 2 or fewest < rounds // 2:
            raise MusicError(f"{rounds} rounds and {fewest} pieces; take an even number, and half of it of each kind.")
        kinds = {(p.pitch.shape, p.steps_per_quarter) for group in (real, *generated.values()) for p in group}
        if len(kinds) > 1:
            raise MusicError(f"the pieces differ in shape or grid: {sorted(kinds)}. Cut windows of one length.")
        self._real, self._generated, self._judge = list(real), {k: list(v) for k, v in generated.items()}, judge
        self._rounds, self._tempo, self._seed = rounds, tempo, seed
        super().__init__(level=next(iter(generated)), _levels=list(generated))
        self.player = Player(self._real[0])
        self.restart(seed)
        self.observe(lambda _: self.restart(self._seed), names="level")
        self.on_msg(lambda _, message, buffers: self._asked(message))

    def restart(self, seed: int) -> None:
        """A new game of this seed."""
        self._seed = seed
        rng = np.random.default_rng(seed)
        half = self._rounds // 2
        groups = ((self._real, True), (self._generated[self.level], False))
        chosen = [(group[i], real) for group, real in groups for i in rng.choice(len(group), half, replace=False)]
        self.game = [
            Round(_plain(chosen[i][0], f"Piece {n} of {self._rounds}", self._tempo), chosen[i][1], chosen[i][0].title)
            for n, i in enumerate(rng.permutation(self._rounds), 1)
        ]
        self.answers: list[bool] = []
        self._next()

    def answer(self, real: bool) -> None:
        """The player's answer to the piece that sounds; a second answer to it does not count."""
        if not self._state["answered"]:
            self.answers.append(bool(real))
            self._show(answered=True)

    def next(self) -> None:
        """The next piece, once this one is answered; after the last one, a new game."""
        if len(self.answers) == self._rounds:
            self.restart(self._seed + 1)
        elif self._state["answered"]:
            self._next()

    def _asked(self, message: str) -> None:
        {"real": lambda: self.answer(True), "generated": lambda: self.answer(False), "next": self.next}[message]()

    def _next(self) -> None:
        self.player.piece = self.game[len(self.answers)].piece
        self._show(answered=False)

    def _show(self, answered: bool) -> None:
        over = len(self.answers) == self._rounds
        self._state = {
            "answered": answered,
            "question": f"Piece {len(self.answers) + (not answered)} of {self._rounds}: real or generated?",
            "answer": self._verdict(len(self.answers) - 1) if answered else "",
            "score": self._score(),
            "next": "New game" if over else "Next piece",
        }

    def _verdict(self, n: int) -> str:
        right = "Right" if self.answers[n] == self.game[n].real else "Wrong"
        return f"{right}. {_truth(self.game[n])} {self._judged(self.game[n])}".strip()

    def _judged(self, this: Round) -> str:
        if self._judge is None:
            return ""
        p = self._judge(this.piece)
        return f'The judge: "{_WORD[p > 0.5]}" ({100 * p:.0f} % real).'

    def _score(self) -> str:
        played = self.game[: len(self.answers)]
        if not played:
            return "No answer yet."
        found = {"You": sum(mine == this.real for mine, this in zip(self.answers, played, strict=True))}
        if self._judge is not None:
            found["The judge"] = sum((self._judge(this.piece) > 0.5) == this.real for this in played)
        parts = []
        for name, right in found.items():
            low, high = (100 * end for end in binomial_interval(right, len(played)))
            parts.append(f"{name}: {right} of {len(played)} right (95 % interval {low:.0f}–{high:.0f} %)")
        luck = sum(math.comb(len(played), k) for k in range(found["You"], len(played) + 1)) / 2 ** len(played)
        return "; ".join(parts) + f". A coin has {found['You']} or more right in {100 * luck:.0f} % of such games."

    def __repr__(self) -> str:
        return f"TuringGame, {self.level}. {self._state['question']} {self._state['answer']} {self._state['score']}"

    def page(self) -> Form:
        """This game as a form that needs neither kernel nor script: sounds, buttons, and the answers folded away."""
        return Form([(this.piece, f"{_truth(this)} {self._judged(this)}".strip()) for this in self.game])


class Form:
    """Pieces with a question each and an answer folded away. Made by ``TuringGame.page``."""

    def __init__(self, rows: Sequence[tuple[Piece, str]]) -> None:
        self.rows = list(rows)

    def __repr__(self) -> str:
        return f"{len(self.rows)} pieces to judge: real or generated? The answers: " + " | ".join(
            f"{n}: {answer}" for n, (_, answer) in enumerate(self.rows, 1)
        )

    def _repr_html_(self) -> str:
        items = ""
        for n, (piece, answer) in enumerate(self.rows, 1):
            sound = _sound(piece)
            name = f"turing-{zlib.crc32(sound.encode()):08x}-{n}"
            choices = " ".join(f'<label><input type="radio" name="{name}"> {word}</label>' for word in _WORD.values())
            items += (
                f'<fieldset style="border:1px solid #b5b5b5;border-radius:6px;padding:4px 8px;margin:0;min-width:0">'
                f'<legend style="width:auto;font-size:inherit;margin:0;border:0">Piece {n}</legend><audio controls '
                f'style="width:100%;height:36px" aria-label="Piece {n}" src="{sound}"></audio><br>{choices}'
                f'<details style="margin-top:4px"><summary>Answer</summary>{escape(answer)}</details></fieldset>'
            )
        grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:8px"
        return f'<div role="group" aria-label="Real or generated?" style="{grid}">{items}</div>'


def _sound(piece: Piece) -> str:
    return data_url(mp3(*synthesize(piece)), "audio/mpeg")


def _truth(this: Round) -> str:
    return f"It is real: {this.source}." if this.real else "It is generated."


def _plain(piece: Piece, title: str, tempo: float) -> Piece:
    """The notes, and nothing that would betray where they come from."""
    onset = piece.onset.copy()
    onset[0] = piece.pitch[0] >= 0
    bare = Piece(piece.pitch, onset, steps_per_quarter=piece.steps_per_quarter, voices=piece.voices)
    return replace(bare, title=title, tempo=tempo)
