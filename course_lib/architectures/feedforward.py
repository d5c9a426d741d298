"""Feedforward networks: everything in one pass, from a melody to the voices below it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers, ops


def minibach(
    inputs: int = 64 * 21, hidden: int = 200, outputs: int = 64 * (21 + 21 + 28), dropout: float = 0.0
) -> keras.Model:
    """MiniBach: one hidden layer from a four-bar soprano to the three voices below it.

    inputs: 64 time steps × 21 symbols. hidden: ReLU units. outputs: 64 × (21 + 21 + 28) symbols.
    dropout: share of hidden units that are silent in a training step (the book has none).

    float (batch, inputs) → logits (batch, outputs). h = relu(W₁x + b₁), logits = W₂h + b₂; the sigmoid or
    softmax belongs to the loss. 1,169,480 parameters. Source: Briot, Hadjeres & Pachet (2017).
    Notebook: 02.
    """
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Dense(hidden, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(outputs),
        ]
    )


def harmoniser(inputs: int, outputs: int, width: int = 512, depth: int = 2, dropout: float = 0.5) -> keras.Model:
    """The feedforward idea, one time step at a time: a window of melody → the voices at its middle.

    inputs: width of the window's encoding. outputs: logits of all answers side by side.
    width, depth: ReLU units in each of the hidden layers. dropout: share of units that are silent.

    float (batch, inputs) → logits (batch, outputs). Notebook: 02.
    """
    hidden = [
        layer for _ in range(depth) for layer in (layers.Dense(width, activation="relu"), layers.Dropout(dropout))
    ]
    return keras.Sequential([keras.Input((inputs,)), layers.Dropout(dropout / 5), *hidden, layers.Dense(outputs)])


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


keras.saving.register_keras_serializable("course")(VoiceCrossEntropy)
