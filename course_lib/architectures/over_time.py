"""Networks of frames in time at work: batches for them, what unseen sequences cost, and new frames, one after another.

For models of ``OverTime`` whose RNN is one Keras layer with a cell: ``SimpleRNN``, ``GRU``, ``LSTM``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from course_lib.architectures.batches import NO_FRAME, padded_frames, with_transposition
from course_lib.architectures.boltzmann import RBM
from course_lib.architectures.nade import NADE
from course_lib.architectures.partition import importance_weights


class OverTime(keras.Model):
    """Composition of an RNN, along time, and a model of frames, across keys: the RNN moves the frame model's biases.

    rnn: Keras model or layer, (batch, steps, inputs) → (batch, steps, units), that sees only what it is given so far.
    frames: called as frames(v, visible, hidden), v (frames, D); D is its attribute ``visible``.
    sizes: how many numbers visible and hidden are; 0: the frame model takes none.
    dropout: share of the RNN's units that the biases do not hear while it trains.

    Columns of the input behind the D keys are no part of a frame. They are told to the RNN at their own step: metre,
    transposition, whatever is known.
    """

    def __init__(
        self,
        rnn: keras.Model | layers.Layer,
        frames: layers.Layer,
        sizes: tuple[int, int],
        dropout: float = 0.0,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.rnn, self.frames, self.rate = rnn, frames, dropout
        self.dropout = layers.Dropout(dropout)
        self.to_visible, self.to_hidden = (
            layers.Dense(size, use_bias=False, name=name) if size else None
            for size, name in zip(sizes, ("to_visible", "to_hidden"), strict=True)
        )

    def past(self, v: object, training: bool | None = None) -> object:
        """What the RNN knows before each frame: (batch, steps, D + told) → (batch, steps, units)."""
        v = ops.maximum(ops.cast(v, "float32"), 0.0)
        keys = v[..., : self.frames.visible]
        before = ops.concatenate([ops.zeros_like(keys[:, :1]), keys[:, :-1]], axis=1)
        told = v[..., self.frames.visible :]
        h = self.rnn(ops.concatenate([before, told], axis=-1) if told.shape[-1] else before, training=training)
        return self.dropout(h, training=training)

    def moved(self, h: object) -> tuple:
        """What is added to the frame model's biases: (frames, units) → visible (frames, …), hidden (frames, …)."""
        return tuple(to(h) if to else None for to in (self.to_visible, self.to_hidden))

    def call(self, v: object, training: bool | None = None) -> object:
        h = self.past(v, training=training)
        v = ops.cast(v, "float32")[..., : self.frames.visible]
        # What fills up is left out, not multiplied by zero.
        real = ops.reshape(v[..., 0] != NO_FRAME, (-1,))
        (at,) = ops.nonzero(real)
        frames = ops.take(ops.reshape(v, (-1, self.frames.visible)), at, axis=0)
        h = ops.take(ops.reshape(h, (-1, h.shape[-1])), at, axis=0)
        nats = self.frame_nats(frames, *self.moved(h), training)
        return ops.reshape(ops.segment_sum(nats, ops.cast(at, "int32"), ops.shape(real)[0]), ops.shape(v)[:2])

    def frame_nats(self, v: object, visible: object, hidden: object, training: bool | None) -> object:
        """What each frame costs, (frames,)."""
        return self.frames(v, visible, hidden)

    def compute_loss(
        self,
        x: object = None,
        y: object = None,
        y_pred: object = None,
        sample_weight: object = None,
        training: bool = True,
    ) -> object:
        counts = ops.cast(x[..., 0] != NO_FRAME, "float32")
        if sample_weight is not None:
            counts = counts * sample_weight
        return ops.sum(counts * y_pred) / ops.maximum(ops.sum(counts), 1.0)


@keras.saving.register_keras_serializable("course")
class RNNNADE(OverTime):
    """RNN-NADE: composition of an RNN, along time, and a NADE, across the keys of a frame. The likelihood is exact.

    rnn: (batch, steps, D) → (batch, steps, units), seeing only what it is given so far. nade: ``NADE``, ``NoteByNote``.

        h_t = rnn(v_1 … v_{t−1}),   b_t = b + B h_t,   c_t = c + C h_t,   p(v_t | v_1 … v_{t−1}) = nade with b_t, c_t

    ``model(v)``: frames (batch, steps, D), filled up with NOTHING → −log p of each, (batch, steps), 0 for what fills.
    Its loss is their mean over the real frames: ``model.fit(frames)``; with sample_weight (batch, steps), the
    weighted mean.

    Source: Boulanger-Lewandowski, Bengio & Vincent, arXiv:1206.6392. Notebook: 12.
    """

    def __init__(self, rnn: keras.Model | layers.Layer, nade: NADE, dropout: float = 0.0, **kwargs: object) -> None:
        super().__init__(rnn, nade, nade.sizes, dropout, **kwargs)


@keras.saving.register_keras_serializable("course")
class RNNRBM(OverTime):
    """RNN-RBM: composition of an RNN, along time, and an RBM, across the keys of a frame.

    rnn: (batch, steps, D) → (batch, steps, units), seeing only the past. rbm: an ``RBM`` of D keys; its k counts.

        h_t = rnn(v_1 … v_{t−1}),   b_t = b + B h_t,   c_t = c + C h_t,   p(v_t | v_1 … v_{t−1}) = rbm with b_t, c_t

    ``model(v)``: frames (batch, steps, D), filled up with NOTHING → F of each, (batch, steps), 0 for what fills.
    The loss is F(v) − F(v′) as in ``RBM``. The likelihood needs Z_t for each frame: ``log_likelihood``.
    Source: Boulanger-Lewandowski, Bengio & Vincent, arXiv:1206.6392. Notebook: 12.
    """

    def __init__(self, rnn: keras.Model | layers.Layer, rbm: RBM, dropout: float = 0.0, **kwargs: object) -> None:
        super().__init__(rnn, rbm, (rbm.visible, rbm.hidden), dropout, **kwargs)

    def frame_nats(self, v: object, visible: object, hidden: object, training: bool | None) -> object:
        """F(v), and in training F(v) − F(v′)."""
        energy = self.frames(v, visible, hidden)
        if not training:
            return energy
        end = ops.stop_gradient(self.frames.gibbs(v, self.frames.k, visible, hidden))
        return energy - self.frames(end, visible, hidden)


def frame_nats(model: OverTime, sequences: Sequence[np.ndarray], shift: int = 0) -> list[np.ndarray]:
    """What ``model`` returns for every frame, (steps,) for each sequence: −log p; F for an ``RNNRBM``. Notebook: 12."""
    result: list[np.ndarray] = [np.empty(0)] * len(sequences)
    order = np.argsort([len(s) for s in sequences], kind="stable")
    for part in np.split(order, range(32, len(order), 32)):
        costs = np.asarray(model(padded_frames([with_transposition(sequences[i], shift) for i in part])), np.float64)
        for i, row in zip(part, costs, strict=True):
            result[i] = row[: len(sequences[i])]
    return result


def known_before(model: OverTime, sequences: Sequence[np.ndarray], shift: int = 0) -> np.ndarray:
    """What the RNN knows before each frame of all sequences, one after the other: (frames, units). Notebook: 12."""
    h = np.asarray(model.past(padded_frames([with_transposition(s, shift) for s in sequences])))
    return np.concatenate([row[: len(s)] for row, s in zip(h, sequences, strict=True)])


class Estimated(NamedTuple):
    """−log p of frames, estimated, each (frames,): the value, and by how much it is too low on average, about."""

    nats: np.ndarray
    low: np.ndarray


def estimated_nats(
    model: RNNRBM, v: np.ndarray, h: np.ndarray, base: np.ndarray, runs: int = 4, steps: int = 1000, seed: int = 0
) -> Estimated:
    """−log p(v_t | the past) of an RNN-RBM: F(v_t) + log Z_t, every Z_t by annealed importance sampling of its own.

    v: (frames, D). h: (frames, units), of ``known_before``. base: where the runs begin, the log odds of the training
    frames, (D,), or a guess for each frame, (frames, D). runs: for each frame; their mean is unbiased for Z, so its log
    is too low, by half of the variance of the mean, about: ``low``. Raises ValueError for fewer than two runs.
    Notebook: 12.
    """
    if runs < 2:
        raise ValueError(f"runs is {runs}; how far they are apart needs two at least. Use 4.")
    visible, hidden = (np.asarray(part) for part in model.moved(h))
    w, b, c = model.frames.parts
    log_w = np.empty((runs, len(v)))
    for run in range(runs):
        for start in range(0, len(v), 256):  # small parts stay in the cache
            part = slice(start, start + 256)
            shifted = b + visible[part], c + hidden[part]
            begin = np.broadcast_to(base, v.shape)[part]
            log_w[run, part] = importance_weights(w, *shifted, begin, steps, (seed, run, start))
    top = log_w.max(0)
    weights = np.exp(log_w - top)
    low = weights.var(0, ddof=1) / weights.mean(0) ** 2 / runs / 2
    energy = np.asarray(model.frames(v, visible, hidden), np.float64)
    return Estimated(energy + top + np.log(weights.mean(0)), low)


class Ear:
    """The RNN of a model that hears frames one at a time, for ``count`` musics at once.

    ``ear.expects()``: what is added to the biases of the frame model now. ``ear.hear(frames)``: (count, D).
    ``ear.keep(which)``: goes on with these of the musics, int (count,). shift: what the model is told of, as in
    ``FrameBatches``; nothing is moved here. Notebook: 12.
    """

    def __init__(self, model: OverTime, count: int, shift: int = 0) -> None:
        self.model, self.beside = model, with_transposition(np.zeros((count, 0)), shift).astype(np.float32)
        self.state = model.rnn.cell.get_initial_state(batch_size=count)
        self.hear(np.zeros((count, model.frames.visible)))

    def hear(self, frames: np.ndarray) -> None:
        x = np.concatenate([np.asarray(frames, np.float32), self.beside], axis=1)
        self.h, self.state = self.model.rnn.cell(x, self.state, training=False)

    def expects(self) -> tuple[np.ndarray, np.ndarray]:
        return tuple(np.asarray(part) for part in self.model.moved(self.h))

    def keep(self, which: np.ndarray) -> None:
        self.h = ops.take(self.h, which, axis=0)
        self.state = [ops.take(part, which, axis=0) for part in self.state]


def improvise_chain(
    model: RNNRBM, steps: int, count: int, gibbs: int = 25, shift: int = 0, seed: int = 0
) -> np.ndarray:
    """bool (count, steps, D): music of an RNN-RBM, a chain of ``gibbs`` steps from silence for each frame.

    Notebook: 12.
    """
    model.frames.dice = keras.random.SeedGenerator(seed)
    ear, made = Ear(model, count, shift), []
    for _ in range(steps):
        made.append(np.asarray(model.frames.gibbs(np.zeros((count, model.frames.visible)), gibbs, *ear.expects())))
        ear.hear(made[-1])
    return np.stack(made, axis=1).astype(bool)


def improvise(
    model: RNNNADE, steps: int, count: int, temperature: float = 1.0, shift: int = 0, seed: int = 0
) -> np.ndarray:
    """bool (count, steps, D): music of an RNN-NADE, each frame drawn exactly, from high to low. Notebook: 12."""
    rng = np.random.default_rng(seed)
    ear, made = Ear(model, count, shift), []
    for _ in range(steps):
        made.append(model.frames.sample(count, *ear.expects(), rng, temperature=temperature))
        ear.hear(made[-1])
    return np.stack(made, axis=1)


class Completion(NamedTuple):
    """Music under a melody: frames, bool (steps, D), and log p of each of its notes, (steps,), as estimated."""

    frames: np.ndarray
    log_p: np.ndarray


def complete_below(
    model: RNNNADE, highest: Sequence[int], particles: int = 1, temperature: float = 1.0, shift: int = 0, seed: int = 0
) -> Completion:
    """All lower notes under a melody, by particles: musics that are written side by side, and die and multiply.

    highest: the highest key of each frame, D for silence. In each step every particle is weighed by how probable the
    melody's note is after what it wrote; when the weight is with fewer than half of them, particles are drawn anew by
    weight; then each draws the rest of its frame, exactly. One particle never looks ahead. One of the last is returned.

        p(melody) ≈ Π_t Σ_i W_i p(m_t | past of particle i),   W: weights so far, that sum to 1

    is unbiased for any number of particles. Source: Gordon, Salmond & Smith, IEE Proceedings F 140 (1993); Pitt &
    Shephard, JASA 94 (1999). Raises ValueError for a key that is not there, and without a particle. Notebook: 12.
    """
    keys = model.frames.visible
    if particles < 1 or not all(0 <= key <= keys for key in highest):
        raise ValueError(f"{particles} particles, keys {min(highest)}..{max(highest)}; use 1 at least, and 0..{keys}.")
    rng = np.random.default_rng(seed)
    ear = Ear(model, particles, shift)
    made = np.zeros((particles, len(highest), keys), bool)
    nothing, none = np.zeros((particles, keys), np.float32), np.full(particles, keys)
    weight, log_p = np.full(particles, 1 / particles), []
    for step, key in enumerate(highest):
        expected = model.frames.next_note(nothing, none, *ear.expects(), temperature)[:, key]
        weight = weight * np.maximum(expected, 1e-300)
        log_p.append(np.log(weight.sum()))
        weight = weight / weight.sum()
        if 1 / (weight**2).sum() < particles / 2:
            up_to = weight.cumsum()
            which = np.searchsorted(up_to, (rng.random() + np.arange(particles)) / particles * up_to[-1])
            made = made[which]
            ear.keep(which)
            weight = np.full(particles, 1 / particles)
        made[:, step] = model.frames.sample(particles, *ear.expects(), rng, key, temperature)
        ear.hear(made[:, step])
    return Completion(made[rng.choice(particles, p=weight)], np.array(log_p))
