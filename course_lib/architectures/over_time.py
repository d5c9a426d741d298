"""Networks of frames in time at work: batches for them, what unseen sequences cost, and new frames, one after another.

For models of ``OverTime`` whose RNN is one Keras layer with a cell: ``SimpleRNN``, ``GRU``, ``LSTM``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from course_lib.architectures.boltzmann import RNNRBM, importance_weights
from course_lib.architectures.nade import NOTHING, RNNNADE, OverTime
from course_lib.architectures.recurrent import ByLength


def told(sequence: np.ndarray, shift: int, semitones: int = 0) -> np.ndarray:
    """int8 (steps, D + 2 shift + 1): a sequence (steps, D) moved by ``semitones``, and beside each frame by how many.

    shift: the most semitones that the network knows of, up or down; 0: nothing is told, and nothing moved.
    Notebook: 12.
    """
    if abs(semitones) > shift:
        raise ValueError(f"semitones is {semitones}; the network knows of −{shift}..{shift}. Raise shift.")
    moved = np.roll(sequence, semitones, axis=1).astype(np.int8)
    where = np.eye(2 * shift + 1, dtype=np.int8)[semitones + shift] if shift else np.zeros(0, np.int8)
    return np.concatenate([moved, np.broadcast_to(where, (len(moved), len(where)))], axis=1)


def filled_up(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """int8 (sequences, steps, columns): one below the other, filled up with NOTHING. Notebook: 12."""
    result = np.full((len(sequences), max(map(len, sequences)), sequences[0].shape[1]), NOTHING, np.int8)
    for row, sequence in zip(result, sequences, strict=True):
        row[: len(sequence)] = sequence
    return result


class Sequences(ByLength):
    """Batches of sequences of about one length, filled up with NOTHING, each epoch transposed anew.

    sequences: 0/1 (steps, D) each, with ``shift`` keys free at both ends. batch: sequences. seed: of order and moves.
    shift: they go up or down by at most so many semitones, and are ``told`` so; fixed: they stay where they are.

    Each batch: int8 (batch, steps, D + told), and zeros (batch, steps), for there is no answer to learn.
    Raises ValueError where a note would be moved off the keys. Notebook: 12.
    """

    def __init__(
        self,
        sequences: Sequence[np.ndarray],
        batch: int = 16,
        shift: int = 0,
        fixed: bool = False,
        seed: int = 0,
        **kwargs: object,
    ) -> None:
        self.batch, self.shift, self.fixed = batch, shift, fixed
        used = np.flatnonzero(np.any([s.any(0) for s in sequences], axis=0))
        if not fixed and len(used) and min(used[0], sequences[0].shape[1] - 1 - used[-1]) < shift:
            raise ValueError(f"notes are at {used[0]}..{used[-1]}: shift {shift} moves some off the keys. Lower it.")
        super().__init__(sequences, (0.8, 1.25), seed, **kwargs)

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        return np.split(order, range(self.batch, len(order), self.batch))

    def on_epoch_end(self) -> None:
        """Draws other batches and other moves."""
        n = len(self.lengths)
        self.moves = np.zeros(n, int) if self.fixed else self.random.integers(-self.shift, self.shift + 1, n)
        super().on_epoch_end()

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x = filled_up([told(self.sequences[i], self.shift, int(self.moves[i])) for i in self.parts[index]])
        return x, np.zeros(x.shape[:2], np.float32)


def frame_nats(model: OverTime, sequences: Sequence[np.ndarray], shift: int = 0) -> list[np.ndarray]:
    """What ``model`` returns for every frame, (steps,) for each sequence: −log p; F for an ``RNNRBM``. Notebook: 12."""
    result: list[np.ndarray] = [np.empty(0)] * len(sequences)
    order = np.argsort([len(s) for s in sequences], kind="stable")
    for part in np.split(order, range(32, len(order), 32)):
        costs = np.asarray(model(filled_up([told(sequences[i], shift) for i in part])), np.float64)
        for i, row in zip(part, costs, strict=True):
            result[i] = row[: len(sequences[i])]
    return result


def known_before(model: OverTime, sequences: Sequence[np.ndarray], shift: int = 0) -> np.ndarray:
    """What the RNN knows before each frame of all sequences, one after the other: (frames, units). Notebook: 12."""
    h = np.asarray(model.past(filled_up([told(s, shift) for s in sequences])))
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
    ``Sequences``; nothing is moved here. Notebook: 12.
    """

    def __init__(self, model: OverTime, count: int, shift: int = 0) -> None:
        self.model, self.beside = model, told(np.zeros((count, 0)), shift).astype(np.float32)
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
