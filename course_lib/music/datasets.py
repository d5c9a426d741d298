"""The course's own data, split into train, validation and test by melody."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_lib.music.abc_tokens import Vocabulary, tokens_to_abc, tokens_to_piece
from course_lib.music.piece import MusicError, Piece

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
