"""Conditioning: a network that gets a further input beside its own, before each of its levels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import keras
from keras import layers, ops

from course_lib.architectures.adversarial import Choice
from course_lib.architectures.tensors import Tensor

Level = Sequence[Callable]
"""Layers applied one after the other; before each level the condition is joined anew."""


def joined(x: Tensor, condition: Tensor) -> Tensor:
    """The condition beside x: (batch, n), or at each position (batch, positions, ..., n).

    condition: (batch, segments, features). Beside a vector x it stands flat; beside positions each segment is
    repeated over its share of them, so one segment stands at all. Notebook: 15.
    """
    if len(x.shape) == 2:
        return ops.concatenate([x, layers.Flatten()(condition)], axis=-1)
    positions, *width = x.shape[1:-1]
    spread = ops.repeat(condition, positions // condition.shape[1], axis=1)
    spread = ops.reshape(spread, (-1, positions, *[1] * len(width), condition.shape[2]))
    for axis, size in enumerate(width, 2):
        spread = ops.repeat(spread, size, axis=axis)
    return ops.concatenate([x, spread], axis=-1)


def products(x: Tensor, condition: Tensor) -> Tensor:
    """x, and x times weights that the condition chooses: (batch, positions, n) → (batch, positions, 2 n).

    [x, x ∘ (W condition + b)]: what a sum of x and condition cannot express, which features go with which condition.
    Source: after the projection discriminator, Miyato & Koyama, arXiv:1802.05637. Notebook: 15.
    """
    weights = layers.Dense(x.shape[-1])(condition)
    return ops.concatenate([x, x * ops.repeat(weights, x.shape[1] // condition.shape[1], axis=1)], axis=-1)


def conditioned(
    shape: tuple[int, ...],
    levels: Sequence[Level],
    condition: tuple[int, int],
    history: keras.Model | None = None,
    where: Collection[int] | None = None,
    first: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> keras.Model:
    """Conditioning(network, condition): the condition enters before each level, not only at the beginning.

    symbol · shape · meaning: x · shape · own input, such as noise or an example; y · condition, (segments, features)
    · first condition; h · history's input · second condition, where there is a history.

    levels: the network, each level a list of layers. where: numbers of the levels that y is joined to; None: all.
    history: model of the second condition; each of its outputs, (batch, positions, ..., channels), is joined to the
        levels whose input has those positions, a vector to those whose input is one.
    first: how x meets y before the first level, beside ``joined``; such as ``products``.

    Returns a model of [x, y] or [x, y, h]. Source: Yang, Chou & Yang, arXiv:1703.10847. Notebook: 15.
    """
    x, y = keras.Input(shape), keras.Input(condition)
    inputs = [x, y] if history is None else [x, y, keras.Input(history.input_shape[1:])]
    maps = [] if history is None else keras.tree.flatten(history(inputs[2]))
    for number, level in enumerate(levels):
        positions = x.shape[1:-1]
        if number == 0 and first is not None:
            x = first(x, y)
        if where is None or number in where:
            x = joined(x, y)
        for image in maps:
            if image.shape[1:-1] == positions:
                x = ops.concatenate([x, image], axis=-1)
        for layer in level:
            x = layer(x)
    return keras.Model(inputs, x)


def _norm() -> layers.Layer:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def paper_history(steps: int = 16, symbols: int = 128, channels: int = 16) -> keras.Model:
    """The released code's conditioner: what came before as maps of 16, 8, 4 and 2 positions, for ``conditioned``.

    float (batch, steps, symbols, 1) → (batch, steps, 1, channels), (batch, steps / 2, 1, channels), … Notebook: 15.
    """
    x = h = keras.Input((steps, symbols, 1))
    maps = []
    for kernel, strides in (((1, symbols), (1, 2)), *[((2, 1), (2, 1))] * 3):
        h = layers.LeakyReLU(0.2)(_norm()(layers.Conv2D(channels, kernel, strides)(h)))
        maps.append(h)
    return keras.Model(x, maps)


def paper_generator(steps: int = 16, symbols: int = 128, channels: int = 128) -> list[Level]:
    """Levels of the released code's generator: two dense, three transposed convolutions in time, one over symbols.

    Noise (100,) → (steps, symbols, 1), each cell between 0 and 1. steps: a multiple of 8. With ``paper_history`` and a
    condition of (1, 13): 530,625 trainable parameters. Notebook: 15.
    """
    dense = [[layers.Dense(width), _norm(), layers.ReLU()] for width in (1024, steps // 8 * channels)]
    dense[1].append(layers.Reshape((steps // 8, 1, channels)))
    longer = [[layers.Conv2DTranspose(channels, (2, 1), (2, 1)), _norm(), layers.ReLU()] for _ in range(3)]
    return [*dense, *longer, [layers.Conv2DTranspose(1, (1, symbols), (1, 2), activation="sigmoid")]]


def paper_discriminator(symbols: int = 128) -> list[Level]:
    """Levels of the released code's discriminator: two convolutions, two dense; the first convolution: "features".

    (16, symbols, 1) → one logit. With a condition of (1, 13): 312,703 trainable parameters. Notebook: 15.
    """
    return [
        [layers.Conv2D(14, (2, symbols), 2), layers.LeakyReLU(0.2, name="features")],
        [layers.Conv2D(77, (4, 1), 2), _norm(), layers.LeakyReLU(0.2), layers.Flatten()],
        [layers.Dense(1024), _norm(), layers.LeakyReLU(0.2)],
        [layers.Dense(1)],
    ]


def light_history(steps: int = 16, symbols: int = 24, channels: int = 16, halvings: int = 3) -> keras.Model:
    """As ``paper_history``, in one dimension, without batch normalisation, and with a summary that the maps lack.

    In the maps, position for position, the last steps of what came before meet the last steps of what is made; the
    summary, a vector for the dense levels, tells its first steps how it ended.
    float (batch, steps, symbols) → maps (batch, steps, channels), (batch, steps / 2, channels), …, one for each of the
    halvings, and the summary, (batch, channels). Notebook: 15.
    """
    x = h = keras.Input((steps, symbols))
    maps = []
    for width in [1] + [2] * halvings:
        h = layers.LeakyReLU(0.2)(layers.Conv1D(channels, width, strides=width)(h))
        maps.append(h)
    return keras.Model(x, [*maps, layers.Dense(channels)(layers.Flatten()(x))])


def light_generator(steps: int = 16, symbols: int = 24, channels: int = 64) -> list[Level]:
    """As ``paper_generator``, lighter, its end a ``Choice``: noise → one-hot (steps, symbols). Notebook: 15."""
    dense = [[layers.Dense(width, activation="gelu")] for width in (256, steps // 8 * channels)]
    dense[1].append(layers.Reshape((steps // 8, channels)))
    longer = [[layers.Conv1DTranspose(channels, 4, strides=2, padding="same", activation="gelu")] for _ in range(3)]
    return [*dense, *longer, [layers.Conv1D(symbols, 1), Choice([symbols])]]


def light_discriminator(channels: int = 64) -> list[Level]:
    """As ``paper_discriminator``, without batch normalisation: (positions, symbols) → one logit. Notebook: 15."""
    shorter = [[layers.Conv1D(channels, 4, strides=2, padding="same"), layers.LeakyReLU(0.2)] for _ in range(3)]
    shorter[-1].append(layers.Flatten())
    return [*shorter, [layers.Dense(192), layers.LeakyReLU(0.2)], [layers.Dense(1)]]
