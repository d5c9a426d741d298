"""N-gram language models with modified Kneser-Ney smoothing: what a recurrent network has to beat.

Source: Chen & Goodman, "An empirical study of smoothing techniques for language modeling" (1998), TR-10-98, Harvard;
Kneser & Ney, ICASSP (1995). Notebook: 05.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_lib.music.errors import MusicError
from course_lib.symbols import END, PAD, START


class KneserNey:
    """Interpolated modified Kneser-Ney model of sequences of numbers.

    sequences: each begins with START and holds numbers 2..symbols − 1 after it; neither START nor PAD is predicted.
    symbols: how many numbers there are.
    order: n, the length of the longest n-gram counted; 1 is a unigram model.

    With c the count of context h and symbol w, and h′ the context without its first symbol:

        p_n(w | h) = max(c(h w) − D(c(h w)), 0) / c(h) + γ(h) · p_{n−1}(w | h′),    p_0(w) = 1 / (symbols − 2)

    c is how often h w occurs for the longest n-grams and for those that begin with START, and for all shorter
    ones in how many different symbols precede h w. D takes three values, for counts 1, 2 and more, estimated from the
    numbers of n-grams with counts 1 to 4 (½, 1 and 1½ where these are too few); γ(h) is what the discounts left over.
    A context that was never seen is answered by the shorter one.

    An n-gram of length k is a row of level k: its number is (row of its first k − 1 symbols at level k − 1) · symbols
    + last symbol, and the numbers of a level are sorted. Raises MusicError for an order below 1 and for a sequence
    that does not fit. Notebook: 05.
    """

    def __init__(self, sequences: Sequence[np.ndarray], symbols: int, order: int) -> None:
        if order < 1:
            raise MusicError(f"order is {order}; an n-gram has at least 1 symbol. Use 1..12.")
        for i, sequence in enumerate(sequences):
            s = np.asarray(sequence)
            if len(s) < 2 or s[0] != START or s[1:].min() < 2 or s.max() >= symbols:
                raise MusicError(f"sequence {i} begins {s[:4].tolist()}; give START, then 2..{symbols - 1}.")
        self.symbols, self.order = symbols, order
        text = np.concatenate([np.asarray(s, np.int64) for s in sequences])
        place = np.concatenate([np.arange(len(s)) for s in sequences])
        left = np.concatenate([len(s) - np.arange(len(s)) for s in sequences])
        self.levels: list[np.ndarray] = []  # at [k]: the numbers of the n-grams of length k + 1, sorted
        self.counts: list[np.ndarray] = []  # (rows,): max(c − D(c), 0)
        self.totals: list[np.ndarray] = []  # (rows of the context,): c(h)
        self.gammas: list[np.ndarray] = []  # (rows of the context,): γ(h)
        rows: list[np.ndarray] = []  # at [k]: for each place the row of the n-gram of length k + 1 that begins there
        counted: list[np.ndarray] = []
        for k in range(order):
            fits = left > k
            before = rows[-1] if k else np.zeros(len(text), np.int64)
            code = np.where(fits, before * symbols + text[np.minimum(np.arange(len(text)) + k, len(text) - 1)], -1)
            level, row, count = np.unique(code[fits], return_inverse=True, return_counts=True)
            rows.append(np.full(len(text), -1, np.int64))
            rows[-1][fits] = row
            self.levels.append(level)
            counted.append(count)
        for k in range(order - 1):
            # Continuation counts: n-grams one longer, counted by the row of what follows their first symbol.
            first = np.zeros(len(self.levels[k + 1]), np.int64)
            fits = left > k + 1
            first[rows[k + 1][fits]] = rows[k][np.flatnonzero(fits) + 1]
            continued = np.bincount(first, minlength=len(self.levels[k]))
            begins = np.zeros(len(self.levels[k]), bool)
            begins[rows[k][(place == 0) & (left > k)]] = True
            counted[k] = np.where(begins, counted[k], continued)
        for k, count in enumerate(counted):
            self._discount(k, self.levels[k], count)

    def _discount(self, k: int, level: np.ndarray, count: np.ndarray) -> None:
        context = level // self.symbols
        contexts = len(self.levels[k - 1]) if k else 1
        predicted = level % self.symbols != START
        n1, n2, n3, n4 = (max(1, int((count[predicted] == c).sum())) for c in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        discounts = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
        if not ((discounts[1:] > 0) & (discounts[1:] < (1, 2, 3))).all():
            discounts = np.array([0, 0.5, 1, 1.5])  # too few n-grams to estimate them
        taken = np.where(predicted, discounts[np.minimum(count, 3)], 0)
        total = np.bincount(context, np.where(predicted, count, 0), contexts)
        self.counts.append(np.where(predicted, count - taken, 0.0))
        self.totals.append(total)
        self.gammas.append(np.bincount(context, taken, contexts) / np.maximum(total, 1))

    def _find(self, k: int, context: np.ndarray, symbol: np.ndarray) -> np.ndarray:
        """Row at level k of context · symbols + symbol, −1 where there is none; contexts of −1 stay −1."""
        wanted = context * self.symbols + symbol
        row = np.minimum(np.searchsorted(self.levels[k], wanted), len(self.levels[k]) - 1)
        return np.where((context >= 0) & (self.levels[k][row] == wanted), row, -1)

    def _probabilities(self, contexts: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """p(symbol | context): contexts (n, order − 1), −1 where there is nothing; symbols (n,) or (n, several)."""
        shape = symbols.shape
        p = np.full(shape, 1 / (self.symbols - 2))
        for k in range(self.order):
            row = np.zeros(len(contexts), np.int64)
            for depth in range(k):
                symbol = contexts[:, contexts.shape[1] - k + depth]
                row = np.where(symbol < 0, -1, self._find(depth, row, symbol))
            known = row >= 0
            known[known] = self.totals[k][row[known]] > 0
            at = np.maximum(row, 0)
            total, gamma = (np.where(known, a, b) for a, b in ((self.totals[k][at], 1), (self.gammas[k][at], 1)))
            wide = (slice(None),) + (None,) * (len(shape) - 1)
            found = self._find(k, np.broadcast_to(np.where(known, row, -1)[wide], shape), symbols)
            p = np.where(found >= 0, self.counts[k][found], 0) / total[wide] + gamma[wide] * p
        return p

    def next(self, context: Sequence[int]) -> np.ndarray:
        """float (symbols,): the distribution of what follows ``context`` (from START on); it sums to one."""
        recent = list(context)[-(self.order - 1) :] if self.order > 1 else []
        padded = np.array([[-1] * (self.order - 1 - len(recent)) + recent], np.int64).reshape(1, self.order - 1)
        p = self._probabilities(padded, np.arange(self.symbols)[None])[0]
        p[[PAD, START]] = 0
        return p

    def nats(self, sequence: np.ndarray) -> np.ndarray:
        """float (len(sequence) − 1,): −log p of every symbol after START, given all before it."""
        s = np.asarray(sequence, np.int64)
        padded = np.concatenate([np.full(self.order - 1, -1), s])
        before = [padded[t + 1 : t + self.order] for t in range(len(s) - 1)]
        contexts = np.array(before, np.int64).reshape(len(s) - 1, self.order - 1)
        return -np.log(self._probabilities(contexts, s[1:]))

    def sample(self, seed: int, longest: int = 512, end: int = END) -> np.ndarray:
        """int (steps,): a sequence from START on, until ``end`` or ``longest`` numbers."""
        rng = np.random.default_rng(seed)
        made = [START]
        while made[-1] != end and len(made) < longest:
            made.append(int(rng.choice(self.symbols, p=self.next(made))))
        return np.array(made, np.int32)


def perplexity(nats: Sequence[np.ndarray]) -> float:
    """exp of the mean of all −log p: so many equally likely tokens would be as hard to guess. Notebook: 05."""
    return float(np.exp(np.concatenate(nats).mean()))
