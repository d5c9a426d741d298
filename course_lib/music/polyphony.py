"""Polyphonic frames: which of the piano's 88 keys sound in each time step, and what a table knows about them.

The convention of Boulanger-Lewandowski, Bengio & Vincent, arXiv:1206.6392 (ICML 2012): log-likelihood in nats a frame,
the mean over all frames of all sequences pooled, the first frame of each sequence included, and nothing that only
fills a batch up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_lib.music.piece import REST, MusicError, Piece, pitch_class

KEYS, LOWEST = 88, 21
"""Keys of a piano, and the MIDI number of the lowest: column 0 of a frame."""
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


def read_mat(path: str | Path) -> PolyphonySet:
    """The four public sets' ``.mat`` layout: cells ``traindata``, ``validdata``, ``testdata`` of (steps, 88) arrays.

    Column 0 is MIDI 21. A file may lack ``testdata``; empty sequences are dropped.
    Raises MusicError when the file is missing or is laid out otherwise.
    """
    from scipy.io import loadmat

    path = Path(path)
    try:
        arrays = loadmat(path)
    except Exception as error:  # scipy raises half a dozen kinds for a file that is no .mat
        raise MusicError(f"{path} cannot be read as a .mat file of MATLAB 4 to 7.2 ({error}).") from error
    parts: dict[str, list[np.ndarray] | None] = {}
    for name, key in PARTS.items():
        if key not in arrays and name != "test":
            there = ", ".join(k for k in arrays if not k.startswith("__")) or "nothing"
            raise MusicError(f"{path.name} has no {key}; it holds {there}. Needed: {', '.join(PARTS.values())}.")
        parts[name] = _sequences(arrays[key], f"{path.name}, {key}") if key in arrays else None
    return PolyphonySet(**parts)


def _sequences(cells: np.ndarray, where: str) -> list[np.ndarray]:
    # Sequences of one length may have been saved as one array of numbers (sequences, steps, 88).
    cells = [np.asarray(cell) for cell in (cells.ravel() if cells.dtype == object else cells)]
    for i, cell in enumerate(cells):
        if cell.size and (cell.ndim != 2 or cell.shape[1] != KEYS or not np.isin(cell, (0, 1)).all()):
            raise MusicError(
                f"{where}: sequence {i} is {cell.dtype} {cell.shape}; it must be 0 and 1, (steps, {KEYS})."
            )
    found = [cell.astype(bool) for cell in cells if cell.size]
    if not found:
        raise MusicError(f"{where} holds no frames.")
    return found


def frames(piece: Piece, steps: int | None = None, start: int | None = None, transpose: int = 0) -> np.ndarray:
    """bool (frames, 88): what sounds at every ``steps``-th time step of a piece, from ``start`` on.

    steps: default, a quarter note. start: default, where the first quarter after a shorter pickup begins.
    transpose: semitones. Raises MusicError when a note is not on the piano.
    """
    steps = steps or piece.steps_per_quarter
    pitch = piece.pitch[piece.pickup % steps if start is None else start :: steps].astype(int)
    step, voice = np.nonzero(pitch != REST)
    column = pitch[step, voice] + transpose - LOWEST
    if column.size and not 0 <= column.min() <= column.max() < KEYS:
        raise MusicError(f"a note of {piece.title!r} is not among MIDI {LOWEST}..{LOWEST + KEYS - 1}. Transpose less.")
    roll = np.zeros((len(pitch), KEYS), bool)
    roll[step, column] = True
    return roll


def frames_piece(roll: np.ndarray, title: str = "", tempo: float = 80.0, tied: bool = False) -> Piece:
    """Frames (n, 88) as four voices, to be heard: a quarter note each, one step a frame.

    A frame does not say who sings. The highest notes go to the first voices, the lowest one to the last: a frame of
    three has no tenor, one of two sounds in soprano and bass, a single note in the soprano. Of more than four, the
    three highest and the lowest stay. tied: a voice that keeps its pitch goes on; otherwise each note is struck, for a
    frame does not say that either. Raises MusicError where the shape is another, or nothing sounds. Notebook: 12.
    """
    roll = np.asarray(roll)
    if roll.ndim != 2 or roll.shape[1] != KEYS or not roll.any():
        raise MusicError(
            f"frames are {roll.shape} with {int(roll.sum())} notes; give (n, {KEYS}) and one note at least."
        )
    pitch = np.full((len(roll), 4), REST, np.int16)
    for voices, frame in zip(pitch, roll, strict=True):
        notes = np.flatnonzero(frame)[::-1] + LOWEST
        voices[: len(notes)] = notes[:4]
        if len(notes) > 1:
            voices[len(notes) - 1 : 3] = REST
            voices[3] = notes[-1]
    onset = pitch != REST
    if tied:
        onset[1:] &= pitch[1:] != pitch[:-1]
    return Piece(pitch, onset, steps_per_quarter=1, title=title, tempo=tempo)


def chorale_frames() -> PolyphonySet:
    """The course's chorales in the form of the public sets: quarter notes, transposed to C major or C minor.

    Each goes up by at most 5 semitones or down by at most 6. The sides are those of ``chorales()``, so its figures are
    near those of the public chorales but not comparable with them. Notebook: 12.
    """
    from course_lib.music.datasets import chorales

    def in_c(piece: Piece) -> np.ndarray:
        return frames(piece, transpose=(6 - pitch_class(piece.key)) % 12 - 6)

    return PolyphonySet(*([in_c(piece) for piece in side] for side in chorales()))


def mean_nats(nats: Iterable[np.ndarray]) -> float:
    """Log-likelihood a frame, from −log p of the frames of each sequence: all pooled, a long sequence counts more."""
    return -float(np.concatenate([np.asarray(part, np.float64) for part in nats]).mean())


class NoteUnigram:
    """Each key sounds by itself, whatever the others do and did: one probability a key, or one for all (``iid``).

    Probabilities are (sounding + ½) / (frames + 1), so that a key that was never heard is unlikely, not impossible.
    """

    def __init__(self, train: Sequence[np.ndarray], iid: bool = False) -> None:
        pooled = np.concatenate(train)
        p = (pooled.sum(0) + 0.5) / (len(pooled) + 1)
        self.p = np.full(KEYS, pooled.mean()) if iid else p
        self.parameters = 1 if iid else KEYS

    def nats(self, sequence: np.ndarray) -> np.ndarray:
        """float (steps,): −log p of each frame."""
        return -np.where(sequence, np.log(self.p), np.log1p(-self.p)).sum(1)


class ChordHistogram:
    """How often each chord was heard, plus p for each of the 2⁸⁸ chords that could be: p(v) = (c(v) + p) / (N + 2⁸⁸p).

    p is chosen on ``valid``, as a power of ten.
    """

    def __init__(self, train: Sequence[np.ndarray], valid: Sequence[np.ndarray]) -> None:
        self.counts = Counter(row.tobytes() for row in np.packbits(np.concatenate(train), axis=1))
        self.frames = sum(self.counts.values())
        heard = self._heard(np.concatenate(valid))
        grid = 10.0 ** np.arange(-30, -9, 0.25)
        self.p = float(min(grid, key=lambda p: self._nats(heard, p).mean()))
        self.parameters = len(self.counts)

    def _heard(self, sequence: np.ndarray) -> np.ndarray:
        return np.array([self.counts[row.tobytes()] for row in np.packbits(sequence, axis=1)], float)

    def _nats(self, heard: np.ndarray, p: float) -> np.ndarray:
        return np.log(self.frames + p * 2.0**KEYS) - np.log(heard + p)

    def nats(self, sequence: np.ndarray) -> np.ndarray:
        """float (steps,): −log p of each frame."""
        return self._nats(self._heard(sequence), self.p)


class NoteNgram:
    """Each key by itself, given whether it sounded in the last n − 1 frames; before the first frame, silence.

    p(on | history) = (c(history, on) + a · p₁) / (c(history) + a), where p₁ is the key's own frequency. n within
    1..longest and a, a power of two, are chosen on ``valid``.
    """

    def __init__(self, train: Sequence[np.ndarray], valid: Sequence[np.ndarray], longest: int = 8) -> None:
        base = NoteUnigram(train).p
        best = np.inf
        for n in range(1, longest + 1):
            (every, sounding), (asked, heard) = self._counts(train, n), self._counts(valid, n)
            for a in 2.0 ** np.arange(-3, 8):
                p = (sounding + a * base[:, None]) / (every + a)
                score = -(heard * np.log(p) + (asked - heard) * np.log1p(-p)).sum()
                if score < best:
                    best, self.n, self.a, self.p = score, n, float(a), p
        self.parameters = self.p.size

    @classmethod
    def _counts(cls, sequences: Sequence[np.ndarray], n: int) -> np.ndarray:
        """int (2, 88, 2ⁿ⁻¹): how often each key had each history, and how often it sounded then."""
        cells = KEYS << (n - 1)
        counts = np.zeros((2, cells), np.int64)
        for sequence in sequences:  # one by one: a set may have twenty million keys to count
            place = cls._history(sequence, n) + (np.arange(KEYS) << (n - 1))
            counts += np.bincount(place.ravel(), minlength=cells), np.bincount(place[sequence], minlength=cells)
        return counts.reshape(2, KEYS, -1)

    @staticmethod
    def _history(sequence: np.ndarray, n: int) -> np.ndarray:
        """int (steps, 88): the last n − 1 frames of each key as bits of one number."""
        before = np.concatenate([np.zeros((n - 1, KEYS), np.int64), sequence.astype(np.int64)])
        code = np.zeros(sequence.shape, np.int64)
        for back in range(n - 1):
            code = 2 * code + before[back : back + len(sequence)]
        return code

    def nats(self, sequence: np.ndarray) -> np.ndarray:
        """float (steps,): −log p of each frame, given those before it."""
        p = self.p[np.arange(KEYS), self._history(sequence, self.n)]
        return -np.where(sequence, np.log(p), np.log1p(-p)).sum(1)

    def sample(self, steps: int, seed: int = 0) -> np.ndarray:
        """bool (steps, 88): frames drawn one after another, each key by itself. Notebook: 12."""
        rng = np.random.default_rng(seed)
        made = np.zeros((steps + 1, KEYS), bool)
        for step in range(steps):
            history = self._history(made[: step + 1], self.n)[-1]  # the last row asks for the frame behind it
            made[step] = rng.random(KEYS) < self.p[np.arange(KEYS), history]
        return made[:steps]
