"""A hidden Markov model whose states are seen in training: the classical way to find chords for a melody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class HiddenMarkov:
    """p(states, counts) = p(s₁) ∏ p(s_t | s_{t−1}) ∏ p(c_t | s_t), all from counts in training pieces.

    states: int (steps,) each; a negative one is not counted. counts: float (steps, symbols) each, what is seen, for
    instance how long each pitch class sounds: p(c | s) = ∏ p(symbol | s)^count. size: number of states.
    smoothing: added to every count. weight: exponent of p(c | s), which is too sure of itself, since the notes
    of one step are not independent; choose it on validation pieces.

    Raises ValueError when there is no pair to learn from. Source: Rabiner, Proc. IEEE 77 (1989). Notebook: 09.
    """

    def __init__(
        self,
        states: Sequence[np.ndarray],
        counts: Sequence[np.ndarray],
        size: int,
        smoothing: float = 0.5,
        weight: float = 1.0,
    ) -> None:
        if not states or len(states) != len(counts):
            raise ValueError(f"{len(states)} rows of states for {len(counts)} pieces. Give one for each, at least one.")
        first = np.full(size, smoothing)
        move = np.full((size, size), smoothing)
        seen = np.full((size, counts[0].shape[1]), smoothing)
        for row, count in zip(states, counts, strict=True):
            known = row >= 0
            first[row[known][:1]] += 1
            pairs = known[:-1] & known[1:]
            np.add.at(move, (row[:-1][pairs], row[1:][pairs]), 1)
            np.add.at(seen, row[known], count[known])
        self.first = np.log(first / first.sum())
        self.move = np.log(move / move.sum(axis=1, keepdims=True))
        self.seen = np.log(seen / seen.sum(axis=1, keepdims=True))
        self.weight = weight

    def likeliest(self, counts: np.ndarray) -> np.ndarray:
        """int (steps,): the one path of states with the highest probability, by the Viterbi algorithm.

        counts: float (steps, symbols).
        """
        fits = self.weight * np.asarray(counts, float) @ self.seen.T
        best, came = self.first + fits[0], []
        for fit in fits[1:]:
            through = best[:, None] + self.move
            came.append(through.argmax(axis=0))
            best = through.max(axis=0) + fit
        path = [int(best.argmax())]
        for row in reversed(came):
            path.append(int(row[path[-1]]))
        return np.array(path[::-1])
