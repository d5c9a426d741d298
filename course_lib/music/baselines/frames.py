"""Baselines for piano frames and for sets of pitch classes: independent notes, histograms, n-grams.

The convention of Boulanger-Lewandowski, Bengio & Vincent, arXiv:1206.6392 (ICML 2012): log-likelihood in nats a frame,
the mean over all frames of all sequences pooled, the first frame of each sequence included, and no padding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from course_lib.music.encodings.frames import ALL_SETS, KEYS
from course_lib.music.errors import MusicError


def mean_nats(nats: Iterable[np.ndarray]) -> float:
    """Log-likelihood a frame, from −log p of the frames of each sequence: all pooled, a long sequence counts more.

    Notebook: 12.
    """
    return -float(np.concatenate([np.asarray(part, np.float64) for part in nats]).mean())


class NoteUnigram:
    """Each note sounds by itself, whatever the others do and did: one probability a note, or one for all (``iid``).

    train: sequences of frames, bool (steps, width) each: piano keys, or sets of pitch classes. p: float (width,),
    (sounding + ½) / (frames + 1), so that a note that never sounded is unlikely, not impossible. Notebook: 06.
    """

    def __init__(self, train: Sequence[np.ndarray], iid: bool = False) -> None:
        pooled = np.concatenate(train)
        width = pooled.shape[1]
        p = (pooled.sum(0) + 0.5) / (len(pooled) + 1)
        self.p = np.full(width, pooled.mean()) if iid else p
        self.parameters = 1 if iid else width

    def nats(self, sequence: np.ndarray) -> np.ndarray:
        """float (steps,): −log p of each frame."""
        return -np.where(sequence, np.log(self.p), np.log1p(-self.p)).sum(1)


class ChordHistogram:
    """How often each chord occurred, smoothed with another distribution: p(v) = (c(v) + a · q(v)) / (n + a).

    train, valid: sequences of frames, bool (steps, width) each. base: the model of q, such as a NoteUnigram; None is
    the uniform distribution over the 2ʷⁱᵈᵗʰ chords that could be. a, the pseudo-count, is chosen on ``valid``.
    Notebook: 06.
    """

    def __init__(
        self, train: Sequence[np.ndarray], valid: Sequence[np.ndarray], base: NoteUnigram | None = None
    ) -> None:
        self.base = base
        self.counts = Counter(row.tobytes() for row in np.packbits(np.concatenate(train), axis=1))
        self.frames = sum(self.counts.values())
        self.parameters = len(self.counts)
        known = np.concatenate(valid)
        c, q = self._counts(known), self._base(known)
        grid = 2.0 ** np.arange(-4, 14) if base else 2.0 ** known.shape[1] * 10.0 ** np.arange(-30, -9, 0.25)
        self.a = float(min(grid, key=lambda a: self._nats(c, q, a).mean()))

    def _counts(self, sequence: np.ndarray) -> np.ndarray:
        return np.array([self.counts[row.tobytes()] for row in np.packbits(sequence, axis=1)], float)

    def _base(self, sequence: np.ndarray) -> np.ndarray:
        return np.exp(-self.base.nats(sequence)) if self.base else np.full(len(sequence), 0.5 ** sequence.shape[1])

    def _nats(self, c: np.ndarray, q: np.ndarray, a: float) -> np.ndarray:
        return np.log(self.frames + a) - np.log(c + a * q)

    def nats(self, sequence: np.ndarray) -> np.ndarray:
        """float (steps,): −log p of each frame."""
        return self._nats(self._counts(sequence), self._base(sequence), self.a)


class NoteNgram:
    """Each key by itself, given whether it sounded in the last n − 1 frames; before the first frame, silence.

    p(on | history) = (c(history, on) + a · p₁) / (c(history) + a), where p₁ is the key's own frequency. n within
    1..longest and a, a power of two, are chosen on ``valid``. Notebook: 12.
    """

    def __init__(self, train: Sequence[np.ndarray], valid: Sequence[np.ndarray], longest: int = 8) -> None:
        base = NoteUnigram(train).p
        best = np.inf
        for n in range(1, longest + 1):
            (every, sounding), (tested, sounded) = self._counts(train, n), self._counts(valid, n)
            for a in 2.0 ** np.arange(-3, 8):
                p = (sounding + a * base[:, None]) / (every + a)
                score = -(sounded * np.log(p) + (tested - sounded) * np.log1p(-p)).sum()
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
            history = self._history(made[: step + 1], self.n)[-1]  # the last row is that of the frame to come
            made[step] = rng.random(KEYS) < self.p[np.arange(KEYS), history]
        return made[:steps]


def conditional(log_p: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """float (4096,): p of each set given what is fixed, exactly: 0 for the sets that do not agree with it.

    log_p: float (4096,), of any model of sets. fixed: int (12,), 1 sounds, 0 is silent, -1 is free. Notebook: 06.
    """
    fixed = np.asarray(fixed)
    if fixed.shape != (12,) or not np.isin(fixed, (-1, 0, 1)).all():
        raise MusicError(f"fixed is {fixed.tolist()}; it must be twelve of 1 (sounds), 0 (silent) and -1 (free).")
    agrees = ((ALL_SETS == fixed) | (fixed < 0)).all(1)
    p = np.where(agrees, log_p, -np.inf)
    p = np.exp(p - p.max())
    return p / p.sum()
