"""The best linear code."""

from __future__ import annotations

import numpy as np


class PrincipalComponents:
    """The linear autoencoder with the least squared error: code = (x − mean) Vᵀ, x ≈ mean + code V.

    x: float (examples, inputs). size: numbers in a code. seed: where the search begins.

    V (size, inputs) is found by subspace iteration: a random start is multiplied by XᵀX ``passes`` times, which leaves
    the directions of greatest variance. Raises ValueError when size is not within 1..min(x.shape).
    Halko, Martinsson & Tropp 2011, arXiv:0909.4061. Notebook: 03.
    """

    def __init__(self, x: np.ndarray, size: int, passes: int = 6, seed: int = 0) -> None:
        if not 1 <= size <= min(x.shape):
            raise ValueError(f"size is {size}; {x.shape[0]} examples of {x.shape[1]} numbers allow 1..{min(x.shape)}.")
        self.mean = x.mean(0, dtype=np.float32)
        # A few directions more than asked for make the last ones exact, too.
        basis = np.random.default_rng(seed).normal(size=(x.shape[1], min(size + 16, *x.shape))).astype(np.float32)
        for _ in range(passes):
            basis = np.linalg.qr(basis)[0]
            basis = self._back(x, self._projected(x, basis))
        basis = np.linalg.qr(basis)[0]
        seen = self._projected(x, basis)
        within = np.linalg.eigh(seen.T @ seen)[1][:, ::-1]
        self.components = (basis @ within).T[:size]

    def _projected(self, x: np.ndarray, basis: np.ndarray) -> np.ndarray:
        """(x − mean) basis, without a copy of x."""
        return x @ basis - self.mean @ basis

    def _back(self, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return x.T @ seen - np.outer(self.mean, seen.sum(0))

    def encode(self, x: np.ndarray) -> np.ndarray:
        """(examples, inputs) → (examples, size)."""
        return (x - self.mean) @ self.components.T

    def decode(self, code: np.ndarray) -> np.ndarray:
        """(examples, size) → (examples, inputs)."""
        return self.mean + code @ self.components
