"""Attention: an encoder that keeps every step, and a decoder that weighs the steps anew each time."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers, ops

from course_lib.architectures.recurrent import OneHotEmbedding, StepByStep, positional_encoding, step_numbers
from course_lib.architectures.tensors import Tensor
from course_lib.symbols import PAD


class Attention(layers.Layer):
    """A weighted mean of the memory, with weights that add up to one.

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
        self.query, self.compared = layers.Dense(units), layers.Dense(units)

    def build(self, query_shape: Sequence, memory_shape: Sequence, real_shape: Sequence) -> None:
        self.query.build(query_shape)
        self.compared.build(memory_shape)

    def call(self, query: Tensor, memory: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        score = ops.matmul(self.query(query), ops.transpose(self.compared(memory), (0, 2, 1))) / self.units**0.5
        weights = ops.softmax(score - 1e9 * (1 - real[:, None]), axis=-1)
        return ops.matmul(weights, memory), weights


def attention_encoder(steps: int, symbols: int, units: int = 96, dropout: float = 0.1) -> keras.Model:
    """An encoder that keeps *every* step: a GRU in each direction, and a positional encoding.

    int (batch, steps) → memory (batch, steps, 2 · units + POSITIONS), and real (batch, steps): 1, or 0 for padding.
    Source: Bahdanau et al., arXiv:1409.0473, without the positional encoding. Notebook: 10.
    """
    sequence = keras.Input((steps,), dtype="int32")
    x = OneHotEmbedding(symbols, masked=True)(sequence)
    h = layers.Dropout(dropout)(layers.Bidirectional(layers.GRU(units, return_sequences=True))(x))
    memory = ops.concatenate([h, positional_encoding(step_numbers(sequence))], axis=-1)
    return keras.Model(sequence, [memory, ops.cast(ops.not_equal(sequence, PAD), "float32")])


class AttentiveDecoder(StepByStep):
    """A teacher-forced decoder that weighs, at every step, what it needs of the memory.

    | symbol | shape | meaning |
    | memory, real | (batch, steps, memory), (batch, steps) | what ``attention_encoder`` gives |
    | previous | int (batch, n) | START, then the *true* numbers, one step late: ``shifted_right`` |
    | output | (batch, n, symbols) | logits of the number that follows each previous one |

    steps, memory, symbols: sizes as above. units: of its GRU. compared: units of the ``Attention``. dropout: share of
        units that are silent in training.

        h_t = GRU([one_hot(y_{t−1}), encoding(t)], h_{t−1}),   c_t = Attention([h_t, encoding(t)], memory),
        p(y_t | y_1 … y_{t−1}, x) = softmax(W tanh(V [h_t, c_t] + b) + d)

    Sources: Bahdanau et al., arXiv:1409.0473; attention after the step, not before it: Luong et al.,
    arXiv:1508.04025. Notebook: 10.
    """

    def __init__(
        self,
        steps: int,
        memory: int,
        symbols: int,
        units: int = 192,
        compared: int = 64,
        dropout: float = 0.1,
        **kwargs: object,
    ) -> None:
        kept, real = keras.Input((steps, memory)), keras.Input((steps,))
        previous = keras.Input((None,), dtype="int32")
        cell, attention = layers.GRUCell(units), Attention(compared)
        joined, logits = layers.Dense(units, activation="tanh"), layers.Dense(symbols)
        encoding = positional_encoding(step_numbers(previous))
        x = ops.concatenate([ops.one_hot(previous, symbols), encoding], axis=-1)
        h = layers.Dropout(dropout)(layers.RNN(cell, return_sequences=True)(x))
        context, weights = attention(ops.concatenate([h, encoding], axis=-1), kept, real)
        both = joined(ops.concatenate([h, context], axis=-1))
        super().__init__([kept, real, previous], logits(layers.Dropout(dropout)(both)), **kwargs)
        self.steps, self.memory, self.symbols, self.units = steps, memory, symbols, units
        self.compared, self.dropout, self.weights_tensor = compared, dropout, weights
        self.cell, self.attention, self.joined, self.logits = cell, attention, joined, logits

    def attention_weights(self, memory: Tensor, real: Tensor, previous: Tensor) -> Tensor:
        """The weights of attention, given the numbers before: float (batch, n, steps)."""
        given = [ops.convert_to_tensor(one) for one in (memory, real, previous)]
        return keras.Model(self.inputs, self.weights_tensor)(given, training=False)

    def start(self, condition: list[Tensor], n: int) -> list[Tensor]:
        return [*self.cell.get_initial_state(batch_size=n), ops.zeros((n,))]

    def step(self, number: Tensor, states: list[Tensor], condition: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        *states, t = states
        encoding = positional_encoding(t)
        h, states = self.cell(ops.concatenate([ops.one_hot(number, self.symbols), encoding], axis=-1), states)
        context, _ = self.attention(ops.concatenate([h, encoding], axis=-1)[:, None], *condition)
        return self.logits(self.joined(ops.concatenate([h, context[:, 0]], axis=-1))), [*states, t + 1]


for _one in (Attention, AttentiveDecoder):
    keras.saving.register_keras_serializable("course")(_one)
