"""Feedforward networks: everything in one pass, or one window at a time."""

from __future__ import annotations

import keras
from keras import layers


def minibach(
    inputs: int = 64 * 21, hidden: int = 200, outputs: int = 64 * (21 + 21 + 28), dropout: float = 0.0
) -> keras.Model:
    """MiniBach: one hidden layer from one column of symbols to three others, over all time steps at once.

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
    """The feedforward idea, one time step at a time: a window of the input → the symbols at its middle.

    inputs: width of the window's encoding. outputs: logits of all answers side by side.
    width, depth: ReLU units in each of the hidden layers. dropout: share of units that are silent.

    float (batch, inputs) → logits (batch, outputs). Notebook: 02.
    """
    hidden = [
        layer for _ in range(depth) for layer in (layers.Dense(width, activation="relu"), layers.Dropout(dropout))
    ]
    return keras.Sequential([keras.Input((inputs,)), layers.Dropout(dropout / 5), *hidden, layers.Dense(outputs)])
