"""Input manipulation: the weights stand still, and the input learns."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from course_lib.architectures.tensors import Tensor


class CodeSearch(keras.Model):
    """Gradient descent on a code: which code does the decoder turn into an output that a loss likes?

    decoder: any Keras model; its weights are not changed. start: float (codes, size), where the search begins.
    penalty: a penalty on a code, (codes, size) → one number each, such as ``Gaussian``; added to the loss.

    code ← code − rate · ∂(loss(target, decoder(code)) + penalty(code)) / ∂code. The code is the only weight of this
    model, so Keras' own training does the search. Compile it with a loss that counts only what the target fixes
    (in ``GroupedCrossEntropy`` an index −1 is not counted: that is the *mask*).

    Raises ValueError when start does not fit the decoder. Source: Sun, DeepHear (2015); Simonyan, Vedaldi &
    Zisserman, arXiv:1312.6034. Notebook: 03.
    """

    def __init__(self, decoder: keras.Model, start: np.ndarray, penalty: Callable | None = None) -> None:
        super().__init__()
        start = np.array(start, "float32")
        if start.ndim != 2 or start.shape[1:] != tuple(decoder.input_shape[1:]):
            raise ValueError(f"start has shape {start.shape}; the decoder takes codes {decoder.input_shape[1:]}.")
        self.decoder, self.penalty = decoder, penalty
        self.code = self.add_weight(shape=start.shape, name="code", trainable=True)
        self.code.assign(start)
        self.built = True

    @property
    def trainable_variables(self) -> list:
        """The code, and nothing else."""
        return [self.code]

    trainable_weights = trainable_variables

    def call(self, rows: Tensor) -> Tensor:
        """rows: int (codes, 1), 0, 1, 2, …: which codes are asked for."""
        code = ops.take(self.code, ops.reshape(ops.cast(rows, "int32"), (-1,)), axis=0)
        if self.penalty is not None:
            self.add_loss(ops.mean(self.penalty(code)))
        return self.decoder(code, training=False)

    def search(self, target: np.ndarray, steps: int) -> np.ndarray:
        """Go down ``steps`` times towards ``target`` (codes, ...); float (steps + 1, codes, size): the whole path."""
        rows = np.arange(self.code.shape[0])[:, None]
        path = [ops.convert_to_numpy(self.code.value)]
        for _ in range(steps):
            self.train_on_batch(rows, target)
            path.append(ops.convert_to_numpy(self.code.value))
        return np.stack(path)


class Gaussian:
    """How unusual a code is: weight · ½ (h − mean)ᵀ Σ⁻¹ (h − mean), for codes that look like those of real data.

    codes: float (examples, size), from which mean and covariance Σ are taken; a thousandth of the mean variance is
        added in every direction, so that numbers that never change do not weigh without end.
    weight: in units of the loss.
    float (codes, size) → (codes,). Up to a constant −log of the density, in nats. Notebook: 03.
    """

    def __init__(self, codes: np.ndarray, weight: float = 1.0) -> None:
        self.mean = codes.mean(0).astype("float32")
        covariance = np.cov(codes, rowvar=False)
        self.root = np.linalg.cholesky(covariance + 1e-3 * covariance.diagonal().mean() * np.eye(len(covariance)))
        self.weight, self.inverse = weight, np.linalg.inv(self.root).astype("float32")

    def __call__(self, code: Tensor) -> Tensor:
        whitened = ops.matmul(code - self.mean, self.inverse.T)
        return self.weight * 0.5 * ops.sum(ops.square(whitened), axis=-1)

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """float (count, size): random codes with this mean and covariance."""
        normal = np.random.default_rng(seed).normal(size=(count, len(self.mean)))
        return (self.mean + normal @ self.root.T).astype("float32")
