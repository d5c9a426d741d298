"""Contrastive divergence of an RBM in plain NumPy, float32: the same mathematics as the library's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^−x), in place."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    return np.divide(1, x, out=x)


class RBM:
    """weights: W (D, H), b (D,), c (H,), float32; copied. k: Gibbs steps. rate: of plain gradient descent."""

    def __init__(self, weights: Sequence[np.ndarray], k: int, rate: float = 0.01, seed: int = 0) -> None:
        self.w, self.b, self.c = (np.array(part, np.float32) for part in weights)
        self.k, self.rate, self.rng = k, np.float32(rate), np.random.default_rng(seed)

    def drawn(self, chance: np.ndarray) -> np.ndarray:
        """1 with this chance, else 0."""
        return (self.rng.random(chance.shape, np.float32) < chance).astype(np.float32)

    def gradient(self, v: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """∂(F(v) − F(end)), mean of the batch, for W, b and c."""
        on, on_end = sigmoid(v @ self.w + self.c), sigmoid(end @ self.w + self.c)
        n = np.float32(len(v))
        return (end.T @ on_end - v.T @ on) / n, (end - v).mean(0), (on_end - on).mean(0)

    def step(self, v: np.ndarray) -> None:
        """One step of CD-k on a batch (batch, D)."""
        end = v
        for _ in range(self.k):
            h = self.drawn(sigmoid(end @ self.w + self.c))
            end = self.drawn(sigmoid(h @ self.w.T + self.b))
        for weight, gradient in zip((self.w, self.b, self.c), self.gradient(v, end), strict=True):
            gradient *= self.rate
            weight -= gradient

    def epoch(self, v: np.ndarray, batch: int) -> None:
        """Every frame once, in random order."""
        order = self.rng.permutation(len(v))
        for start in range(0, len(v), batch):
            self.step(v[order[start : start + batch]])
