"""From one sequence to another: an encoder reads, a decoder writes, and hears what it wrote.

Sequences are whole numbers, as in ``recurrent``: PAD = 0 fills up, START = 1 begins, END = 2 ends.

An *encoder* is any Keras model from a source, int (batch, steps), to what it has understood: one tensor, or several.
A *decoder* is any Keras model with the inputs [what was understood, the numbers said, states] and the outputs [logits,
states afterwards], in which as many states go in as come out; all states are zeros at first. So the same decoder is
trained on a whole sequence at once (``teacher_forced``) and writes one number after the other (``translate``).
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from course_lib.architectures.recurrent import OneHotEmbedding
from course_lib.symbols import PAD, START

POSITIONS = 24
"""Sines and cosines that say which step it is."""


def positional_encoding(said: object, done: object, size: int = POSITIONS) -> tuple:
    """Which step is it? Sines and cosines (batch, n, size) for each number of a sequence; steps done after it.

    said: int (batch, n). done: steps done before it, float (batch, 1).

        sin(t · 100^(−2i / size)) and the cosines of the same, i = 0 … size/2 − 1

    Source: Vaswani et al., arXiv:1706.03762 (there with 10,000). Notebook: 10.
    """
    one_each = ops.cast(ops.ones_like(said), "float32")
    t = done + ops.cumsum(one_each, axis=1) - 1
    angle = ops.expand_dims(t, -1) * (100.0 ** (-2 * np.arange(size // 2, dtype="float32") / size))
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1), done + ops.sum(one_each, axis=1, keepdims=True)


def teacher_decoder(code: int, symbols: int, units: int = 192, dropout: float = 0.1) -> keras.Model:
    """A decoder that sees one code z at every step, and the number said before it.

    code: numbers in z. symbols: how many numbers there are to say. units: of its GRU. dropout: share of units that
        are silent while it trains.

    Inputs: z (batch, code), said int (batch, n); states: h (batch, units), steps done (batch, 1).
    Outputs: logits (batch, n, symbols) of the number that follows each one said; the states after the last.

        h_t = GRU([one_hot(y_{t−1}), clock(t), z], h_{t−1}),   p(y_t | y_1 … y_{t−1}, z) = softmax(W h_t + b)

    Source: Cho et al., arXiv:1406.1078, without their maxout layer, with a clock. Notebook: 10.
    """
    z, said = keras.Input((code,)), keras.Input((None,), dtype="int32")
    state, done = keras.Input((units,)), keras.Input((1,))
    time, done_after = positional_encoding(said, done)
    z_everywhere = ops.zeros_like(time[..., :1]) + ops.expand_dims(z, 1)  # (batch, n, code)
    heard = ops.concatenate([OneHotEmbedding(symbols)(said), time, z_everywhere], axis=-1)
    h, after = layers.GRU(units, return_sequences=True, return_state=True)(heard, initial_state=state)
    logits = layers.Dense(symbols)(layers.Dropout(dropout)(h))
    return keras.Model([z, said, state, done], [logits, after, done_after])


def attention_encoder(steps: int, symbols: int, units: int = 96, dropout: float = 0.1) -> keras.Model:
    """An encoder that keeps what it understood at *every* step: a GRU in each direction, and the number of the step.

    int (batch, steps) → memory (batch, steps, 2 · units + CLOCK), and real (batch, steps): 1, or 0 for padding.
    Source: Bahdanau et al., arXiv:1409.0473, without the clock. Notebook: 10.
    """
    sequence = keras.Input((steps,), dtype="int32")
    x = OneHotEmbedding(symbols, masked=True)(sequence)
    h = layers.Dropout(dropout)(layers.Bidirectional(layers.GRU(units, return_sequences=True))(x))
    time, _ = positional_encoding(sequence, 0.0)
    real = ops.cast(ops.not_equal(sequence, PAD), "float32")
    return keras.Model(sequence, [ops.concatenate([h, time], axis=-1), real])


class Attention(layers.Layer):
    """Where to look: a weighted mean of the memory, with weights that add up to one.

    units: size d of the space in which query and memory are compared.

    query (batch, n, q), memory (batch, m, k), real (batch, m), 0 where the memory is padding → the mean
    (batch, n, k), and the weights (batch, n, m):

        score_{tj} = (W q_t) · (U m_j) / √d,   a_t = softmax_j(score_t),   c_t = Σ_j a_{tj} m_j

    Sources: Bahdanau et al., arXiv:1409.0473, whose score is vᵀ tanh(W q_t + U m_j); the product: Luong et al.,
    arXiv:1508.04025; √d: Vaswani et al., arXiv:1706.03762. Notebook: 10.
    """

    def __init__(self, units: int = 64, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.asks, self.offers = layers.Dense(units), layers.Dense(units)

    def build(self, query_shape: Sequence, memory_shape: Sequence, real_shape: Sequence) -> None:
        self.asks.build(query_shape)
        self.offers.build(memory_shape)

    def call(self, query: object, memory: object, real: object) -> tuple:
        score = ops.matmul(self.asks(query), ops.transpose(self.offers(memory), (0, 2, 1))) / self.units**0.5
        weights = ops.softmax(score - 1e9 * (1 - real[:, None]), axis=-1)
        return ops.matmul(weights, memory), weights

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}


def attentive_decoder(
    steps: int, memory: int, symbols: int, units: int = 192, compared: int = 64, dropout: float = 0.1
) -> keras.Model:
    """A decoder that looks, at every step, where in the memory it wants.

    steps, memory: shape of what ``attention_encoder`` gives. symbols, units, dropout: as in ``teacher_decoder``. compared: units
        of the ``Attention``.

    Inputs: memory (batch, steps, memory), real (batch, steps), said int (batch, n); states as in ``teacher_decoder``.
    Outputs: logits (batch, n, symbols), the states, and the weights (batch, n, steps).

        h_t = GRU([one_hot(y_{t−1}), clock(t)], h_{t−1}),   c_t = Attention([h_t, clock(t)], memory),
        p(y_t | y_1 … y_{t−1}, x) = softmax(W tanh(V [h_t, c_t] + b) + d)

    Sources: Bahdanau et al., arXiv:1409.0473; to look after the step, not before it: Luong et al., arXiv:1508.04025.
    Notebook: 10.
    """
    kept, real, said = keras.Input((steps, memory)), keras.Input((steps,)), keras.Input((None,), dtype="int32")
    state, done = keras.Input((units,)), keras.Input((1,))
    time, done_after = positional_encoding(said, done)
    heard = ops.concatenate([OneHotEmbedding(symbols)(said), time], axis=-1)
    h, after = layers.GRU(units, return_sequences=True, return_state=True)(heard, initial_state=state)
    h = layers.Dropout(dropout)(h)
    seen, weights = Attention(compared)(ops.concatenate([h, time], axis=-1), kept, real)
    both = layers.Dense(units, activation="tanh")(ops.concatenate([h, seen], axis=-1))
    logits = layers.Dense(symbols)(layers.Dropout(dropout)(both))
    return keras.Model([kept, real, said, state, done], [logits, after, done_after, weights])


def teacher_forced(encoder: keras.Model, decoder: keras.Model) -> keras.Model:
    """Both as one network to train: [source int (batch, steps), said int (batch, n)] → logits (batch, n, symbols).

    said: START, then the *true* numbers, see ``said_before``. The weights are shared with encoder and decoder.
    Notebook: 10.
    """
    source, said = keras.Input(encoder.input_shape[1:], dtype="int32"), keras.Input((None,), dtype="int32")
    understood = keras.tree.flatten(encoder(source))
    nothing = ops.cast(ops.zeros_like(said[:, :1]), "float32")  # the states before anything was heard
    states = [ops.repeat(nothing, state.shape[-1], axis=1) for state in decoder.inputs[len(understood) + 1 :]]
    return keras.Model([source, said], decoder([*understood, said, *states])[0])


def said_before(target: np.ndarray) -> np.ndarray:
    """What the teacher says: int (n, steps), START, then the target without its last number. Notebook: 10."""
    return np.concatenate([np.full((len(target), 1), START, target.dtype), target[:, :-1]], axis=1)


keras.saving.register_keras_serializable("course")(Attention)
