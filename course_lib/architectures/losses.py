"""Every loss: cross-entropies over voices, tokens and whole sequences, in nats."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from course_lib.architectures.batches import TokenBatches
from course_lib.symbols import PAD


@keras.saving.register_keras_serializable("course")
class TokenCrossEntropy(keras.losses.Loss):
    """−log softmax(logits)[target] at every step, in nats, and 0 where the target is PAD.

    per: "token", the mean over what is no padding, whose exponential is the perplexity; or "step", the mean over all
        steps, which times the steps is the sum over the sequence, as a ``VAE`` needs it.

    int (batch, steps), float (batch, steps, symbols) → scalar. Raises ValueError for another ``per``. Notebook: 05.
    """

    def __init__(self, per: str = "token", name: str = "token_cross_entropy", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)
        if per not in ("token", "step"):
            raise ValueError(f'per is "{per}"; it must be "token" or "step".')
        self.per = per

    def call(self, target: object, logits: object) -> object:
        target = ops.cast(target, "int32")
        real = ops.cast(ops.not_equal(target, PAD), logits.dtype)
        nats = real * keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
        return nats / ops.maximum(ops.mean(real), 1e-6) if self.per == "token" else nats

    def get_config(self) -> dict:
        return {**super().get_config(), "per": self.per}


def token_nats(model: keras.Model, sequences: Sequence[np.ndarray], numbers: int = 5000) -> list[np.ndarray]:
    """−log p of every number after the first, given all before it; float (len(sequence) − 1,) for each sequence.

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


class SequenceCrossEntropy(TokenCrossEntropy):
    """−log softmax(logits)[target] in nats, summed over the sequence, whatever its length; PAD counts nothing.

    For a ``VAE(..., steps=1)``, since the loss is no mean over steps. int (batch, steps), float (batch, steps,
    symbols) → scalar, mean over the batch. Notebook: 11.
    """

    def __init__(self, name: str = "sequence_cross_entropy", **kwargs: object) -> None:
        kwargs.pop("per", None)
        super().__init__("step", name, **kwargs)

    def call(self, target: object, logits: object) -> object:
        return ops.sum(super().call(target, logits), axis=-1)


class VoiceCrossEntropy(keras.losses.Loss):
    """One softmax for each voice: exactly one of its symbols is right, where sigmoids allow any number.

    sizes: number of symbols of each voice; together they fill the last axis of the logits.

    Targets are one-hot, shaped like the logits (..., time_steps · sum(sizes)), or indices (..., len(sizes)) in
    which −1 is not counted. −Σ_voices log softmax(logits of the voice)[target], in nats a time step.
    Notebook: 02.
    """

    def __init__(self, sizes: Sequence[int], name: str = "voice_cross_entropy", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)
        self.sizes = tuple(sizes)

    def call(self, target: object, logits: object) -> object:
        cuts = [sum(self.sizes[: v + 1]) for v in range(len(self.sizes))]
        logits = ops.split(ops.reshape(logits, (ops.shape(logits)[0], -1, cuts[-1])), cuts[:-1], axis=-1)
        if target.shape[-1] == len(self.sizes):
            index = ops.cast(ops.reshape(target, (ops.shape(target)[0], -1, len(self.sizes))), "int32")
            target = [ops.one_hot(index[..., v], size) for v, size in enumerate(self.sizes)]
        else:
            target = ops.split(ops.reshape(target, (ops.shape(target)[0], -1, cuts[-1])), cuts[:-1], axis=-1)
        nats = sum(-ops.sum(t * ops.log_softmax(z, axis=-1), axis=-1) for t, z in zip(target, logits, strict=True))
        return ops.mean(nats, axis=-1)

    def get_config(self) -> dict:
        return {**super().get_config(), "sizes": self.sizes}


keras.saving.register_keras_serializable("course")(SequenceCrossEntropy)


keras.saving.register_keras_serializable("course")(VoiceCrossEntropy)
