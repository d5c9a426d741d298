"""``Explorer``: a latent space under the hand. It takes plain callables and knows no network."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from itertools import count
from pathlib import Path
from threading import Lock, Thread
from typing import Any, NamedTuple

import anywidget
import numpy as np
import traitlets

from course_lib.music.errors import MusicError, WrongVoices
from course_lib.music.files import midi_bytes
from course_lib.music.piece import REST, Piece
from course_lib.show import roll
from course_lib.show.audio import SAMPLE_RATE, flac, programs
from course_lib.show.note_cache import ATTACK, NoteCache
from course_lib.show.panel import CSS, JAVASCRIPT, Panel, compressed_musicxml, file_name, score, take

STYLE = CSS + Path(__file__).with_name("explorer.css").read_text(encoding="utf-8")

SCRIPT = JAVASCRIPT + Path(__file__).with_name("explorer.js").read_text(encoding="utf-8")

ATLAS = SCRIPT + Path(__file__).with_name("atlas.js").read_text(encoding="utf-8")

_RENDER = """
export default {
  render({ model, el }) {
    const root = el.appendChild(document.createElement("div"));
    return mountExplorer(root, model.get("_facts"), model.get("_code"), kernel(model));
  },
};
"""

_FINE = 20  # what is sent of a roll: twentieths of a time step and of a semitone, as int16

_LONGEST = 1500  # time steps, so that they fit

_MOST_DOTS = 1500  # of the map in a saved page

_SAMPLES = 8  # training pieces that are decoded at first, for the range of the roll and the notes that will sound

_FLOOR = -100.0  # dB of full scale: a partial that is not there

_MARGIN = 1.1  # the pad reaches so much further than the training pieces

_number = count(1)

Decoder = Callable[[np.ndarray], Piece]


class Plane(NamedTuple):
    """A plane through the latent space: ``origin`` and two directions at right angles, of length 1, (d,) each."""

    origin: np.ndarray
    x: np.ndarray
    y: np.ndarray
    names: tuple[str, str]

    def place(self, codes: np.ndarray) -> np.ndarray:
        """Where codes (…, d) lie when they are projected onto the plane: (…, 2)."""
        return (codes - self.origin) @ np.stack([self.x, self.y], axis=1)

    def code(self, place: np.ndarray) -> np.ndarray:
        """The codes (…, d) of places (…, 2) in the plane."""
        return self.origin + place @ np.stack([self.x, self.y])


class Explorer(anywidget.AnyWidget):
    """A pad over a map of the training pieces, sliders, and a straight line from A to B: each point is a piece.

    decode: gives the piece of a code, float32 (d,). It is called at each move: quicker than 50 ms is pleasant.
    codes: (pieces, d), d ≥ 2: the codes of the training pieces, the dots of the map.
    labels: a name for each of them.
    ends: (name, code) pairs to choose A and B from; without two of them there is no line.
    plane: what the pad shows: None for the first two principal components of ``codes``, (i, j) for two dimensions,
        or three codes (3, d) for the plane through them. The pad changes what lies in the plane and leaves the rest.
    ranges: (d, 2), from where to where the sliders go; None: three standard deviations to both sides of the mean.
    code: where to start; None: at A, or else at the mean of ``codes``.
    title, caption: over the roll, and over all. instruments: as in ``synthesize``.

    Pieces may differ in length, metre and range; those of an atlas need the same voices. What ``decode`` raises while
    the hand moves is shown beside the pad, and the hand goes on.
    A to B is a linear interpolation: on the map it is the straight line that one sees. The sound loops until it is
    paused. ``code`` and ``piece`` are the present ones; ``code`` may be set. A saved page shows no widgets: put
    ``atlas`` beside it. Raises MusicError when the arguments do not fit together. Notebook: 04.
    """

    _esm = SCRIPT + _RENDER
    _css = STYLE
    _facts = traitlets.Dict().tag(sync=True)
    _code = traitlets.List().tag(sync=True)

    def __init__(
        self,
        decode: Decoder,
        codes: np.ndarray,
        labels: Sequence[str],
        ends: Sequence[tuple[str, np.ndarray]] = (),
        plane: tuple[int, int] | np.ndarray | None = None,
        ranges: np.ndarray | None = None,
        code: np.ndarray | None = None,
        title: str = "Decoded",
        caption: str = "",
        instruments: str | int | Sequence[str | int] | None = None,
    ) -> None:
        self._codes = _checked(codes, labels)
        self._labels, self._decode, self._title, self._caption = list(labels), decode, title, caption
        dimensions = self._codes.shape[1]
        self._plane = _plane(self._codes, plane)
        self._ends = [(str(name), _one(value, dimensions, f"the code of {name!r}")) for name, value in ends]
        self._cache = NoteCache(instruments)
        self._busy = Lock()
        self._known: tuple[bytes, Piece] | None = None
        if code is None:
            code = self._ends[0][1] if self._ends else self._codes.mean(axis=0)
        self._now = _one(code, dimensions, "code")
        first = self._piece(self._now)
        programs(first, instruments)  # raises now where an instrument is unknown
        some = self._codes[np.linspace(0, len(self._codes) - 1, _SAMPLES).astype(int)]
        pieces = [first, *(self._piece(each) for each in (*(value for _, value in self._ends[:2]), *some))]
        self._pitches = roll.pitch_span(pieces)
        super().__init__(_facts=self._all_facts(_ranges(self._codes, ranges)), _code=self._now.tolist())
        self.on_msg(self._receive)
        Thread(target=self._cache.learn, args=(pieces,), daemon=True).start()

    @property
    def code(self) -> np.ndarray:
        """The present code, float64 (d,); setting it moves the marker and the music."""
        return self._now.copy()

    @code.setter
    def code(self, code: np.ndarray) -> None:
        self._now = _one(code, self._codes.shape[1], "code")
        self._code = self._now.tolist()
        self.send({"kind": "goto", "code": self._code})

    @property
    def piece(self) -> Piece:
        """The piece of the present code."""
        with self._busy:
            return self._piece(self._now)

    def __repr__(self) -> str:
        many, dimensions = self._codes.shape
        return f"Explorer of {many} pieces in {dimensions} dimensions. {roll.roll_alt(self.piece)}"

    def atlas(self, n: int = 9) -> Panel:
        """The plane as n × n pieces that are decoded now: it answers in a saved page, where no kernel runs.

        The sound is made in the browser, of partials that are as strong as those of the instruments.
        Raises MusicError when n is not 2..25.
        """
        if not 2 <= n <= 25:
            raise MusicError(f"an atlas of {n} × {n} pieces; choose n from 2..25.")
        facts = {**self._facts, "ends": [], "caption": self._caption, **self._map(_MOST_DOTS)}
        steps = np.linspace(-1, 1, n) * facts["half"] / _MARGIN
        places = np.array(facts["centre"]) + np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        codes = self._plane.code(places)
        with self._busy:
            pieces = [self._piece(code) for code in codes]
        if len({piece.voices for piece in pieces}) > 1:
            raise WrongVoices("the pieces of an atlas have different voices. Let decode give all of them the same.")
        drawn = [_packed(piece) for piece in pieces]
        pitches = roll.pitch_span(pieces)
        forms = [_form(piece, pitches) for piece in pieces]
        facts["atlas"] = {
            "n": n,
            "sizes": [len(bars) for bars in drawn],
            "bars": _text(np.concatenate(drawn)),
            "reach": facts["half"] / _MARGIN,
            "answers": [
                self._words(code, piece) | {"form": form}
                for code, piece, form in zip(codes, pieces, forms, strict=True)
            ],
            "frames": {form: self._frame(piece, pitches) for form, piece in zip(forms, pieces, strict=True)},
            "sound": self._partials(pieces),
        }
        data = json.dumps(facts, separators=(",", ":")).replace("</", "<\\/")
        name = f"atlas-{zlib.crc32(data.encode()):08x}-{next(_number)}"
        text = f"Atlas of {n} × {n} pieces over {self._plane.names[0]} and {self._plane.names[1]}."
        script = (
            f'document.querySelectorAll("#{name}:not([data-alive])").forEach((root) => {{ const facts = {data}; '
            'root.dataset.alive = ""; mountExplorer(root.querySelector("div"), facts, null, arrays(facts)); });'
        )
        html = (
            f'<div id="{name}"><style>{STYLE}</style><div><p>{escape(text)} It needs JavaScript: trust this notebook, '
            f"or open it as HTML.</p></div><script>(() => {{\n{ATLAS}\n{script}\n}})();</script></div>"
        )
        return Panel(html, text)

    def _all_facts(self, ranges: np.ndarray) -> dict[str, Any]:
        """What the front end has to know once."""
        return {
            "plane": {name: getattr(self._plane, name).tolist() for name in ("origin", "x", "y")},
            "axes": list(self._plane.names),
            "ranges": ranges.tolist(),
            "ends": [[name, value.round(5).tolist()] for name, value in self._ends],  # short: a saved page holds them
            "caption": self._caption,
            "file": file_name(self._title),
            **self._map(len(self._codes)),
        }

    def _map(self, most: int) -> dict[str, Any]:
        """Where the training pieces lie on the pad, at most so many, and their names, each once."""
        places = self._plane.place(self._codes)
        low, high = places.min(axis=0), places.max(axis=0)
        centre, half = (low + high) / 2, float(max((high - low).max() / 2, 1e-6)) * _MARGIN
        shown = np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).astype(int))
        names = list(dict.fromkeys(self._labels[index] for index in shown))
        index_of = {name: i for i, name in enumerate(names)}
        return {
            "centre": centre.tolist(),
            "half": half,
            "dots": _text(np.round((places[shown] - centre) / half * 32_000).astype("<i2")),
            "names": names,
            "who": _text(np.array([index_of[self._labels[index]] for index in shown], "<u2")),
        }

    def _piece(self, code: np.ndarray) -> Piece:
        """What the decoder makes of a code; the last one is kept."""
        code = np.asarray(code, np.float32)
        key = code.tobytes()
        if self._known is None or self._known[0] != key:
            piece = self._decode(code)
            if not isinstance(piece, Piece):
                raise MusicError(f"decode gave a {type(piece).__name__}; it has to give a Piece for a code of (d,).")
            if len(piece) > _LONGEST:
                raise MusicError(f"decode gave {len(piece)} time steps; up to {_LONGEST} are shown. Give a window.")
            self._known = key, piece
        return self._known[1]

    def _words(self, code: np.ndarray, piece: Piece) -> dict[str, Any]:
        """The alt text of a piece, and the training piece whose code is nearest to it in all dimensions."""
        near = int(np.square(self._codes - code).sum(axis=1).argmin())
        spot = self._plane.place(self._codes[near]).round(4).tolist()
        return {"alt": roll.roll_alt(piece), "near": near, "label": self._labels[near], "spot": spot}

    def _frame(self, piece: Piece, pitches: tuple[int, int]) -> dict[str, Any]:
        """All of the figure but the notes, which the script draws."""
        silent = replace(piece, pitch=np.full_like(piece.pitch, REST), onset=np.zeros_like(piece.onset))
        low, high = pitches
        return {
            "html": take(silent, self._title, (len(piece) + roll.lead(piece)) * piece.step_seconds, pitches),
            "box": [-roll.lead(piece), low - 0.5, len(piece) + roll.lead(piece), high - low + 1],
            "colours": [roll.voice_colour(piece, voice) for voice in range(len(piece.voices))],
            "voices": list(piece.voices),
            "step": piece.step_seconds,
            "seconds": piece.seconds,
        }

    def _partials(self, pieces: Sequence[Piece]) -> dict[str, Any]:
        """What the browser needs to sound like the instruments: partials of each voice's pitches, and their swell."""
        voices = []
        numbers = programs(pieces[0], self._cache.instruments)
        for voice, program in enumerate(numbers):
            pitches = sorted({int(p) for piece in pieces for p in piece.pitch[:, voice]} - {REST})
            sampled = pitches[::3]  # the pitches between sound like the one below
            loud = np.array([self._cache.harmonics(program, pitch) for pitch in sampled] or [[0.0]])
            decibels = np.maximum(20 * np.log10(loud + 1e-9), _FLOOR)
            middle = pitches[len(pitches) // 2] if pitches else 60
            voices.append(
                {
                    "pitches": sampled,
                    "partials": _text(np.round((decibels - _FLOOR) * 2.5).astype(np.uint8)),
                    "swell": self._cache.swell(program, middle).round(3).tolist(),
                }
            )
        return {"attack": ATTACK, "rate": SAMPLE_RATE, "voices": voices}

    def _receive(self, _: object, message: dict[str, Any], __: list[memoryview]) -> None:
        """Answers the front end: the roll at once, the sound after it, files when they are asked for."""
        mark = {"id": message.get("id")}
        try:
            with self._busy:
                if message["kind"] == "move":
                    self._move(message, mark)
                elif message["kind"] == "save":
                    self._save(message, mark)
                elif message["kind"] == "score":
                    self.send({"kind": "score", "html": score(self._piece(np.array(message["code"]))), **mark})
        except Exception as error:  # whatever the decoder raises is shown where it is seen
            text = str(error) if isinstance(error, MusicError) else f"{type(error).__name__}: {error}"
            self.send({"kind": "error", "text": text, **mark})

    def _move(self, message: dict[str, Any], mark: dict[str, Any]) -> None:
        visit = message.get("visit")
        code = np.array(message["code"], float) if visit is None else self._codes[visit]
        piece = self._piece(code)
        answer = self._words(code, piece)
        low, high = roll.pitch_span([piece])
        self._pitches = min(low, self._pitches[0]), max(high, self._pitches[1])
        answer["form"] = _form(piece, self._pitches)
        if answer["form"] != message.get("form"):
            answer["frame"] = self._frame(piece, self._pitches)
        self.send({"kind": "roll", **mark, **answer, "code": code.tolist()}, [_packed(piece).tobytes()])
        if message.get("sound"):
            self.send({"kind": "sound", **mark}, [flac(*self._cache.loop(piece))])
        self._now = code
        if message.get("final"):  # a page that is loaded anew begins here; each step of a drag would cost time
            self._code = code.tolist()

    def _save(self, message: dict[str, Any], mark: dict[str, Any]) -> None:
        piece = self._piece(np.array(message["code"]))
        content, ending, kind = {
            "MIDI": (midi_bytes, "mid", "audio/midi"),
            "MusicXML": (compressed_musicxml, "mxl", "application/vnd.recordare.musicxml"),
        }[message["format"]]
        self.send({"kind": "file", "ending": ending, "type": kind, **mark}, [content(piece)])


def _checked(codes: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    codes = np.asarray(codes, float)
    if codes.ndim != 2 or not len(codes) or codes.shape[1] < 2:
        raise MusicError(f"codes have the shape {codes.shape}; they must be (pieces, d) with d of at least 2.")
    if not np.isfinite(codes).all():
        raise MusicError(f"the code of piece {np.argwhere(~np.isfinite(codes))[0][0]} is not finite. Mend the encoder.")
    if len(labels) != len(codes):
        raise MusicError(f"{len(labels)} labels for {len(codes)} codes. Give one label a code.")
    return codes


def _one(code: np.ndarray, dimensions: int, name: str) -> np.ndarray:
    code = np.array(code, float)
    if code.shape != (dimensions,) or not np.isfinite(code).all():
        raise MusicError(f"{name} has the shape {code.shape}; it must be {dimensions} finite numbers, as in codes.")
    return code


def _ranges(codes: np.ndarray, ranges: np.ndarray | None) -> np.ndarray:
    if ranges is None:
        spread = codes.std(axis=0)
        reach = 3 * np.maximum(spread, max(spread.max() / 10, 1e-3))  # a dimension that does nothing has a slider too
        return np.stack([codes.mean(axis=0) - reach, codes.mean(axis=0) + reach], axis=1)
    ranges = np.asarray(ranges, float)
    if ranges.shape != (codes.shape[1], 2) or not (ranges[:, 0] < ranges[:, 1]).all():
        raise MusicError(f"ranges have the shape {ranges.shape}; they must be ({codes.shape[1]}, 2), low below high.")
    return ranges


def _plane(codes: np.ndarray, chosen: tuple[int, int] | np.ndarray | None) -> Plane:
    dimensions = codes.shape[1]
    if chosen is None:
        spread, directions = np.linalg.eigh(np.cov(codes.T, ddof=0))
        share = np.maximum(spread, 0) / max(spread.sum(), 1e-12)
        x, y = (direction * np.sign(direction[np.abs(direction).argmax()]) for direction in directions.T[:-3:-1])
        names = tuple(f"component {i} ({100 * part:.0f} % of variance)" for i, part in ((1, share[-1]), (2, share[-2])))
        return Plane(codes.mean(axis=0), x, y, names)
    points = np.asarray(chosen, float)
    if points.shape == (2,):
        i, j = (int(number) for number in chosen)
        if i == j or not (0 <= i < dimensions and 0 <= j < dimensions):
            raise MusicError(f"plane {(i, j)}: name two different dimensions of 0..{dimensions - 1}.")
        return Plane(np.zeros(dimensions), *np.eye(dimensions)[[i, j]], (f"z{i}", f"z{j}"))
    if points.shape != (3, dimensions):
        raise MusicError(f"plane has the shape {points.shape}; give two dimensions (i, j) or three codes (3, d).")
    x = points[1] - points[0]
    y = points[2] - points[0]
    y = y - x * (x @ y) / max(x @ x, 1e-24)
    if min(np.linalg.norm(x), np.linalg.norm(y)) < 1e-9 * max(1, np.abs(points).max()):
        raise MusicError("the three codes of plane lie on one line. Choose another third one.")
    names = "first to second code", "towards the third code"
    return Plane(points[0], x / np.linalg.norm(x), y / np.linalg.norm(y), names)


def _form(piece: Piece, pitches: tuple[int, int]) -> str:
    """What two pieces have in common that can be drawn into one frame, as a short text."""
    grid = (len(piece), piece.steps_per_quarter, piece.time_signature, piece.pickup, piece.tempo, piece.voices)
    return f"{zlib.crc32(repr((grid, pitches)).encode()):08x}"


def _packed(piece: Piece) -> np.ndarray:
    """The boxes of the roll as int16 (notes, 5): voice, then left, right, bottom, top in twentieths."""
    bars = np.array(roll.note_boxes(piece), float).reshape(-1, 5)
    bars[:, 1:] *= _FINE
    return np.round(bars).astype("<i2")


def _text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()
