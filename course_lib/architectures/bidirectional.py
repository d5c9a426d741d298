"""Two recurrent networks, one reading forward and one backward: every step knows what came and what comes."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops


def forward_only(features: int, labels: int, forward: layers.Layer, dropout: float = 0.0) -> keras.Model:
    """A label for every step from what came so far: float (batch, steps, features) → logits (batch, steps, labels).

    forward: a Keras cell, such as ``LSTMCell(128)``. dropout: share of what is silent in training. Steps whose features
    are all 0 are padding. Notebook: 09.
    """
    x = keras.Input((None, features))
    seen = layers.Dropout(dropout)(layers.RNN(forward, return_sequences=True)(layers.Masking()(x)))
    return keras.Model(x, layers.Dense(labels)(seen))


def bidirectional(
    features: int, labels: int, forward: layers.Layer, backward: layers.Layer, dropout: float = 0.0
) -> keras.Model:
    """A label for every step from all that comes before and after it.

    forward, backward: a Keras cell each. The rest is as in ``forward_only``. →h_t = forward(x_t, →h_{t−1}),
    ←h_t = backward(x_t, ←h_{t+1}), logits_t = W [→h_t, ←h_t] + b.
    Source: Schuster & Paliwal, IEEE Trans. Signal Processing 45 (1997). Notebook: 09.
    """
    x = keras.Input((None, features))
    real = layers.Masking()(x)
    past = layers.RNN(forward, return_sequences=True)(real)
    future = layers.RNN(backward, return_sequences=True, go_backwards=True)(real)
    both = layers.Concatenate()([past, ops.flip(future, axis=1)])  # what was read last stands first
    return keras.Model(x, layers.Dense(labels)(layers.Dropout(dropout)(both)))


def neighbours(
    sizes: Sequence[int],
    metadata: int,
    forward: layers.Layer,
    backward: layers.Layer,
    hidden: int = 256,
    dropout: float = 0.0,
) -> keras.Model:
    """Each voice at each step from everything else: the past, the future, and the other voices now.

    sizes: number of symbols of each voice. metadata: numbers a step that are always known, such as the place in the
    bar. forward, backward: a Keras cell each. hidden: ReLU units of each voice's own layer.

    One-hot voices side by side, float (batch, steps, Σ sizes), and metadata (batch, steps, metadata) → logits (batch,
    steps, Σ sizes). Those of a voice at a step never depend on that voice at that step.
    Source: DeepBach, Hadjeres, Pachet & Nielsen, arXiv:1612.01010, which has a network for each voice and sees 16
    steps on either side. Notebook: 09.
    """
    voices, about = keras.Input((None, sum(sizes))), keras.Input((None, metadata))
    x = layers.Concatenate()([voices, about])
    past = layers.RNN(forward, return_sequences=True)(x)
    future = ops.flip(layers.RNN(backward, return_sequences=True, go_backwards=True)(x), axis=1)
    # A step later and a step earlier: what is asked must not be seen.
    before = ops.pad(past[:, :-1], ((0, 0), (1, 0), (0, 0)))
    after = ops.pad(future[:, 1:], ((0, 0), (0, 1), (0, 0)))
    context = layers.Dropout(dropout)(layers.Concatenate()([before, after, about]))
    logits, cuts = [], np.cumsum((0, *sizes))
    for start, end in zip(cuts, cuts[1:], strict=False):
        others = layers.Concatenate()([context, voices[:, :, :start], voices[:, :, end:]])
        logits.append(layers.Dense(end - start)(layers.Dense(hidden, activation="relu")(others)))
    return keras.Model([voices, about], layers.Concatenate()(logits))


class Gibbs:
    """Gibbs sampling: cell after cell is forgotten and drawn anew, given all the others.

    network: as ``neighbours`` makes it. sizes: number of symbols of each voice. apart: cells of one voice that lie so
        many steps apart are drawn together, because they hardly know of each other.

    Source: Geman & Geman 1984; for chorales: arXiv:1612.01010. Notebook: 09.
    """

    def __init__(self, network: keras.Model, sizes: Sequence[int], apart: int = 4) -> None:
        self.network, self.sizes, self.apart = network, tuple(sizes), apart
        self.cuts = np.cumsum((0, *sizes))

    def one_hot(self, symbols: np.ndarray) -> np.ndarray:
        """int (batch, steps, voices) → float32 (batch, steps, Σ sizes)."""
        return np.eye(self.cuts[-1], dtype=np.float32)[symbols + self.cuts[:-1]].sum(axis=-2)

    def sample(
        self,
        symbols: np.ndarray,
        about: np.ndarray,
        free: np.ndarray,
        sweeps: int = 20,
        temperature: Sequence[float] = (1.0, 0.3),
        seed: int = 0,
    ) -> np.ndarray:
        """New symbols, int (batch, steps, voices), where ``free`` is True; the others stay as they are.

        symbols: int (batch, steps, voices), to begin from. about: float (batch, steps, metadata). free: bool, shaped
        like the symbols, or (steps, voices) for all. sweeps: how often each free cell is drawn. temperature: of the
        first sweep and of the last; between them it falls in a line. seed: of order and draws.

        Raises ValueError for a temperature that is not above 0, or shapes that do not fit.
        """
        symbols = np.array(symbols)
        if symbols.ndim != 3 or symbols.shape[2] != len(self.sizes) or np.shape(about)[:2] != symbols.shape[:2]:
            raise ValueError(
                f"symbols of shape {symbols.shape} with metadata of shape {np.shape(about)}; expected (batch, steps, "
                f"{len(self.sizes)}) and (batch, steps, numbers)."
            )
        if min(temperature) <= 0:
            raise ValueError(f"temperature is {temperature}; it must stay above 0. Near 0 the likeliest is taken.")
        free = np.broadcast_to(free, symbols.shape)
        rng = np.random.default_rng(seed)
        steps, voices = symbols.shape[1:]
        turns = [
            (voice, first)
            for voice in range(voices)
            for first in range(self.apart)
            if free[:, first :: self.apart, voice].any()
        ]
        for heat in np.linspace(*temperature, sweeps):
            for turn in rng.permutation(len(turns)):
                voice, first = turns[turn]
                at = np.arange(first, steps, self.apart)
                logits = np.asarray(self.network.predict_on_batch([self.one_hot(symbols), about]))
                logits = logits[:, at, self.cuts[voice] : self.cuts[voice + 1]] / heat
                drawn = (logits + rng.gumbel(size=logits.shape)).argmax(axis=-1)
                symbols[:, at, voice] = np.where(free[:, at, voice], drawn, symbols[:, at, voice])
        return symbols
