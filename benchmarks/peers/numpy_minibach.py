"""MiniBach's training in plain NumPy, float32: the same mathematics as Keras, Adam included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BLOCK = 1 << 15  # weights at a time: five arrays of 128 kB


class Minibach:
    """logits = W₂ relu(W₁x + b₁) + b₂, independent sigmoids, binary cross-entropy, Adam.

    weights: W₁ (inputs, hidden), b₁ (hidden,), W₂ (hidden, outputs), b₂ (outputs,), float32; copied.
    rate, beta1, beta2, epsilon: Adam's, as Keras sets them.
    """

    def __init__(
        self,
        weights: Sequence[np.ndarray],
        rate: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-7,
    ) -> None:
        self.rate, self.beta1, self.beta2, self.epsilon = rate, beta1, beta2, epsilon
        self.steps = 0
        every = np.concatenate([np.ravel(w) for w in weights]).astype(np.float32)
        gradient, mean, square = np.zeros((3, every.size), np.float32)
        shapes = [np.shape(w) for w in weights]
        self.weights, self.gradients = self._parts(every, shapes), self._parts(gradient, shapes)
        # Adam goes block by block: what fits into the processor's cache is read from memory once, not ten times.
        cuts = range(BLOCK, every.size, BLOCK)
        self._blocks = list(zip(*(np.split(vector, cuts) for vector in (every, gradient, mean, square)), strict=True))
        self._room = np.empty(BLOCK, np.float32)

    def _parts(self, vector: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
        cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(vector, cuts), shapes, strict=True)]

    def gradient(self, x: np.ndarray, y: np.ndarray) -> float:
        """The loss of a batch, x (batch, inputs) and y (batch, outputs); leaves its gradients in ``gradients``."""
        w1, b1, w2, b2 = self.weights
        to_w1, to_b1, to_w2, to_b2 = self.gradients
        hidden = x @ w1
        hidden += b1
        np.maximum(hidden, 0, out=hidden)
        logits = hidden @ w2
        logits += b2
        # e^−|z| serves both: log(1 + e^z) = max(z, 0) + log(1 + e^−|z|), and σ(z) without overflow.
        small = np.exp(-np.abs(logits))
        loss = float(np.mean(np.maximum(logits, 0) - logits * y + np.log1p(small)))
        error = np.where(logits >= 0, 1, small) / (1 + small)
        error -= y
        error /= error.size
        np.matmul(hidden.T, error, out=to_w2)
        error.sum(0, out=to_b2)
        back = error @ w2.T
        back *= hidden > 0
        np.matmul(x.T, back, out=to_w1)
        back.sum(0, out=to_b1)
        return loss

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One step of Adam on a batch; returns its loss before the step."""
        loss = self.gradient(x, y)
        self.steps += 1
        rate = self.rate * np.sqrt(1 - self.beta2**self.steps) / (1 - self.beta1**self.steps)
        # m += (1 − β₁)(g − m); v += (1 − β₂)(g² − v); w −= rate · m / (√v + ε)
        for weight, gradient, mean, square in self._blocks:
            room = self._room[: weight.size]
            np.subtract(gradient, mean, out=room)
            room *= np.float32(1 - self.beta1)
            mean += room
            np.square(gradient, out=room)
            room -= square
            room *= np.float32(1 - self.beta2)
            square += room
            np.sqrt(square, out=room)
            room += np.float32(self.epsilon)
            np.divide(mean, room, out=room)
            room *= np.float32(rate)
            weight -= room
        return loss

    def epoch(self, x: np.ndarray, y: np.ndarray, batch: int, rng: np.random.Generator) -> float:
        """Every window once, in random order; returns the mean loss of the batches."""
        order = rng.permutation(len(x))
        parts = [order[start : start + batch] for start in range(0, len(x), batch)]
        return float(np.mean([self.step(x[part], y[part]) for part in parts]))
