"""Every loss: cross-entropies of numbers in a sequence, and of groups of symbols, in nats."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from course_lib.architectures.batches import TokenBatches
from course_lib.architectures.tensors import Tensor
from course_lib.symbols import PAD


class TokenCrossEntropy(keras.losses.Loss):
    """−log softmax(logits)[target] in nats; PAD costs nothing.

    per: "token", the mean over what is no padding, whose exponential is the perplexity; or "sequence", the sum over a
        sequence, whatever its length and padding, as a ``VAE`` needs it.

    int (batch, steps), float (batch, steps, symbols) → scalar, mean over the batch; with ``reduction=None`` not yet the
    mean. Raises ValueError for another ``per``. Notebooks: 05, 11.
    """

    def __init__(self, per: str = "token", name: str = "token_cross_entropy", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)
        if per not in ("token", "sequence"):
            raise ValueError(f'per is "{per}"; it must be "token" or "sequence".')
        self.per = per

    def call(self, target: Tensor, logits: Tensor) -> Tensor:
        target = ops.cast(target, "int32")
        real = ops.cast(ops.not_equal(target, PAD), logits.dtype)
        nats = real * keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
        return ops.sum(nats, axis=-1) if self.per == "sequence" else nats / ops.maximum(ops.mean(real), 1e-6)

    def get_config(self) -> dict:
        return {**super().get_config(), "per": self.per}


def token_nats(model: keras.Model, sequences: Sequence[np.ndarray], numbers: int = 5000) -> list[np.ndarray]:
    """−log p of every number after the first, given all before it; float (len(sequence) − 1,) for each sequence.

    model: from numbers to logits, such as ``RecurrentModel``. numbers: about how many in one batch.
    The exponential of the mean of all of them is the perplexity a number. Notebook: 05.
    """
    result: list[np.ndarray] = [np.empty(0)] * len(sequences)
    batches = TokenBatches(sequences, numbers)
    for part, (x, y) in zip(batches.parts, map(batches.__getitem__, range(len(batches))), strict=True):
        logits = model.predict_on_batch(x).astype(np.float64)
        logits -= logits.max(-1, keepdims=True)
        log_p = np.take_along_axis(logits, y[..., None], -1)[..., 0] - np.log(np.exp(logits).sum(-1))
        for i, row in zip(part, log_p, strict=True):
            result[i] = -row[: len(sequences[i]) - 1]
    return result


class GroupedCrossEntropy(keras.losses.Loss):
    """One softmax for each group of symbols: exactly one of a group is right, where sigmoids allow any number.

    sizes: number of symbols of each group; together they fill the last axis of the logits.
    per: "step", the mean over the time steps; or "sequence", the sum over them, as a ``VAE`` needs it.

    Targets are one-hot, shaped like the logits (..., time_steps · sum(sizes)), or indices (..., len(sizes)) in which −1
    is not counted. −Σ_groups log softmax(logits of the group)[target], in nats. Raises ValueError for another ``per``.
    Notebook: 02.
    """

    def __init__(
        self, sizes: Sequence[int], per: str = "step", name: str = "grouped_cross_entropy", **kwargs: object
    ) -> None:
        super().__init__(name=name, **kwargs)
        if per not in ("step", "sequence"):
            raise ValueError(f'per is "{per}"; it must be "step" or "sequence".')
        self.sizes, self.per = tuple(sizes), per

    def call(self, target: Tensor, logits: Tensor) -> Tensor:
        cuts = [sum(self.sizes[: g + 1]) for g in range(len(self.sizes))]
        logits = ops.split(ops.reshape(logits, (ops.shape(logits)[0], -1, cuts[-1])), cuts[:-1], axis=-1)
        if target.shape[-1] == len(self.sizes):
            index = ops.cast(ops.reshape(target, (ops.shape(target)[0], -1, len(self.sizes))), "int32")
            target = [ops.one_hot(index[..., g], size) for g, size in enumerate(self.sizes)]
        else:
            target = ops.split(ops.reshape(target, (ops.shape(target)[0], -1, cuts[-1])), cuts[:-1], axis=-1)
        nats = sum(-ops.sum(t * ops.log_softmax(z, axis=-1), axis=-1) for t, z in zip(target, logits, strict=True))
        return ops.sum(nats, axis=-1) if self.per == "sequence" else ops.mean(nats, axis=-1)

    def get_config(self) -> dict:
        return {**super().get_config(), "sizes": self.sizes, "per": self.per}


for _one in (TokenCrossEntropy, GroupedCrossEntropy):
    keras.saving.register_keras_serializable("course")(_one)
