"""Recurrent networks: one step after another, with a state that remembers what came before.

Sequences are whole numbers. ``PAD`` = 0 fills a batch behind the shorter ones, ``START`` = 1 begins and ``END`` = 2
ends each; what the others mean is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

PAD, START, END = 0, 1, 2


@keras.saving.register_keras_serializable("course")
class OneHot(layers.Layer):
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
    x = OneHot(symbols)(numbers)
    for cell in cells:
        x = layers.RNN(cell, return_sequences=True)(x)
        x = layers.SpatialDropout1D(dropout)(x)
    return keras.Model(numbers, layers.Dense(symbols)(x))


class ByLength(keras.utils.PyDataset):
    """Batches of sequences of about one length, other ones each epoch.

    sequences: of any lengths. noise: (low, high), by what a length is multiplied, so that neighbours mix. seed: of it.
    A subclass cuts the sequences, sorted by length, into ``cut``'s parts, and makes a batch of ``self.parts[index]``.
    """

    def __init__(self, sequences: Sequence, noise: tuple[float, float], seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.sequences, self.noise, self.random = list(sequences), noise, np.random.default_rng(seed)
        self.lengths = np.array([len(s) for s in sequences])
        self.on_epoch_end()

    @property
    def shape(self) -> tuple[int, int]:
        """Sequences, and the length of the longest."""
        return len(self.lengths), int(self.lengths.max())

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        """Indices of sequences, from short to long, in parts: one for each batch."""
        raise NotImplementedError

    def on_epoch_end(self) -> None:
        """Draws other batches."""
        order = np.argsort(self.lengths * self.random.uniform(*self.noise, len(self.lengths)), kind="stable")
        parts = self.cut(order)
        # Keras learns from the first two batches that the length varies: the shortest and the longest.
        mixed = [*dict.fromkeys([0, len(parts) - 1, *self.random.permutation(len(parts)).tolist()])]
        self.parts = [parts[i] for i in mixed]

    def __len__(self) -> int:
        return len(self.parts)


class Batches(ByLength):
    """Sequences of about the same length together, so that little padding is computed: x is the sequence without its
    last number, y the same without its first.

    sequences: int (steps,) each, of any length. numbers: about how many, padding included, in one batch.
    seed: of the order, another one each epoch.

    Each batch: int (batch, steps), int (batch, steps), filled up with PAD. Raises ValueError for a sequence of less
    than two numbers. Notebook: 05.
    """

    def __init__(self, sequences: Sequence[np.ndarray], numbers: int = 5000, seed: int = 0, **kwargs: object) -> None:
        lengths = [len(s) for s in sequences]
        if min(lengths) < 2:
            raise ValueError(
                f"a sequence of {min(lengths)} numbers; it needs two at least: what is given and what is asked."
            )
        # No part is empty if it has room for the longest sequence.
        self.count = max(1, sum(lengths) // max(numbers, *lengths))
        super().__init__(sequences, (0.9, 1.1), seed, **kwargs)

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        part = (np.cumsum(self.lengths[order]) * self.count - 1) // self.lengths.sum()
        return np.split(order, np.flatnonzero(np.diff(part)) + 1)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        batch = padded([self.sequences[i] for i in self.parts[index]])
        return batch[:, :-1], batch[:, 1:]


def padded(sequences: Sequence[np.ndarray], steps: int | None = None) -> np.ndarray:
    """int32 (sequences, steps): one below the other, filled up with PAD or cut at ``steps`` (default: the longest)."""
    result = np.full((len(sequences), steps or max(map(len, sequences))), PAD, np.int32)
    for row, sequence in zip(result, sequences, strict=True):
        row[: len(sequence)] = sequence[: len(row)]
    return result


@keras.saving.register_keras_serializable("course")
class TokenCrossEntropy(keras.losses.Loss):
    """−log softmax(logits)[target] at every step, in nats, and 0 where the target is PAD.

    per: "token", the mean over what is no padding, whose exponential is the perplexity; or "step", the mean over all
        steps, which times the steps is the sum over the sequence, as a ``VAE`` needs it.

    int (batch, steps), float (batch, steps, symbols) → scalar. Raises ValueError for another ``per``. Notebook: 05.
    """

    def __init__(self, per: str = "token", name: str = "token_cross_entropy", **kwargs: object) -> None:
        super().__init__(name=name, **kwargs)
        if per not in ("token", "step"):
            raise ValueError(f'per is "{per}"; it must be "token" or "step".')
        self.per = per

    def call(self, target: object, logits: object) -> object:
        target = ops.cast(target, "int32")
        real = ops.cast(ops.not_equal(target, PAD), logits.dtype)
        nats = real * keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
        return nats / ops.maximum(ops.mean(real), 1e-6) if self.per == "token" else nats

    def get_config(self) -> dict:
        return {**super().get_config(), "per": self.per}


def token_nats(model: keras.Model, sequences: Sequence[np.ndarray], numbers: int = 5000) -> list[np.ndarray]:
    """−log p of every number after the first, given all before it; float (len(sequence) − 1,) for each sequence.

    The exponential of the mean of all of them is the perplexity a number. Notebook: 05.
    """
    result: list[np.ndarray] = [np.empty(0)] * len(sequences)
    batches = Batches(sequences, numbers)
    for part, (x, y) in zip(batches.parts, map(batches.__getitem__, range(len(batches))), strict=True):
        logits = model.predict_on_batch(x).astype(np.float64)
        logits -= logits.max(-1, keepdims=True)
        log_p = np.take_along_axis(logits, y[..., None], -1)[..., 0] - np.log(np.exp(logits).sum(-1))
        for i, row in zip(part, log_p, strict=True):
            result[i] = -row[: len(sequences[i]) - 1]
    return result


def lstm_of_number(cell: layers.LSTMCell, number: object, state: list) -> tuple[object, list]:
    """What the cell says to one_hot(number), int (batch,): a row of its kernel in place of a product. Notebook: 05."""
    h, c = state
    gates = ops.take(cell.kernel, number, axis=0) + ops.matmul(h, cell.recurrent_kernel)
    gates = gates + cell.bias if cell.use_bias else gates
    i, f, g, o = ops.split(gates, 4, axis=-1)
    c = cell.recurrent_activation(f) * c + cell.recurrent_activation(i) * cell.activation(g)
    h = cell.recurrent_activation(o) * cell.activation(c)
    return h, [h, c]


class Generator(keras.Model):
    """Iterative feedforward with sampling: what was drawn is the next input, in one compiled loop.

    model: from ``recurrent``. It is read, not copied: after more training the generator plays better.

    Notebook: 05.
    """

    def __init__(self, model: keras.Model, jit: bool = True) -> None:
        super().__init__()
        self.chain = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer | layers.Dropout)]
        self.symbols = model.output_shape[-1]
        self.built = True
        self.compile(jit_compile=jit)

    def step(self, number: object, states: list) -> tuple[object, list]:
        """One step: int (batch,), a state for each recurrent layer → logits (batch, symbols), the new states."""
        x, after = number, []
        for layer in self.chain:
            if not isinstance(layer, layers.RNN):
                x = layer(x)
            elif isinstance(layer.cell, layers.LSTMCell) and not after:
                x, state = lstm_of_number(layer.cell, number, states[0])
                after.append(state)
            else:
                x, state = layer.cell(x, states[len(after)])
                after.append(state)
        return x, after

    def call(self, inputs: tuple) -> object:
        """prompt int (n, steps), chance (n, steps), temperature (n, 1), kept int (n, 1) → int (n, steps)."""
        prompt, chance, temperature, kept = inputs
        n, steps = ops.shape(prompt)
        states = [layer.get_initial_state(n) for layer in self.chain if isinstance(layer, layers.RNN)]
        never = ops.convert_to_tensor(np.where(np.isin(np.arange(self.symbols), (PAD, START)), -1e9, 0.0), "float32")
        any_symbol = ops.all(kept == self.symbols)

        def going_on(t: object, made: object, ended: object, states: list) -> object:
            return ops.logical_and(t < steps, ops.logical_not(ops.all(ended)))

        def draw(t: object, made: object, ended: object, states: list) -> tuple:
            logits, states = self.step(ops.take(made, t - 1, axis=1), states)
            logits = logits + never

            def likeliest() -> object:
                least = ops.take_along_axis(ops.sort(logits, axis=-1), self.symbols - kept, axis=-1)
                return ops.where(logits < least, -1e9, logits)

            chosen = ops.cond(any_symbol, lambda: logits, likeliest)  # sorting takes time in each step
            up_to = ops.cumsum(ops.softmax(chosen / temperature, axis=-1), axis=-1)
            # The first symbol whose share of 0..1 reaches up to the number drawn.
            drawn = ops.sum(ops.cast(up_to <= ops.take(chance, t, axis=1)[:, None] * up_to[:, -1:], "int32"), axis=-1)
            given = ops.take(prompt, t, axis=1)
            number = ops.where(given != PAD, given, ops.where(ended, PAD, ops.minimum(drawn, self.symbols - 1)))
            made = ops.slice_update(made, (0, t), number[:, None])
            return t + 1, made, ops.logical_or(ended, number == END), states

        begun = ops.where(ops.arange(steps, dtype="int32") == 0, prompt, PAD)
        ended = ops.zeros_like(prompt[:, 0], dtype="bool")
        return ops.while_loop(going_on, draw, (1, begun, ended, states))[1]

    def generate(
        self,
        n: int = 1,
        prompt: Sequence[int] = (START,),
        temperature: float = 1.0,
        top_k: int | None = None,
        longest: int = 512,
        seed: int = 0,
    ) -> np.ndarray:
        """int32 (n, longest): n sequences that begin with ``prompt``, end with END, and are filled up with PAD.

        temperature: p(x) ∝ exp(logit / temperature); near 0 always the likeliest, 1 as learnt, more is wilder.
        top_k: only the k likeliest numbers are drawn; None: any. longest: numbers at most, those of the prompt
        included: a sequence that is not yet over has no END. seed: of the draws.

        Raises ValueError for an empty or too long prompt, a temperature below 0, or a top_k below 1.
        """
        if not 0 < len(prompt) <= longest:
            raise ValueError(f"a prompt of {len(prompt)} numbers; it needs 1..{longest} (longest). Begin with START.")
        if temperature < 0 or (top_k is not None and top_k < 1):
            raise ValueError(f"temperature is {temperature}, top_k {top_k}; use 0 or more, and 1 or more.")
        inputs = (
            padded([prompt] * n, longest),
            np.random.default_rng(seed).random((n, longest), np.float32),
            np.full((n, 1), max(temperature, 1e-4), np.float32),
            np.full((n, 1), min(top_k or self.symbols, self.symbols), np.int32),
        )
        return np.asarray(self.predict_on_batch(inputs))


def rnn_encoder(steps: int, symbols: int, numbers: int, cells: Sequence[layers.Layer]) -> keras.Model:
    """Reads a sequence and keeps one vector: int (batch, steps) → (batch, numbers), W h_T + b with the last state h_T.

    PAD is passed over. numbers: size of the code for an ``Autoencoder``, twice its size for a ``VAE``. cells: as in
    ``recurrent``. Sources: Cho et al., arXiv:1406.1078; Fabius & van Amersfoort, arXiv:1412.6581. Notebook: 10.
    """
    sequence = keras.Input((steps,), dtype="int32")
    x = OneHot(symbols, masked=True)(sequence)
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
