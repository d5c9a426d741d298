"""What the variational recurrent autoencoder needs beside ``VAE`` and ``rnn_encoder``: a recurrent decoder that is
taught, and a writer for it.

Sequences are whole numbers as in ``recurrent``: the example is everything after START, END included, then PAD.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from course_lib.architectures.recurrent import END, PAD, START, Batches, TokenCrossEntropy


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


class SequenceCrossEntropy(TokenCrossEntropy):
    """−log softmax(logits)[target] in nats, summed over the sequence, whatever its length; PAD counts nothing.

    For a ``VAE(..., steps=1)``, since the loss is no mean over steps. int (batch, steps), float (batch, steps,
    symbols) → scalar, mean over the batch. Notebook: 11.
    """

    def __init__(self, name: str = "sequence_cross_entropy", **kwargs: object) -> None:
        kwargs.pop("per", None)
        super().__init__("step", name, **kwargs)

    def call(self, target: object, logits: object) -> object:
        return ops.sum(super().call(target, logits), axis=-1)


class Examples(Batches):
    """``Batches`` for an autoencoder: x and y are the same, each sequence without its START. Notebook: 11."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        _, rest = super().__getitem__(index)
        return rest, rest


class Writer(keras.Model):
    """Writes with a ``taught_decoder`` where there is no example: what was drawn is told to the next step.

    decoder: it is read, not copied: after more training the writer writes better.

    ``writer.write(z, temperature, chance, longest)``: codes (n, d) → int32 (n, longest); each row ends with END and is
    filled up with PAD; one that is not yet over has no END. temperature: 0 takes the likeliest number, above 0 a
    number of probability p is drawn with a chance ∝ p^(1/T). chance: the dice, numbers in 0..1, (longest,) for all
    codes or (n, longest); needed above 0. With the same dice the result depends on z alone.

    Raises ValueError for codes or dice of another shape, and for a negative temperature. Notebook: 11.
    """

    def __init__(self, decoder: keras.Model) -> None:
        super().__init__()
        self.told, self.cell = decoder.get_layer("told"), decoder.get_layer("rnn").cell
        self.logits = decoder.get_layer("logits")
        self.first = [layer for layer in decoder.layers if layer.name.startswith("first_")]
        self.code = decoder.inputs[0].shape[1]
        self.built = True
        self.compile(jit_compile=False)

    def write(
        self, z: np.ndarray, temperature: float = 0.0, chance: np.ndarray | None = None, longest: int = 64
    ) -> np.ndarray:
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.code:
            raise ValueError(f"codes of shape {z.shape}; they must be (n, {self.code}).")
        shape = len(z), longest
        if temperature < 0 or (temperature and np.shape(chance) not in (shape, shape[1:])):
            raise ValueError(
                f"temperature {temperature} with dice of shape {None if chance is None else np.shape(chance)}: it must "
                f"not be negative, and above 0 it needs numbers in 0..1 of shape {shape[1:]} or {shape}."
            )
        dice = np.broadcast_to(0.0 if chance is None else chance, shape).astype(np.float32)
        heat = np.full((len(z), 1), temperature, np.float32)
        return np.asarray(self.predict_on_batch((z, dice, heat)))

    def call(self, inputs: tuple) -> object:
        """z (n, d), dice (n, steps), temperature (n, 1) → int (n, steps)."""
        z, dice, heat = inputs
        n, steps = ops.shape(dice)
        never = np.where(np.isin(np.arange(self.told.symbols), (PAD, START)), -1e9, 0.0).astype(np.float32)
        begun = ops.full((n,), START, "int32")

        def going_on(t: object, made: object, before: object, ended: object, states: list) -> object:
            return ops.logical_and(t < steps, ops.logical_not(ops.all(ended)))

        def draw(t: object, made: object, before: object, ended: object, states: list) -> tuple:
            told = self.told.beside(z, before)
            h, states = self.cell(told, states)
            logits = self.logits(h) + never
            up_to = ops.cumsum(ops.softmax(logits / ops.maximum(heat, 1e-4), axis=-1), axis=-1)
            # The first symbol whose share of 0..1 reaches beyond the number drawn.
            drawn = ops.sum(ops.cast(up_to <= ops.take(dice, t, axis=1)[:, None] * up_to[:, -1:], "int32"), axis=-1)
            drawn = ops.minimum(drawn, self.told.symbols - 1)
            number = ops.where(heat[:, 0] > 0, drawn, ops.cast(ops.argmax(logits, axis=-1), "int32"))
            number = ops.where(ended, PAD, number)
            made = ops.slice_update(made, (0, t), number[:, None])
            return t + 1, made, number, ops.logical_or(ended, number == END), states

        made = ops.full((n, steps), PAD, "int32")
        ended = ops.zeros((n,), dtype="bool")
        states = [layer(z) for layer in self.first]
        return ops.while_loop(going_on, draw, (0, made, begun, ended, states))[1]


for _own in (Told, SequenceCrossEntropy):  # below, so that the lesson shows the classes as %load gives them
    keras.saving.register_keras_serializable("course")(_own)
