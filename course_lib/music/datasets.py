"""The course's own data, split into train, validation and test by melody; and its windows and phrases."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from course_lib.music.encodings.abc_tokens import Vocabulary, metre_in, tokens_to_abc, tokens_to_piece, tune_bars
from course_lib.music.encodings.frames import piano_frames
from course_lib.music.encodings.phrases import GRID, LONGEST_PHRASE
from course_lib.music.encodings.voices import VoiceRoll
from course_lib.music.errors import MusicError, PitchOutOfRange
from course_lib.music.keys import pitch_class, shift_to_c
from course_lib.music.piece import REST, Piece

T = TypeVar("T")
DATASETS = Path(__file__).resolve().parents[2] / "datasets"


class Split(NamedTuple, Generic[T]):
    """One data set in three parts: for training, for choosing between models, for the one final measurement.

    A part is a sequence of pieces, tunes or arrays of frames; None where a data set of the user's lacks it.
    """

    train: Sequence[T]
    valid: Sequence[T]
    test: Sequence[T] | None

    def part(self, name: str) -> Sequence[T]:
        """The part "train", "valid" or "test". Raises MusicError when it is not there."""
        if name not in self._fields:
            raise MusicError(f"there is no part {name!r}; there are {', '.join(self._fields)}.")
        found = getattr(self, name)
        if found is None:
            raise MusicError(f"this data has no {name} part. Measure on another one, such as valid, or add it.")
        return found


@cache
def chorales() -> Split[Piece]:
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
    """A tune as tokens (course_lib.music.encodings.abc_tokens), on the root C.

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


@cache
def celtic_tunes() -> Split[Tune]:
    """4,082 dances and airs from three printed collections, as tokens on the root C.

    Variants of one tune, in any key, are on one side of the split. About the data: datasets/README.md.
    Raises MusicError when the data file is missing or broken. Notebook: 05.
    """
    data = _load("celtic.npz")
    titles = data["titles"].tobytes().decode().split("\n")
    words = data["vocabulary"].astype(object)[data["tokens"]]
    sides: dict[str, list[Tune]] = {"train": [], "valid": [], "test": []}
    parts = np.split(words, np.cumsum(data["length"], dtype=int)[:-1])
    labels = zip(data["collection"].tolist(), data["family"].tolist(), data["split"].tolist(), strict=True)
    for tokens, title, (collection, family, split) in zip(parts, titles, labels, strict=True):
        sides[split].append(Tune(tuple(tokens.tolist()), title, COLLECTIONS[collection], family))
    return Split(*(tuple(sides[name]) for name in Split._fields))


@cache
def celtic_vocabulary() -> Vocabulary:
    """The tokens of all ``celtic_tunes``, in the order of their numbers. Raises as there. Notebook: 05."""
    return Vocabulary(tuple(_load("celtic.npz")["vocabulary"].tolist()))


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


def chorale_frames() -> Split[np.ndarray]:
    """The course's chorales in the form of the public sets: quarter notes, transposed to C major or C minor.

    Each chorale is bool (quarters, 88), as of ``piano_frames``, and goes up by at most 5 semitones or down by at most
    6. The sides are those of ``chorales()``, so its figures are near those of the public chorales but not comparable
    with them. Notebook: 12.
    """

    def in_c(piece: Piece) -> np.ndarray:
        return piano_frames(piece, transpose=(6 - pitch_class(piece.key)) % 12 - 6)

    return Split(*([in_c(piece) for piece in side] for side in chorales()))


def chorale_phrases(
    pieces: Iterable[Piece], voices: Sequence[int] = (0, 3), longest: int = LONGEST_PHRASE
) -> list[Piece]:
    """The phrases of the pieces on a grid of eighths, of these voices, up to ``longest`` eighths long.

    A phrase ends with the soprano's note under a fermata. Notes held from before it start anew. Cut after splitting,
    never before: phrases of one chorale belong on one side. Notebook: 10.
    """
    found = []
    for piece in (piece.regrid(GRID) for piece in pieces):
        silent = piece.pitch[:, 0] == REST
        begins = np.append(np.flatnonzero(piece.onset[:, 0] | silent), len(piece))
        ends = [int(begins[begins > step][0]) for step in np.flatnonzero(piece.fermata)]
        for start, end in zip([0, *ends], [*ends, len(piece)], strict=True):
            if 0 < end - start <= longest and (piece.pitch[start:end, list(voices)] != REST).any(axis=0).all():
                found.append(piece.window(start, end - start).select(*voices).with_onsets_at_start())
    return found


def tune_phrases(tune: Tune, lengths: Sequence[int] = (4, 2, 2), longest: int = 64) -> list[Tune]:
    """The tune cut into phrases: of each run of full bars the first 4, the next 2, the next 2, again 4, and so on.

    lengths: bars of the phrases, in turn. longest: tokens at most (metre, mode and the last bar line included);
        longer phrases are left out.

    A run ends at every bar line but a simple one, and at a bar that is not full, such as a pickup; what is left of a
    run and too short for the next length is left out too. Each phrase begins with metre and mode and ends with
    ``|]``; its title names its bars, its family is the tune's. Phrases of one tune belong on one side of a
    split: cut after splitting. Raises MusicError for a length below 1, NotATune for tokens that are none.
    Notebook: 11.
    """
    if not lengths or min(lengths) < 1:
        raise MusicError(f"lengths is {tuple(lengths)}; each must be 1 or more bars.")
    full = Fraction(*metre_in(tune.tokens))
    runs: list[list[tuple[int, tuple[str, ...]]]] = [[]]  # (number of the bar, its tokens)
    for number, bar in enumerate(tune_bars(tune.tokens), 1):
        if bar.length == full:
            runs[-1].append((number, bar.tokens))
        if bar.length != full or bar.line != "|":
            runs.append([])
    found = []
    for run in runs:
        start = 0
        for size in cycle(lengths):
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


def without_rests(piece: Piece) -> Piece:
    """The piece with each rest filled by the note before it, held on; at the beginning, by the note after it.

    Raises MusicError for a voice that is silent throughout. Notebook: 09.
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
    Notebook: 13.
    """
    in_c = (
        without_rests(piece.transpose(shift_to_c(piece)[0]).regrid(GRID))
        for piece in pieces
        if piece.time_signature == (4, 4)
    )
    found = []
    for window in windows(in_c, bars):
        with suppress(PitchOutOfRange):
            found.append(roll.encode(window.with_onsets_at_start()))
    return np.stack(found)
