"""The course's own data, split into train, validation and test by melody."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_lib.music.encodings.abc_tokens import (
    Vocabulary,
    bars,
    is_bar_line,
    metre_in,
    tokens_to_abc,
    tokens_to_piece,
)
from course_lib.music.encodings.frames import frames
from course_lib.music.encodings.phrases import LONGEST_PHRASE
from course_lib.music.encodings.voices import VoiceRoll
from course_lib.music.keys import shift_to_c
from course_lib.music.piece import (
    REST,
    MusicError,
    Piece,
    eighths,
    pitch_class,
)

DATASETS = Path(__file__).resolve().parents[2] / "datasets"


class Split(NamedTuple):
    """Pieces for training, for choosing between models, and for the one final measurement."""

    train: tuple[Piece, ...]
    valid: tuple[Piece, ...]
    test: tuple[Piece, ...]


@cache
def chorales() -> Split:
    """The 365 four-part chorales by J. S. Bach, soprano to bass, on a sixteenth grid.

    Chorales on one tune, in any key, are on one side of the split. About the data: datasets/README.md.
    Raises MusicError when the data file is missing or broken. Notebook: 00.
    """
    data = _load("chorales.npz")
    ends = np.cumsum(data["steps"], dtype=int)
    pitch = data["pitch"].astype(np.int16)
    onset = np.unpackbits(data["onset"], count=pitch.size).astype(bool).reshape(pitch.shape)
    fermata = np.unpackbits(data["fermata"], count=len(pitch)).astype(bool)
    sides: dict[str, list[Piece]] = {"train": [], "valid": [], "test": []}
    for i, (end, steps) in enumerate(zip(ends, data["steps"], strict=True)):
        part = slice(end - steps, end)
        piece = Piece(
            pitch[part],
            onset[part],
            title=str(data["title"][i]),
            key=str(data["key"][i]),
            time_signature=tuple(data["time_signature"][i].tolist()),
            pickup=int(data["pickup"][i]),
            fermata=fermata[part],
        )
        sides[data["split"][i]].append(piece)
    return Split(*(tuple(sides[name]) for name in Split._fields))


def _load(name: str) -> dict[str, np.ndarray]:
    """The arrays of a data file. Raises MusicError when it is missing or broken."""
    path = DATASETS / name
    try:
        with np.load(path) as file:
            return {array: file[array] for array in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise MusicError(f"{path} cannot be read ({error}). Rebuild it: python datasets/build.py") from error


COLLECTIONS = (
    "James Aird: A Selection of Scotch, English, Irish and Foreign Airs",
    "Francis O'Neill: Music of Ireland",
    "Ryan's Mammoth Collection",
)


class Tune(NamedTuple):
    """A tune as tokens (course_lib.music.abc_tokens), on the root C.

    tokens: metre, mode, then notes and bar lines. title, collection: as printed. family: the same number for variants
    of one tune.
    """

    tokens: tuple[str, ...]
    title: str
    collection: str
    family: int

    @property
    def abc(self) -> str:
        """The tune in ABC notation."""
        return tokens_to_abc(self.tokens, self.title)

    @property
    def piece(self) -> Piece:
        """The tune as it sounds, repeats as written."""
        return tokens_to_piece(self.tokens, self.title)


class Tunes(NamedTuple):
    """Tunes for training, for choosing between models, for the one final measurement; and the vocabulary of all."""

    train: tuple[Tune, ...]
    valid: tuple[Tune, ...]
    test: tuple[Tune, ...]
    vocabulary: Vocabulary


@cache
def celtic_tunes() -> Tunes:
    """4,082 dances and airs from three printed collections, as tokens on the root C.

    Variants of one tune, in any key, are on one side of the split. About the data: datasets/README.md.
    Raises MusicError when the data file is missing or broken. Notebook: 05.
    """
    data = _load("celtic.npz")
    vocabulary = Vocabulary(tuple(data["vocabulary"].tolist()))
    titles = data["titles"].tobytes().decode().split("\n")
    words = data["vocabulary"].astype(object)[data["tokens"]]
    sides: dict[str, list[Tune]] = {"train": [], "valid": [], "test": []}
    parts = np.split(words, np.cumsum(data["length"], dtype=int)[:-1])
    facts = zip(data["collection"].tolist(), data["family"].tolist(), data["split"].tolist(), strict=True)
    for tokens, title, (collection, family, split) in zip(parts, titles, facts, strict=True):
        sides[split].append(Tune(tuple(tokens.tolist()), title, COLLECTIONS[collection], family))
    return Tunes(*(tuple(sides[name]) for name in ("train", "valid", "test")), vocabulary)


def windows(
    pieces: Iterable[Piece], bars: int = 4, stride: int = 1, time_signature: tuple[int, int] = (4, 4)
) -> list[Piece]:
    """All runs of ``bars`` full bars, every ``stride`` bars, of the pieces in this time signature.

    A pickup and an incomplete last bar are left out. Windows of one piece belong on one side of a split:
    cut windows after splitting, never before.
    """
    return [
        piece.window(start, bars * piece.bar_steps)
        for piece in pieces
        if piece.time_signature == time_signature
        for start in piece.bar_lines[::stride].tolist()
        if start + bars * piece.bar_steps <= len(piece)
    ]


PARTS = {"train": "traindata", "valid": "validdata", "test": "testdata"}
"""The parts of a set, and their names in a ``.mat`` file."""


class PolyphonySet(NamedTuple):
    """Sequences of frames, bool (steps, 88) each: for training, for choosing, and for the one final measurement.

    test is None where the file holds none.
    """

    train: list[np.ndarray]
    valid: list[np.ndarray]
    test: list[np.ndarray] | None

    def part(self, name: str) -> list[np.ndarray]:
        """The part "train", "valid" or "test". Raises MusicError when it is not there."""
        if name not in PARTS:
            raise MusicError(f"there is no part {name!r}; there are {', '.join(PARTS)}.")
        found = getattr(self, name)
        if found is None:
            raise MusicError(
                f"this file has no test part ({PARTS[name]}). Measure on --split valid, or give a file with it."
            )
        return found


def chorale_frames() -> PolyphonySet:
    """The course's chorales in the form of the public sets: quarter notes, transposed to C major or C minor.

    Each goes up by at most 5 semitones or down by at most 6. The sides are those of ``chorales()``, so its figures are
    near those of the public chorales but not comparable with them. Notebook: 12.
    """
    from course_lib.music.datasets import chorales

    def in_c(piece: Piece) -> np.ndarray:
        return frames(piece, transpose=(6 - pitch_class(piece.key)) % 12 - 6)

    return PolyphonySet(*([in_c(piece) for piece in side] for side in chorales()))


def chorale_phrases(
    pieces: Iterable[Piece], voices: Sequence[int] = (0, 3), longest: int = LONGEST_PHRASE
) -> list[Piece]:
    """The phrases of the pieces on a grid of eighths, of these voices, up to ``longest`` eighths long.

    A phrase ends with the soprano's note under a fermata. Notes held from before it are struck. Cut after splitting,
    never before: phrases of one chorale belong on one side. Notebook: 10.
    """
    found = []
    for piece in map(eighths, pieces):
        silent = piece.pitch[:, 0] == REST
        begins = np.append(np.flatnonzero(piece.onset[:, 0] | silent), len(piece))
        ends = [int(begins[begins > step][0]) for step in np.flatnonzero(piece.fermata)]
        for start, end in zip([0, *ends], [*ends, len(piece)], strict=True):
            if 0 < end - start <= longest and (piece.pitch[start:end, list(voices)] != REST).any(axis=0).all():
                found.append(piece.window(start, end - start).select(*voices).struck())
    return found


def tune_phrases(tune: Tune, lengths: Sequence[int] = (4, 2, 2), longest: int = 64) -> list[Tune]:
    """The tune cut into phrases: of each run of full bars the first 4, the next 2, the next 2, again 4, and so on.

    lengths: bars of the phrases, in turn. longest: tokens at most (metre, mode and the last bar line included);
        longer phrases are left out.

    A run ends at every bar line but a simple one, and at a bar that is not full, such as a pickup; what is left of a
    run and too short for the next length is left out too. Each phrase begins with metre and mode and ends with
    ``|]``; its title says where it stands, its family is the tune's. Phrases of one tune belong on one side of a
    split: cut after splitting. Raises MusicError for a length below 1, NotATune for tokens that are none.
    Notebook: 11.
    """
    if not lengths or min(lengths) < 1:
        raise MusicError(f"lengths is {tuple(lengths)}; each must be 1 or more bars.")
    full = Fraction(*metre_in(tune.tokens))
    runs: list[list[tuple[int, list[str]]]] = [[]]  # (number of the bar, its tokens)
    for number, ((length, line), tokens) in enumerate(zip(bars(tune.tokens), _in_bars(tune.tokens), strict=True), 1):
        if length == full:
            runs[-1].append((number, tokens))
        if length != full or line != "|":
            runs.append([])
    found = []
    for run in runs:
        start = 0
        for i in count():
            size = lengths[i % len(lengths)]
            if start + size > len(run):
                break
            part = run[start : start + size]
            start += size
            body = [token for _, bar in part for token in (*bar, "|")][:-1]
            if body[-1] == "-":  # a tie to what follows the phrase
                body.pop()
            tokens = (*tune.tokens[:2], *body, "|]")
            if len(tokens) <= longest:
                place = f"bars {part[0][0]}–{part[-1][0]}" if size > 1 else f"bar {part[0][0]}"
                found.append(tune._replace(tokens=tokens, title=f"{tune.title}, {place}"))
    return found


def _in_bars(tokens: Sequence[str]) -> list[list[str]]:
    """What stands between the bar lines, bar by bar, as ``bars`` counts them."""
    found: list[list[str]] = [[]]
    for token in tokens[2:]:
        if not is_bar_line(token):
            found[-1].append(token)
        elif found[-1] or len(found) > 1:
            found.append([])
    return found[:-1]


def without_rests(piece: Piece) -> Piece:
    """The piece with each rest filled by the note before it, held on; at the beginning, by the note after it.

    Raises MusicError for a voice that is silent throughout.
    """
    sounds = piece.pitch != REST
    if not sounds.any(axis=0).all():
        raise MusicError(f"voice {int((~sounds.any(axis=0)).argmax())} of {piece.title!r} is silent throughout.")
    last = np.maximum.accumulate(np.where(sounds, np.arange(len(piece))[:, None], -1), axis=0)
    first = sounds.argmax(axis=0)
    pitch = np.take_along_axis(piece.pitch, np.where(last < 0, first, last), axis=0)
    return replace(piece, pitch=pitch)


def chorale_windows(pieces: Sequence[Piece], roll: VoiceRoll, bars: int = 8) -> np.ndarray:
    """bool (windows, time_steps, width): all windows of full bars of 4/4, a bar apart, in C major or A minor.

    A rest is filled with the note before it, or after it. Windows with a note outside the ranges are left out.
    """
    found = []
    for piece in pieces:
        if piece.time_signature != (4, 4):
            continue
        moved = without_rests(eighths(piece.transpose(shift_to_c(piece)[0])))
        for start in moved.bar_lines.tolist():
            if start + bars * moved.bar_steps > len(moved):
                break
            try:
                found.append(roll.encode(moved.window(start, bars * moved.bar_steps).struck()))
            except MusicError:
                continue
    return np.stack(found)
