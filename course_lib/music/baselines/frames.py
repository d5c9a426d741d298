"""Baselines for frames and chords: independent notes, histograms, n-grams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from course_lib.music.encodings.frames import KEYS, set_numbers
from course_lib.music.piece import MusicError


def mean_nats(nats: Iterable[np.ndarray]) -> float:
    """Log-likelihood a frame, from −log p of the frames of each sequence: all pooled, a long sequence counts more.

    Notebook: 12.
    """
    return -float(np.concatenate([np.asarray(part, np.float64) for part in nats]).mean())


class NoteUnigram:
    """Each key sounds by itself, whatever the others do and did: one probability a key, or one for all (``iid``).

    Probabilities are (sounding + ½) / (frames + 1), so that a key that was never heard is unlikely, not impossible.
    Notebook: 06.
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

    p is chosen on ``valid``, as a power of ten. Notebook: 06.
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
    1..longest and a, a power of two, are chosen on ``valid``. Notebook: 12.
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


class IndependentNotes:
    """Each pitch class sounds by itself, as often as in the training sets: (sounding + ½) / (n + 1). Notebook: 06."""

    def __init__(self, train: np.ndarray) -> None:
        self.p = (np.asarray(train, float).sum(0) + 0.5) / (len(train) + 1)
        every = np.arange(4096)[:, None] >> np.arange(12) & 1
        self.log_p = (every * np.log(self.p) + (1 - every) * np.log1p(-self.p)).sum(1)
        """float (4096,): log p of each set, by its number."""


class SetTable:
    """How often each set was heard, smoothed with independent notes: p(v) = (c(v) + a · q(v)) / (n + a).

    train, valid: sets (n, 12). a, what the smoothing weighs, is chosen on ``valid`` among powers of two.
    ``log_p``: float (4096,), by the set's number. Notebook: 06.
    """

    def __init__(self, train: np.ndarray, valid: np.ndarray) -> None:
        counts = np.bincount(set_numbers(train), minlength=4096)
        q = np.exp(IndependentNotes(train).log_p)
        chosen = set_numbers(valid)
        best = -np.inf
        for a in 2.0 ** np.arange(-4, 14):
            log_p = np.log(counts + a * q) - np.log(len(train) + a)
            if log_p[chosen].mean() > best:
                best, self.a, self.log_p = log_p[chosen].mean(), float(a), log_p


def conditional(log_p: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """float (4096,): p of each set given what is fixed, exactly: 0 for the sets that do not agree with it.

    log_p: float (4096,), of any model of sets. fixed: int (12,), 1 sounds, 0 is silent, -1 is free. Notebook: 06.
    """
    fixed = np.asarray(fixed)
    if fixed.shape != (12,) or not np.isin(fixed, (-1, 0, 1)).all():
        raise MusicError(f"fixed is {fixed.tolist()}; it must be twelve of 1 (sounds), 0 (silent) and -1 (free).")
    every = np.arange(4096)[:, None] >> np.arange(12) & 1
    agrees = ((every == fixed) | (fixed < 0)).all(1)
    shifted = np.where(agrees, log_p, -np.inf)
    shifted = np.exp(shifted - shifted.max())
    return shifted / shifted.sum()
