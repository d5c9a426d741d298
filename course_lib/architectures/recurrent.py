"""Recurrent networks: one step after another, with a state that remembers what came before.

Sequences are whole numbers. ``PAD`` = 0 fills a batch behind the shorter ones, ``START`` = 1 begins and ``END`` = 2
ends each; what the others mean is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers, ops

from course_lib.symbols import PAD, START


@keras.saving.register_keras_serializable("course")
class OneHotEmbedding(layers.Layer):
    """Numbers as one-hot vectors: int (...) → float (..., symbols).

    masked: tells the layers behind it to keep their state where the number is PAD. Notebook: 05.
    """

    def __init__(self, symbols: int, masked: bool = False, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.symbols, self.masked = symbols, masked

    def call(self, numbers: object) -> object:
        return ops.one_hot(numbers, self.symbols)

    def compute_mask(self, numbers: object, mask: object = None) -> object:
        return ops.not_equal(numbers, PAD) if self.masked else None

    def get_config(self) -> dict:
        return {**super().get_config(), "symbols": self.symbols, "masked": self.masked}


def recurrent(symbols: int, cells: Sequence[layers.Layer], dropout: float = 0.0) -> keras.Model:
    """A language model: at every step, from the numbers so far, the logits of the next one.

    symbols: how many numbers there are. cells: one Keras cell a layer, such as ``[LSTMCell(512), LSTMCell(512)]``;
        SimpleRNNCell and GRUCell do as well. dropout: share of units that are silent, the same through a sequence.

    int (batch, steps) → logits (batch, steps, symbols). In each layer h_t = cell(input_t, h_{t−1}); the first input is
    one_hot(x_t), and p(x_{t+1} | x_1 … x_t) = softmax(W h_t + b). With 137 symbols and three LSTMCell(512) this is
    folk-rnn: 5,599,881 parameters. Sources: Sturm et al., arXiv:1604.08723; dropout: Gal & Ghahramani,
    arXiv:1512.05287. Notebook: 05.
    """
    numbers = keras.Input((None,), dtype="int32")
    x = OneHotEmbedding(symbols)(numbers)
    for cell in cells:
        x = layers.RNN(cell, return_sequences=True)(x)
        x = layers.SpatialDropout1D(dropout)(x)
    return keras.Model(numbers, layers.Dense(symbols)(x))


def rnn_encoder(steps: int, symbols: int, numbers: int, cells: Sequence[layers.Layer]) -> keras.Model:
    """Reads a sequence and keeps one vector: int (batch, steps) → (batch, numbers), W h_T + b with the last state h_T.

    PAD is passed over. numbers: size of the code for an ``Autoencoder``, twice its size for a ``VAE``. cells: as in
    ``recurrent``. Sources: Cho et al., arXiv:1406.1078; Fabius & van Amersfoort, arXiv:1412.6581. Notebook: 10.
    """
    sequence = keras.Input((steps,), dtype="int32")
    x = OneHotEmbedding(symbols, masked=True)(sequence)
    for number, cell in enumerate(cells, 1):
        x = layers.RNN(cell, return_sequences=number < len(cells))(x)
    return keras.Model(sequence, layers.Dense(numbers)(x))


def rnn_decoder(code: int, steps: int, symbols: int, cell: layers.Layer, feedback: bool = True) -> keras.Model:
    """Writes a sequence from one vector: (batch, code) → logits (batch, steps, symbols).

    The first state is h_0 = tanh(V z + c), and every step sees z. feedback: every step also sees the probabilities
    of the step before (no *teacher forcing*: it never sees the right answer). cell: one Keras cell with ``units``.
    Sources: Cho et al., arXiv:1406.1078; Fabius & van Amersfoort, arXiv:1412.6581. Notebook: 10.
    """
    z = keras.Input((code,))
    sizes = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
    first = [layers.Dense(size, activation="tanh")(z) for size in sizes]
    every = layers.RepeatVector(steps)(z)
    if feedback:
        states = [Silence(symbols)(z), *first]
        logits = layers.RNN(FeedbackCell(cell, symbols), return_sequences=True)(every, initial_state=states)
    else:
        logits = layers.Dense(symbols)(layers.RNN(cell, return_sequences=True)(every, initial_state=first))
    return keras.Model(z, logits)


@keras.saving.register_keras_serializable("course")
class Silence(layers.Layer):
    """Nothing has been said yet: (batch, ...) → zeros (batch, symbols). Notebook: 10."""

    def __init__(self, symbols: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.symbols = symbols

    def call(self, z: object) -> object:
        return ops.zeros((ops.shape(z)[0], self.symbols))

    def get_config(self) -> dict:
        return {**super().get_config(), "symbols": self.symbols}


@keras.saving.register_keras_serializable("course")
class FeedbackCell(layers.Layer):
    """A cell that also sees what it said a step before: (batch, inputs), states → logits (batch, symbols), states.

    cell: the Keras cell inside. Its states follow the probabilities said, softmax(logits). Notebook: 10.
    """

    def __init__(self, cell: layers.Layer, symbols: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.cell, self.symbols = cell, symbols
        inner = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
        self.state_size, self.output_size = [symbols, *inner], symbols
        self.logits = layers.Dense(symbols)

    def build(self, input_shape: Sequence[int | None]) -> None:
        if not self.cell.built:  # in a model read from a file it is
            self.cell.build((input_shape[0], input_shape[-1] + self.symbols))
        self.logits.build((input_shape[0], self.cell.output_size))

    def call(self, inputs: object, states: Sequence, training: bool | None = None) -> tuple:
        said, *inner = states
        h, inner = self.cell(ops.concatenate([inputs, said], axis=-1), inner, training=training)
        logits = self.logits(h)
        return logits, [ops.softmax(logits), *(inner if isinstance(inner, list | tuple) else [inner])]

    def get_config(self) -> dict:
        cell = keras.saving.serialize_keras_object(self.cell)
        return {**super().get_config(), "cell": cell, "symbols": self.symbols}

    @classmethod
    def from_config(cls, config: dict) -> FeedbackCell:
        return cls(**{**config, "cell": keras.saving.deserialize_keras_object(config["cell"])})


def forward_only(features: int, labels: int, cells: Sequence[layers.Layer], dropout: float = 0.0) -> keras.Model:
    """A label for every step from what came so far: float (batch, steps, features) → logits (batch, steps, labels).

    cells: a Keras cell for each layer, such as ``LSTMCell(128)``. dropout: share of what is silent in training. Steps
    whose features are all 0 are padding. Notebook: 09.
    """
    x = keras.Input((None, features))
    h, real = x, ops.any(ops.not_equal(x, 0), axis=-1)
    for cell in cells:
        h = layers.Dropout(dropout)(layers.RNN(cell, return_sequences=True)(h, mask=real))
    return keras.Model(x, layers.Dense(labels)(h))


def bidirectional(
    features: int, labels: int, cells: Sequence[tuple[layers.Layer, layers.Layer]], dropout: float = 0.0
) -> keras.Model:
    """A label for every step from all that comes before and after it.

    cells: for each layer a Keras cell that reads forward and one that reads backward. The rest is as in
    ``forward_only``. →h_t = forward(x_t, →h_{t−1}), ←h_t = backward(x_t, ←h_{t+1}), logits_t = W [→h_t, ←h_t] + b.
    Source: Schuster & Paliwal, IEEE Trans. Signal Processing 45 (1997). Notebook: 09.
    """
    x = keras.Input((None, features))
    h, real = x, ops.any(ops.not_equal(x, 0), axis=-1)
    for forward, backward in cells:
        past = layers.RNN(forward, return_sequences=True)(h, mask=real)
        future = layers.RNN(backward, return_sequences=True, go_backwards=True)(h, mask=real)
        both = ops.concatenate([past, ops.flip(future, axis=1)], axis=-1)  # what was read last stands first
        h = layers.Dropout(dropout)(both)
    return keras.Model(x, layers.Dense(labels)(h))


class Told(layers.Layer):
    """What the decoder is told at each step: the number before, one-hot, and the code z.

    symbols: how many numbers there are. word_dropout: share of the numbers that are silenced while it trains, START
        too: PAD stands in their place, so that what is missing has to come from z (Bowman et al., arXiv:1511.06349).
        seed: of the silence.

    (z (batch, d), x int (batch, steps)) → float (batch, steps, symbols + d). Raises ValueError for a share outside
    0..1. Notebook: 11.
    """

    def __init__(self, symbols: int, word_dropout: float = 0.0, seed: int = 0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if not 0 <= word_dropout <= 1:
            raise ValueError(f"word_dropout is {word_dropout}; it is a share, 0..1.")
        self.symbols, self.word_dropout, self.seed = symbols, word_dropout, seed
        self.chance = keras.random.SeedGenerator(seed)

    def call(self, z: object, x: object, training: bool = False) -> object:
        x = ops.cast(x, "int32")
        before = ops.concatenate([ops.full_like(x[:, :1], START), x[:, :-1]], axis=1)
        if training and self.word_dropout:
            heard = keras.random.uniform(ops.shape(before), seed=self.chance) >= self.word_dropout
            before = ops.where(heard, before, PAD)
        return self.beside(z[:, None], before)

    def beside(self, z: object, before: object) -> object:
        """(z (batch, 1, d), the numbers before (batch, steps)) → (batch, steps, symbols + d)."""
        every = ops.ones_like(before[..., None], dtype=z.dtype) * z
        return ops.concatenate([ops.one_hot(before, self.symbols, dtype=z.dtype), every], axis=-1)

    def compute_output_shape(self, z_shape: tuple, x_shape: tuple) -> tuple:
        return (*x_shape, self.symbols + z_shape[-1])

    def get_config(self) -> dict:
        own = {"symbols": self.symbols, "word_dropout": self.word_dropout, "seed": self.seed}
        return {**super().get_config(), **own}


def taught_decoder(
    code: int, symbols: int, cell: layers.Layer, word_dropout: float = 0.0, dropout: float = 0.0
) -> keras.Model:
    """A recurrent decoder with a teacher: p(x | z) = Π_t p(x_t | x_1 … x_{t−1}, z), sequences of any length.

    code: d, the numbers of z. symbols: how many numbers there are. cell: one Keras cell, such as ``GRUCell(160)``.
        word_dropout: as in ``Told``. dropout: share of units that are silent, the same through a sequence.

    Two inputs, z (batch, d) and the example x, int (batch, steps) → logits (batch, steps, symbols). The first state
    is h_0 = tanh(V z + c), and every step sees z and the *true* number before it. To write where there is no x:
    ``Writer``. Sources: Fabius & van Amersfoort, arXiv:1412.6581; with a teacher: Bowman et al., arXiv:1511.06349.
    Notebook: 11.
    """
    z, x = keras.Input((code,), name="z"), keras.Input((None,), dtype="int32", name="x")
    sizes = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
    first = [layers.Dense(size, activation="tanh", name=f"first_{i}")(z) for i, size in enumerate(sizes)]
    told = Told(symbols, word_dropout, name="told")(z, x)
    h = layers.RNN(cell, return_sequences=True, name="rnn")(told, initial_state=first)
    h = layers.SpatialDropout1D(dropout)(h)
    return keras.Model([z, x], layers.Dense(symbols, name="logits")(h))


keras.saving.register_keras_serializable("course")(Told)
