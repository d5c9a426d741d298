"""From one sequence to another: an encoder reads, a decoder writes, and hears what it wrote.

Sequences are whole numbers, as in ``recurrent``: PAD = 0 fills up, START = 1 begins, END = 2 ends. An *encoder* is any
Keras model from a source, int (batch, steps), to what it has understood: one tensor, or several. A *decoder* is a
Keras model of what was understood, the numbers said so far, and a state.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from course_lib.architectures.recurrent import END, PAD, START, OneHot


def teacher_decoder(code: int, symbols: int, units: int = 192, dropout: float = 0.2) -> keras.Model:
    """A decoder that sees one code at every step, and the number said before it.

    code: numbers in the code. symbols: how many numbers there are to say. units: of its GRU. dropout: share of units
        that are silent while it trains.

    Inputs: code z (batch, code), said int (batch, n), state (batch, units), zeros at first.
    Outputs: logits (batch, n, symbols) of the number that follows each of ``said``, and the state after the last.

        h_t = GRU([one_hot(y_{t−1}), z], h_{t−1}),   p(y_t | y_1 … y_{t−1}, z) = softmax(W h_t + b)

    While it trains, ``said`` is START and then the *true* numbers, all at once: *teacher forcing*. When it writes,
    n = 1: the number that it chose itself. Source: Cho et al., arXiv:1406.1078. Notebook: 10.
    """
    z, said, state = keras.Input((code,)), keras.Input((None,), dtype="int32"), keras.Input((units,))
    heard = OneHot(symbols)(said)
    x = layers.Concatenate()([heard, Everywhere()([z, heard])])
    h, after = layers.GRU(units, return_sequences=True, return_state=True)(x, initial_state=state)
    return keras.Model([z, said, state], [layers.Dense(symbols)(layers.Dropout(dropout)(h)), after])


def reader(steps: int, symbols: int, units: int = 96, dropout: float = 0.2) -> keras.Model:
    """An encoder that keeps what it understood at *every* step: a bidirectional GRU.

    int (batch, steps) → memory (batch, steps, 2 · units), and real (batch, steps): 1, or 0 where there is padding.
    Source: Bahdanau et al., arXiv:1409.0473. Notebook: 10.
    """
    sequence = keras.Input((steps,), dtype="int32")
    x = OneHot(symbols, masked=True)(sequence)
    h = layers.Bidirectional(layers.GRU(units, return_sequences=True))(x)
    return keras.Model(sequence, [layers.Dropout(dropout)(h), Real()(sequence)])


class Attention(layers.Layer):
    """Where to look: a weighted mean of the memory, with weights that add up to one.

    units: in which query and memory are compared.

    query (batch, n, q), memory (batch, m, d), real (batch, m), 0 where the memory is padding → the mean
    (batch, n, d), and the weights (batch, n, m):

        score_{tj} = vᵀ tanh(W q_t + U m_j),   a_t = softmax_j(score_t),   c_t = Σ_j a_{tj} m_j

    Source: Bahdanau et al., arXiv:1409.0473. Notebook: 10.
    """

    def __init__(self, units: int = 64, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.query, self.key, self.score = layers.Dense(units), layers.Dense(units, use_bias=False), layers.Dense(1)

    def build(self, query_shape: Sequence, memory_shape: Sequence, real_shape: Sequence) -> None:
        self.query.build(query_shape)
        self.key.build(memory_shape)
        self.score.build((None, self.units))

    def call(self, query: object, memory: object, real: object) -> tuple:
        asked, offered = self.query(query)[:, :, None], self.key(memory)[:, None]
        score = self.score(ops.tanh(asked + offered))[..., 0]
        weights = ops.softmax(score - 1e9 * (1 - real[:, None]), axis=-1)
        return ops.matmul(weights, memory), weights

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}


def attentive_decoder(
    steps: int, memory: int, symbols: int, units: int = 192, aligned: int = 64, dropout: float = 0.2
) -> keras.Model:
    """A decoder that looks, at every step, where in the memory it wants.

    steps, memory: shape of what ``reader`` gives. symbols, units, dropout: as in ``teacher_decoder``. aligned: units
        of the ``Attention``.

    Inputs: memory (batch, steps, memory), real (batch, steps), said int (batch, n), state (batch, units).
    Outputs: logits (batch, n, symbols), the state after the last, and the weights (batch, n, steps).

        h_t = GRU(one_hot(y_{t−1}), h_{t−1}),   c_t = Attention(h_t, memory),
        p(y_t | …) = softmax(W tanh(V [h_t, c_t] + b) + d)

    Sources: Bahdanau et al., arXiv:1409.0473; to look after the step and not before it: Luong et al.,
    arXiv:1508.04025. Notebook: 10.
    """
    kept, real = keras.Input((steps, memory)), keras.Input((steps,))
    said, state = keras.Input((None,), dtype="int32"), keras.Input((units,))
    h, after = layers.GRU(units, return_sequences=True, return_state=True)(OneHot(symbols)(said), initial_state=state)
    h = layers.Dropout(dropout)(h)
    seen, weights = Attention(aligned)(h, kept, real)
    both = layers.Dense(units, activation="tanh")(layers.Concatenate()([h, seen]))
    logits = layers.Dense(symbols)(layers.Dropout(dropout)(both))
    return keras.Model([kept, real, said, state], [logits, after, weights])


@keras.saving.register_keras_serializable("course")
class Everywhere(layers.Layer):
    """The same vector at every step: (batch, d), and a sequence (batch, n, ...) → (batch, n, d). Notebook: 10."""

    def call(self, inputs: Sequence) -> object:
        vector, sequence = inputs
        return ops.repeat(vector[:, None], ops.shape(sequence)[1], axis=1)


@keras.saving.register_keras_serializable("course")
class Real(layers.Layer):
    """1 where a number is none of PAD: int (batch, steps) → float (batch, steps). Notebook: 10."""

    def call(self, sequence: object) -> object:
        return ops.cast(ops.not_equal(sequence, PAD), "float32")


@keras.saving.register_keras_serializable("course")
class Still(layers.Layer):
    """A state before anything was heard: (batch, ...) → zeros (batch, units). Notebook: 10."""

    def __init__(self, units: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.units = units

    def call(self, sequence: object) -> object:
        return ops.zeros((ops.shape(sequence)[0], self.units))

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}


def teacher_forced(encoder: keras.Model, decoder: keras.Model) -> keras.Model:
    """The two as one network to train: [source int (batch, steps), said int (batch, n)] → logits (batch, n, symbols).

    The encoder's and the decoder's weights are shared, not copied. Notebook: 10.
    """
    source, said = keras.Input(encoder.input_shape[1:], dtype="int32"), keras.Input((None,), dtype="int32")
    understood = encoder(source)
    understood = understood if isinstance(understood, list | tuple) else [understood]
    state = Still(decoder.inputs[-1].shape[-1])(said)
    return keras.Model([source, said], decoder([*understood, said, state])[0])


def said_before(target: np.ndarray) -> np.ndarray:
    """What a teacher says: int (n, steps), START and then the target without its last number. Notebook: 10."""
    return np.concatenate([np.full((len(target), 1), START, target.dtype), target[:, :-1]], axis=1)


keras.saving.register_keras_serializable("course")(Attention)
