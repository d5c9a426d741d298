"""Networks of frames in time: the composition, its likelihood, and new frames, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from course_lib.architectures.batches import NO_FRAME, padded_frames
from course_lib.architectures.partition import importance_weights
from course_lib.architectures.tensors import Tensor, arguments, rebuilt


@keras.saving.register_keras_serializable("course")
class OverTime(keras.Model):
    """Composition of an RNN, along time, and a model of frames: the RNN shifts the frame model's biases.

    rnn: Keras layer or model that sees only the past; to write new frames, one layer with a cell (``SimpleRNN``,
        ``GRU``, ``LSTM``).
    frames: ``RBM`` (then this is an RNN-RBM), ``NADE`` (RNN-NADE), ``UnitByUnit``, ``Independent`` (a plain RNN).
    dropout: share of the RNN's units that are dropped before the shifts while it trains.

        u_t = rnn(v_1 … v_t),   b_t = b + B u_{t−1},   c_t = c + C u_{t−1},   p(v_t | past) = frames with b_t and c_t

        v        (batch, steps, D + n)   frames; behind their D units n numbers of condition, input at their own step;
                                         behind a sequence's end NO_FRAME
        → loss   (batch, steps)          what ``frames`` gives: −log p, or F for an RBM (in training F(v) − F(v′));
                                         0 for NO_FRAME

    ``fit(frames)`` minimises the mean over all real frames; with sample_weight (batch, steps), the weighted mean.
    Source: Boulanger-Lewandowski, Bengio & Vincent, arXiv:1206.6392. Notebook: 12.
    """

    def __init__(
        self, rnn: keras.Model | layers.Layer, frames: keras.Model, dropout: float = 0.0, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.rnn, self.frames, self.dropout = rnn, frames, dropout
        self.drop = layers.Dropout(dropout)
        self.to_visible, self.to_hidden = (
            layers.Dense(size, use_bias=False, name=name) if size else None
            for size, name in zip(frames.sizes, ("to_visible", "to_hidden"), strict=True)
        )

    def build(self, shape: tuple) -> None:
        self.rnn.build(shape)
        units = self.rnn.compute_output_shape(shape)[-1]
        for shift in (self.to_visible, self.to_hidden):
            if shift:
                shift.build((None, units))
        self.built = True

    def past(self, v: Tensor, training: bool | None = None) -> Tensor:
        """Output of the RNN before each frame: (batch, steps, D + n) → (batch, steps, units)."""
        v = ops.maximum(ops.cast(v, "float32"), 0.0)
        frames, condition = v[..., : self.frames.visible], v[..., self.frames.visible :]
        before = ops.concatenate([ops.zeros_like(frames[:, :1]), frames[:, :-1]], axis=1)
        u = self.rnn(
            ops.concatenate([before, condition], axis=-1) if condition.shape[-1] else before, training=training
        )
        return self.drop(u, training=training)

    def shifts(self, u: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """B u and C u, added to the frame model's biases: (frames, units) → visible, hidden (frames, …)."""
        return tuple(to(u) if to else None for to in (self.to_visible, self.to_hidden))

    def call(self, v: Tensor, training: bool | None = None) -> Tensor:
        u = self.past(v, training=training)
        v = ops.cast(v, "float32")[..., : self.frames.visible]
        # Padding is left out, not multiplied by zero.
        real = ops.reshape(v[..., 0] != NO_FRAME, (-1,))
        (at,) = ops.nonzero(real)
        frames = ops.take(ops.reshape(v, (-1, self.frames.visible)), at, axis=0)
        u = ops.take(ops.reshape(u, (-1, u.shape[-1])), at, axis=0)
        loss = (self.frames.training_loss if training else self.frames)(frames, *self.shifts(u))
        return ops.reshape(ops.segment_sum(loss, ops.cast(at, "int32"), ops.shape(real)[0]), ops.shape(v)[:2])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Tensor:  # noqa: ANN001
        counts = ops.cast(x[..., 0] != NO_FRAME, "float32")
        if sample_weight is not None:
            counts = counts * sample_weight
        return ops.sum(counts * y_pred) / ops.maximum(ops.sum(counts), 1.0)

    def start(self, condition: np.ndarray | None, n: int) -> list[Tensor]:
        """States of the RNN for n sequences. condition: as in ``step``."""
        return self.rnn.cell.get_initial_state(batch_size=n)

    def step(self, v: np.ndarray, states: list, condition: np.ndarray | None = None) -> tuple[tuple, list]:
        """The shifts of the next frame, and the new states. v: the last frames (n, D), zeros before the first.

        condition: (n, numbers), known of the next frame, where the model was trained with such numbers.
        """
        v = np.asarray(v, np.float32)
        v = v if condition is None else np.concatenate([v, condition], axis=1, dtype=np.float32)
        u, states = self.rnn.cell(v, states, training=False)
        return self.shifts(u), states

    def get_config(self) -> dict:
        return arguments(self)

    @classmethod
    def from_config(cls, config: dict) -> keras.Model:
        return rebuilt(cls, config)


def frames_at_once(sequences: Sequence[np.ndarray], frames: int = 16_000) -> Iterator[np.ndarray]:
    """Indices of sequences of about one length, for batches of so many frames at most, or of one sequence."""
    order = np.argsort([len(s) for s in sequences], kind="stable")
    while len(order):
        lengths = np.array([len(sequences[i]) for i in order])
        count = max(1, int((lengths * np.arange(1, len(order) + 1) <= frames).sum()))
        yield order[:count]
        order = order[count:]


def _of_each(model: keras.Model, call: str, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What a method gives for the frames of each sequence."""
    result: list[np.ndarray] = [np.empty(0)] * len(sequences)
    for part in frames_at_once(sequences):
        rows = np.asarray(getattr(model, call)(padded_frames([sequences[i] for i in part])))
        for i, row in zip(part, rows, strict=True):
            result[i] = row[: len(sequences[i])]
    return result


def frame_nats(model: OverTime, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """−log p of every frame, or F with an ``RBM``: (steps,) for each sequence (steps, D + n). Notebook: 12."""
    return [nats.astype(np.float64) for nats in _of_each(model, "__call__", sequences)]


def rnn_outputs(model: OverTime, sequences: Sequence[np.ndarray]) -> np.ndarray:
    """Output of the RNN before each frame of all sequences, one after the other: (frames, units). Notebook: 12."""
    return np.concatenate(_of_each(model, "past", sequences))


class Estimated(NamedTuple):
    """−log p of frames, estimated, each (frames,): the value, and by how much it is too low on average, about.

    Notebook: 12.
    """

    nats: np.ndarray
    low: np.ndarray


def estimated_nats(
    model: OverTime, v: np.ndarray, u: np.ndarray, base: np.ndarray, runs: int = 4, steps: int = 1000, seed: int = 0
) -> Estimated:
    """−log p(v_t | past) of an RNN-RBM: F(v_t) + log Z_t, every Z_t by annealed importance sampling of its own.

    v: (frames, D). u: (frames, units), of ``rnn_outputs``. base: where the runs begin, the log odds of the training
    frames, (D,), or a guess for each frame, (frames, D). runs: for each frame; their mean is unbiased for Z, so its log
    is too low, by half of the variance of the mean, about: ``low``. Raises ValueError for fewer than two runs.
    Notebook: 12.
    """
    if runs < 2:
        raise ValueError(f"runs is {runs}; how far they are apart needs two at least. Use 4.")
    visible, hidden = (np.asarray(part) for part in model.shifts(u))
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


def sample_frames(
    model: OverTime,
    length: int,
    n: int,
    condition: np.ndarray | None = None,
    prompt: np.ndarray | None = None,
    seed: int = 0,
    **sampling: float,
) -> np.ndarray:
    """bool (n, length, D): new sequences. Each step shifts the biases, samples a frame, and feeds it back.

    condition: (n, numbers), as in ``OverTime.step``. prompt: (n, steps, D), frames to begin with.
    sampling: further arguments of ``model.frames.sample``, such as temperature, or an RBM's gibbs_steps.
    Notebook: 12.
    """
    random, states = model.frames.generator(seed), model.start(condition, n)
    made = np.zeros((n, length, model.frames.visible), bool)
    given = 0 if prompt is None else prompt.shape[1]
    made[:, :given] = prompt if given else False
    for t in range(length):
        shifts, states = model.step(made[:, t - 1] if t else np.zeros_like(made[:, 0]), states, condition)
        if t >= given:
            made[:, t] = model.frames.sample(n, *shifts, seed=random, **sampling)
    return made


class CompletedFrames(NamedTuple):
    """Frames, bool (steps, D), whose first units were given, and log p of each of these, (steps,), as estimated.

    Notebook: 12.
    """

    frames: np.ndarray
    log_p: np.ndarray


def complete_frames(
    model: OverTime,
    first: Sequence[int],
    particles: int = 1,
    temperature: float = 1.0,
    condition: np.ndarray | None = None,
    seed: int = 0,
) -> CompletedFrames:
    """The rest of frames whose first units, from the last one D − 1 down, are given: sequential Monte Carlo.

    model: with ``NADE`` or ``UnitByUnit``. first: the first unit that is on in each frame, D where none is.
    particles: sequences that are sampled side by side. condition: (particles, numbers), as in ``OverTime.step``.

    In each step every particle is weighted by the probability that it gave to the first unit before it was given. When
    the effective sample size, 1 / Σ W², falls below half, particles are resampled by weight. Then each samples the rest
    of its frame, exactly. One particle never looks ahead. One of the last is returned.

        p(all first units) ≈ Π_t Σ_i W_i p(first_t | past of particle i),   W: weights so far, that sum to 1

    is unbiased for any number of particles. Source: Gordon, Salmond & Smith, IEE Proceedings F 140 (1993); Pitt &
    Shephard, JASA 94 (1999). Raises ValueError for a unit that is not there, and without a particle. Notebook: 12.
    """
    units = model.frames.visible
    if particles < 1 or not all(0 <= unit <= units for unit in first):
        raise ValueError(f"{particles} particles, units {min(first)}..{max(first)}; use 1 at least, and 0..{units}.")
    rng, states = np.random.default_rng(seed), model.start(condition, particles)
    made = np.zeros((particles, len(first), units), bool)
    no_units = np.zeros((particles, units), np.float32)
    v, undecided = no_units, np.full(particles, units)
    weight, log_p = np.full(particles, 1 / particles), []
    for t, unit in enumerate(first):
        shifts, states = model.step(v, states, condition)
        expected = model.frames.next_unit(no_units, undecided, *shifts, temperature)[:, unit]
        weight = weight * np.maximum(expected, 1e-300)
        log_p.append(np.log(weight.sum()))
        weight = weight / weight.sum()
        if 1 / (weight**2).sum() < particles / 2:
            up_to = weight.cumsum()
            kept = np.searchsorted(up_to, (rng.random() + np.arange(particles)) / particles * up_to[-1])
            made = made[kept]
            shifts, states = ([ops.take(part, kept, axis=0) for part in parts] for parts in (shifts, states))
            weight = np.full(particles, 1 / particles)
        v = made[:, t] = model.frames.sample(particles, *shifts, rng, unit, temperature)
    return CompletedFrames(made[rng.choice(particles, p=weight)], np.array(log_p))
