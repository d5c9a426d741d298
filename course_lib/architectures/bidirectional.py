"""Two recurrent networks, one reading forward and one backward: every step knows what came and what comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

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


class Sounding(layers.Layer):
    """What sounds, where a symbol may only say "hold": one-hot voices → the same, each hold replaced by what is held.

    sizes: number of symbols of each voice; its last one is the hold. float (batch, steps, Σ sizes) → the same shape.
    At the first step a hold stays what it is. Notebook: 09.
    """

    def __init__(self, sizes: Sequence[int], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.sizes = tuple(sizes)

    def call(self, voices: object) -> object:
        step = ops.arange(ops.shape(voices)[1], dtype="float32")
        past = ops.cast(step[:, None] >= step, "float32")
        found = []
        for start, end in pairwise((0, *accumulate(self.sizes))):
            voice = voices[..., start:end]
            struck = 1 - voice[..., -1]
            last = ops.max(past * (struck * step)[:, None], axis=-1)  # the step at which the note began
            found.append(ops.matmul(ops.cast(ops.equal(last[..., None], step), "float32"), voice))
        return ops.concatenate(found, axis=-1)

    def compute_output_shape(self, shape: Sequence[int | None]) -> Sequence[int | None]:
        return shape

    def get_config(self) -> dict:
        return {**super().get_config(), "sizes": self.sizes}


def neighbours(
    sizes: Sequence[int],
    metadata: int,
    forward: layers.Layer,
    backward: layers.Layer,
    hidden: int = 256,
    dropout: float = 0.0,
) -> keras.Model:
    """Each voice at each step from everything else: the past, the future, and the other voices now.

    sizes: number of symbols of each voice, the last of them "hold". metadata: numbers a step that are always known,
    such as the place in the bar. forward, backward: a Keras cell each. hidden: ReLU units in each of a voice's own two
    layers. dropout: share that is silent in training of what the cells say; of those layers half as much.

    One-hot voices side by side, float (batch, steps, Σ sizes), and metadata (batch, steps, metadata) → logits (batch,
    steps, Σ sizes). Those of a voice at a step never depend on that voice at that step: the future is told in symbols,
    for what sounds in it may be what is asked, held.

        logits_vt = W f_v([→h_{t−1}, ←h_{t+1}, the step before, the step after, the other voices at t, metadata_t])

    Source: DeepBach, Hadjeres, Pachet & Nielsen, arXiv:1612.01010, which has a network for each voice, sees 16 steps
    on either side, and symbols only. Notebook: 09.
    """
    voices, about = keras.Input((None, sum(sizes))), keras.Input((None, metadata))
    sounding = Sounding(sizes)(voices)
    past = layers.RNN(forward, return_sequences=True)(layers.Concatenate()([voices, sounding, about]))
    future = layers.RNN(backward, return_sequences=True, go_backwards=True)(layers.Concatenate()([voices, about]))
    # A step later and a step earlier: what is asked must not be seen.
    before, before_this = (ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0))) for x in (past, sounding))
    after, after_this = (ops.pad(x[:, 1:], ((0, 0), (0, 1), (0, 0))) for x in (ops.flip(future, axis=1), voices))
    far = layers.Dropout(dropout)(layers.Concatenate()([before, after]))
    places = list(pairwise((0, *accumulate(sizes))))
    logits = []
    for place in places:
        now = [sounding[..., a:b] for a, b in places if (a, b) != place]
        held = [voices[..., b - 1 : b] for a, b in places if (a, b) != place]
        seen = layers.Concatenate()([far, before_this, after_this, *now, *held, about])
        for _ in range(2):  # which interval to which voice, and then: whereto?
            seen = layers.Dropout(dropout / 2)(layers.Dense(hidden, activation="relu")(seen))
        logits.append(layers.Dense(place[1] - place[0])(seen))
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
        temperatures: Sequence[float],
        seed: int = 0,
    ) -> np.ndarray:
        """The symbols after the last sweep of ``sweeps``: int (batch, steps, voices)."""
        *_, last = self.sweeps(symbols, about, free, temperatures, seed)
        return last

    def sweeps(
        self,
        symbols: np.ndarray,
        about: np.ndarray,
        free: np.ndarray,
        temperatures: Sequence[float],
        seed: int = 0,
    ) -> Iterator[np.ndarray]:
        """Draw each free cell once, again and again; yields the symbols, int (batch, steps, voices), after each sweep.

        symbols: int (batch, steps, voices), to begin from. about: float (batch, steps, metadata). free: bool, shaped
        like the symbols, or (steps, voices) for all: what may change. temperatures: one a sweep; let them fall, and
        the sweeps end near a likeliest piece. seed: of order and draws. At the first step no hold is drawn.

        Raises ValueError for a temperature that is not above 0, no sweep, or shapes and symbols that do not fit.
        """
        symbols, holds = np.array(symbols), np.array(self.sizes) - 1
        if symbols.ndim != 3 or symbols.shape[2] != len(holds) or np.shape(about)[:2] != symbols.shape[:2]:
            raise ValueError(
                f"symbols of shape {symbols.shape} with metadata of shape {np.shape(about)}; expected (batch, steps, "
                f"{len(holds)}) and (batch, steps, numbers)."
            )
        if (symbols < 0).any() or (symbols > holds).any():
            raise ValueError(f"symbols {symbols.min()}..{symbols.max()}; those of the voices are 0..{holds}.")
        if np.shape(free) not in (symbols.shape, symbols.shape[1:]):
            raise ValueError(f"free of shape {np.shape(free)}; expected {symbols.shape}, or {symbols.shape[1:]}.")
        if not len(temperatures) or min(temperatures) <= 0:
            raise ValueError(f"temperatures are {temperatures}; give one a sweep, at least one, each above 0.")
        free = np.broadcast_to(free, symbols.shape)
        rng = np.random.default_rng(seed)
        turns = [
            (voice, first)
            for voice in range(len(holds))
            for first in range(min(self.apart, symbols.shape[1]))
            if free[:, first :: self.apart, voice].any()
        ]
        for temperature in temperatures:
            for voice, first in rng.permutation(turns).tolist():
                asked = np.s_[:, first :: self.apart, voice]
                logits = np.array(self.network.predict_on_batch([self.one_hot(symbols), about]))
                logits = logits[:, first :: self.apart, self.cuts[voice] : self.cuts[voice + 1]]
                if first == 0:
                    logits[:, 0, holds[voice]] = -np.inf  # there is nothing to hold
                # The largest of logit / T + Gumbel noise is a draw from the softmax.
                drawn = (logits / temperature + rng.gumbel(size=logits.shape)).argmax(axis=-1)
                symbols[asked] = np.where(free[asked], drawn, symbols[asked])
            yield symbols.copy()


keras.saving.register_keras_serializable("course")(Sounding)
