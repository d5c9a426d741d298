"""Recurrent networks: one step after another, with a state that remembers what came before.

Sequences are whole numbers. ``PAD`` = 0 fills a batch behind the shorter ones, ``START`` = 1 begins and ``END`` = 2
ends each; what the others mean is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers, ops

from course_lib.architectures.tensors import Tensor, arguments, rebuilt
from course_lib.symbols import PAD

POSITIONS = 24
"""Sines and cosines of a positional encoding."""


class StepByStep(keras.Model):
    """The protocol of a network that predicts a sequence number by number: two methods, ``start`` and ``step``.

    A subclass builds its graph in ``__init__``, for training on whole sequences at once, and keeps its arguments as
    attributes, ``symbols`` (how many numbers there are) among them. ``Sampler`` and ``beam_search`` need no more.

    condition: what the network is conditioned on, a list of tensors (n, ...); [] for none. Notebooks: 05, 10, 11.
    """

    def start(self, condition: list[Tensor], n: int) -> list[Tensor]:
        """The states of n sequences before their first number, each (n, ...)."""
        raise NotImplementedError

    def step(self, number: Tensor, states: list[Tensor], condition: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The last number, int (n,), and the states before it → logits of the next one (n, symbols), the new states."""
        raise NotImplementedError

    def get_config(self) -> dict:
        return arguments(self)

    @classmethod
    def from_config(cls, config: dict) -> StepByStep:
        return rebuilt(cls, config)


class OneHotEmbedding(layers.Layer):
    """Numbers as one-hot vectors: int (...) → float (..., symbols).

    masked: whether the layers behind it keep their state where the number is PAD. Notebooks: 05, 10, 11.
    """

    def __init__(self, symbols: int, masked: bool = False, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.symbols, self.masked = symbols, masked

    def call(self, numbers: Tensor) -> Tensor:
        return ops.one_hot(numbers, self.symbols)

    def compute_mask(self, numbers: Tensor, mask: Tensor = None) -> Tensor:
        return ops.not_equal(numbers, PAD) if self.masked else None


class RecurrentModel(StepByStep):
    """LSTMⁿ, a language model: at every step, from the numbers so far, the logits of the next one.

    symbols: how many numbers there are. cells: one Keras cell a layer, such as ``[LSTMCell(512), LSTMCell(512)]``;
        SimpleRNNCell and GRUCell do as well. dropout: share of units that are silent, the same through a sequence.

    int (batch, steps) → logits (batch, steps, symbols). In each layer h_t = cell(input_t, h_{t−1}); the first input is
    one_hot(x_t), and p(x_{t+1} | x_1 … x_t) = softmax(W h_t + b). With 137 symbols and three LSTMCell(512) this is
    folk-rnn: 5,599,881 parameters. Sources: Sturm et al., arXiv:1604.08723; dropout: Gal & Ghahramani,
    arXiv:1512.05287. Notebook: 05.
    """

    def __init__(self, symbols: int, cells: Sequence[layers.Layer], dropout: float = 0.0, **kwargs: object) -> None:
        numbers, logits = keras.Input((None,), dtype="int32"), layers.Dense(symbols)
        x = OneHotEmbedding(symbols)(numbers)
        for cell in cells:
            x = layers.RNN(cell, return_sequences=True)(x)
            x = layers.SpatialDropout1D(dropout)(x)
        super().__init__(numbers, logits(x), **kwargs)
        self.symbols, self.cells, self.dropout, self.logits = symbols, list(cells), dropout, logits

    def start(self, condition: list[Tensor], n: int) -> list[Tensor]:
        return [cell.get_initial_state(batch_size=n) for cell in self.cells]

    def step(self, number: Tensor, states: list[Tensor], condition: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        x, after = ops.one_hot(number, self.symbols), []
        for cell, state in zip(self.cells, states, strict=True):
            x, state = cell(x, state)
            after.append(state)
        return self.logits(x), after


def rnn_encoder(steps: int | None, symbols: int, numbers: int, cells: Sequence[layers.Layer]) -> keras.Model:
    """Reads a sequence and keeps one vector: int (batch, steps) → (batch, numbers), W h_T + b with the last state h_T.

    PAD is passed over. steps: None for any number of them. numbers: size of the code for an ``Autoencoder``, twice its
    size for a ``VAE``. cells: as in ``RecurrentModel``. Sources: Cho et al., arXiv:1406.1078; Fabius & van Amersfoort,
    arXiv:1412.6581. Notebooks: 10, 11.
    """
    sequence = keras.Input((steps,), dtype="int32")
    x = OneHotEmbedding(symbols, masked=True)(sequence)
    for number, cell in enumerate(cells, 1):
        x = layers.RNN(cell, return_sequences=number < len(cells))(x)
    return keras.Model(sequence, layers.Dense(numbers)(x))


def first_states(cell: layers.Layer) -> list[layers.Layer]:
    """A layer for each state of a cell that makes the first one from a code z: h_0 = tanh(V z + c).

    Notebooks: 10, 11.
    """
    sizes = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
    return [layers.Dense(size, activation="tanh") for size in sizes]


class FreeRunningDecoder(StepByStep):
    """A decoder that is fed its own predictions, in training too: (batch, code) → logits (batch, steps, symbols).

    code: numbers of z. steps: of every output. symbols: how many numbers there are. cell: one Keras cell.

        h_0 = tanh(V z + c),   h_t = cell([z, p_{t−1}], h_{t−1}),   p_t = softmax(W h_t + b),   p_0 = 0

    There is no *teacher forcing*: it never sees the true numbers before. Sources: Cho et al., arXiv:1406.1078; Fabius &
    van Amersfoort, arXiv:1412.6581. Notebooks: 10, 11.
    """

    def __init__(self, code: int, steps: int, symbols: int, cell: layers.Layer, **kwargs: object) -> None:
        z, first, feedback = keras.Input((code,)), first_states(cell), FeedbackCell(cell, symbols)
        nothing = ops.zeros_like(z[:, :1]) + np.zeros(symbols, "float32")  # no number is predicted yet
        states = [nothing, *(layer(z) for layer in first)]
        logits = layers.RNN(feedback, return_sequences=True)(layers.RepeatVector(steps)(z), initial_state=states)
        super().__init__(z, logits, **kwargs)
        self.code, self.steps, self.symbols, self.cell = code, steps, symbols, cell
        self.first, self.feedback = first, feedback

    def start(self, condition: list[Tensor], n: int) -> list[Tensor]:
        return [ops.zeros((n, self.symbols)), *(layer(condition[0]) for layer in self.first)]

    def step(self, number: Tensor, states: list[Tensor], condition: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        return self.feedback(condition[0], states)  # its own probabilities are its input, not the number chosen


class FeedbackCell(layers.Layer):
    """A cell that is also fed its last prediction: (batch, inputs), states → logits (batch, symbols), states.

    cell: the Keras cell inside. Its states follow the probabilities predicted, softmax(logits). Notebook: 10.
    """

    def __init__(self, cell: layers.Layer, symbols: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.cell, self.symbols = cell, symbols
        inner = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
        self.state_size, self.output_size = [symbols, *inner], symbols
        self.logits = layers.Dense(symbols)

    def build(self, input_shape: Sequence[int | None]) -> None:
        if not self.cell.built:
            self.cell.build((input_shape[0], input_shape[-1] + self.symbols))
        self.logits.build((input_shape[0], self.cell.output_size))

    def call(self, inputs: Tensor, states: Sequence[Tensor], training: bool | None = None) -> tuple:
        predicted, *inner = states
        h, inner = self.cell(ops.concatenate([inputs, predicted], axis=-1), inner, training=training)
        logits = self.logits(h)
        return logits, [ops.softmax(logits), *(inner if isinstance(inner, list | tuple) else [inner])]

    def get_config(self) -> dict:
        return arguments(self)

    @classmethod
    def from_config(cls, config: dict) -> FeedbackCell:
        return rebuilt(cls, config)


def positional_encoding(t: Tensor, size: int = POSITIONS) -> Tensor:
    """Sines and cosines of the number of a step: t float (...), 0, 1, 2, … → (..., size).

        sin(t · 100^(−2i / size)) and the cosines of the same, i = 0 … size/2 − 1

    Source: Vaswani et al., arXiv:1706.03762 (there with 10,000). Notebooks: 10, 11.
    """
    angle = ops.expand_dims(t, -1) * (100.0 ** (-2 * np.arange(size // 2, dtype="float32") / size))
    return ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)


def step_numbers(sequence: Tensor) -> Tensor:
    """The number of each step of int (batch, steps): float (batch, steps), 0, 1, 2, … Notebooks: 10, 11."""
    return ops.cumsum(ops.cast(ops.ones_like(sequence), "float32"), axis=1) - 1


class WordDropout(layers.Layer):
    """In training PAD in the place of a share of the numbers, so that what is missing has to come from the code.

    share: of the numbers. seed: of the choice. int (batch, steps) → the same. Raises ValueError for a share outside
    0..1. Source: Bowman et al., arXiv:1511.06349. Notebooks: 10, 11.
    """

    def __init__(self, share: float, seed: int = 0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if not 0 <= share <= 1:
            raise ValueError(f"word dropout is {share}; it is a share, 0..1.")
        self.share, self.seed = share, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, numbers: Tensor, training: bool = False) -> Tensor:
        if not training or not self.share:
            return numbers
        return ops.where(keras.random.uniform(ops.shape(numbers), seed=self.generator) < self.share, PAD, numbers)


class RecurrentDecoder(StepByStep):
    """A teacher-forced decoder: p(x | z) = Π_t p(x_t | x_1 … x_{t−1}, z), for sequences of any length.

    | symbol | shape | meaning |
    | z | (batch, code) | the code, an input of every step |
    | previous | int (batch, steps) | START, then the *true* numbers, one step late: ``shifted_right`` |
    | output | (batch, steps, symbols) | logits of the number that follows each previous one |

    code, symbols: sizes as above. cell: one Keras cell. positions: size of a positional encoding among the inputs;
        0: none. from_code: whether the first state is h_0 = tanh(V z + c), or zeros. word_dropout: share of the
        previous numbers that are masked in training. dropout: share of units that are silent, the same through a
        sequence.

        h_t = cell([one_hot(x_{t−1}), encoding(t), z], h_{t−1}),   p(x_t | x_1 … x_{t−1}, z) = softmax(W h_t + b)

    To write where there is no x: ``Sampler``, ``beam_search``. Sources: Cho et al., arXiv:1406.1078; Fabius & van
    Amersfoort, arXiv:1412.6581; Bowman et al., arXiv:1511.06349. Notebooks: 10, 11.
    """

    def __init__(
        self,
        code: int,
        symbols: int,
        cell: layers.Layer,
        positions: int = 0,
        from_code: bool = True,
        word_dropout: float = 0.0,
        dropout: float = 0.0,
        **kwargs: object,
    ) -> None:
        z, previous = keras.Input((code,)), keras.Input((None,), dtype="int32")
        first, logits = first_states(cell) if from_code else [], layers.Dense(symbols)
        states = [layer(z) for layer in first]
        t = step_numbers(previous)
        everywhere = ops.zeros_like(t[..., None]) + z[:, None]  # (batch, steps, code)
        numbers = WordDropout(word_dropout)(previous)
        x = ops.concatenate(self.inputs_of(numbers, t, everywhere, symbols, positions), axis=-1)
        h = layers.RNN(cell, return_sequences=True)(x, initial_state=states or None)
        h = layers.SpatialDropout1D(dropout)(h)
        super().__init__([z, previous], logits(h), **kwargs)
        self.code, self.symbols, self.cell, self.positions, self.from_code = code, symbols, cell, positions, from_code
        self.word_dropout, self.dropout, self.first, self.logits = word_dropout, dropout, first, logits

    @staticmethod
    def inputs_of(numbers: Tensor, t: Tensor, z: Tensor, symbols: int, positions: int) -> list[Tensor]:
        """What the cell gets at one step (n, …), or at all of them (batch, steps, …)."""
        encoding = [positional_encoding(t, positions)] if positions else []
        return [ops.one_hot(numbers, symbols), *encoding, z]

    def start(self, condition: list[Tensor], n: int) -> list[Tensor]:
        states = [layer(condition[0]) for layer in self.first] or self.cell.get_initial_state(batch_size=n)
        return [*states, ops.zeros((n,))]

    def step(self, number: Tensor, states: list[Tensor], condition: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        *states, t = states
        x = self.inputs_of(number, t, condition[0], self.symbols, self.positions)
        h, states = self.cell(ops.concatenate(x, axis=-1), states)
        return self.logits(h), [*states, t + 1]


Reader = Callable[..., Tensor]
"""Called as ``reader(x, mask=...)``: float (batch, steps, features), bool (batch, steps) → (batch, steps, units)."""


def bidirectional(forward: Reader, backward: Reader) -> Reader:
    """Bidirectional(RNN, RNN): at every step what comes before it and what comes after it.

    forward, backward: any two layers, such as ``LSTM(96, return_sequences=True)``, or ``bidirectional`` again.

    Gives [→h_t, ←h_t], (batch, steps, both units), with →h_t = forward(x_t, →h_{t−1}) and
    ←h_t = backward(x_t, ←h_{t+1}). Steps where the mask is False are passed over.
    Source: Schuster & Paliwal, IEEE Trans. Signal Processing 45 (1997). Notebook: 09.
    """

    def both(x: Tensor, mask: Tensor = None) -> Tensor:
        turned = None if mask is None else ops.flip(mask, axis=1)
        past, future = forward(x, mask=mask), backward(ops.flip(x, axis=1), mask=turned)
        return ops.concatenate([past, ops.flip(future, axis=1)], axis=-1)  # what was read last stands first

    return both


def labeller(features: int, labels: int, readers: Sequence[Reader], dropout: float = 0.0) -> keras.Model:
    """A label for every step of a sequence: float (batch, steps, features) → logits (batch, steps, labels).

    readers: one above the other; ``LSTM(96, return_sequences=True)`` knows what came so far, ``bidirectional`` all of
        the sequence. dropout: share of what is silent in training, behind each of them. Steps whose features are all 0
        are padding. Notebook: 09.
    """
    x = keras.Input((None, features))
    h, real = x, ops.any(ops.not_equal(x, 0), axis=-1)
    for reader in readers:
        h = layers.Dropout(dropout)(reader(h, mask=real))
    return keras.Model(x, layers.Dense(labels)(h))


for _one in (OneHotEmbedding, RecurrentModel, FreeRunningDecoder, FeedbackCell, WordDropout, RecurrentDecoder):
    keras.saving.register_keras_serializable("course")(_one)
