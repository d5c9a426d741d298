"""Constraints on what a convolutional RBM samples: each is a correlation with a target, and has a gradient.

cost = Σ weight · (1 − correlation(measured in v, target)). Measured are: how alike the parts of a sequence are
(``SelfSimilarity``), what is on in windows of it (``Sums``), how much is on at each place of a period (``Places``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from course_lib.architectures.boltzmann import ConvolutionalRBM
from course_lib.architectures.tensors import Tensor


def standard(target: np.ndarray) -> Tensor:
    """A target (..., n) for ``correlate``: centred, and of length 1."""
    target = np.asarray(target, float)
    target = target - target.mean(-1, keepdims=True)
    return ops.convert_to_tensor((target / np.sqrt((target**2).sum(-1, keepdims=True) + 1e-12)).astype("float32"))


def correlate(a: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Pearson's correlation r of a (..., n) with a standard target t (..., n), in −1..1, and its gradient by a.

    With â centred and of length 1: r = â·t, ∂r/∂a = (t − r â) / |a − mean(a)|.
    """
    a = a - ops.mean(a, axis=-1, keepdims=True)
    length = ops.sqrt(ops.sum(a * a, axis=-1, keepdims=True) + 1e-12)
    a = a / length
    r = ops.sum(a * t, axis=-1, keepdims=True)
    return r[..., 0], (t - r * a) / length


class SelfSimilarity:
    """How alike are the parts of a sequence? S_ij = cosine of parts i and j, correlated with a target matrix.

    units: (D, kinds), what each unit counts for. window: time steps of a part. target: (parts, parts), or one for
    each sequence of the batch; symmetric; its diagonal is not used, for a part is always like itself.
    Source: Lattner, Grachten & Widmer, arXiv:1612.04742. Notebook: 13.
    """

    def __init__(self, units: np.ndarray, window: int, target: np.ndarray) -> None:
        self.parts, self.window, self.kinds = target.shape[-1], window, units.shape[1]
        self.units = ops.convert_to_tensor(units, "float32")
        pairs = np.tri(self.parts, k=-1, dtype=bool).ravel()  # each pair of parts once
        self.pairs = ops.convert_to_tensor(np.eye(len(pairs))[:, pairs], "float32")
        self.target = standard(target.reshape(*target.shape[:-2], -1)[..., pairs])

    def __call__(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """v (batch, time, D) → correlation (batch,), and its gradient by v."""
        n, time = self.parts, self.parts * self.window
        u = ops.reshape(ops.matmul(v[:, :time], self.units), (-1, n, self.window * self.kinds))
        length = ops.sqrt(ops.sum(u * u, axis=-1, keepdims=True) + 1e-6)
        u = u / length
        s = ops.reshape(ops.matmul(u, ops.transpose(u, (0, 2, 1))), (-1, n * n))
        r, by_s = correlate(ops.matmul(s, self.pairs), self.target)
        by_s = ops.reshape(ops.matmul(by_s, ops.transpose(self.pairs)), (-1, n, n))
        by_u = ops.matmul(by_s + ops.transpose(by_s, (0, 2, 1)), u)
        by_u = (by_u - ops.sum(by_u * u, axis=-1, keepdims=True) * u) / length
        by_v = ops.matmul(ops.reshape(by_u, (-1, time, self.kinds)), ops.transpose(self.units))
        return r, ops.pad(by_v, [[0, 0], [0, v.shape[1] - time], [0, 0]])


class Sums:
    """What is on in each window? Counts of kinds, summed over ``window`` time steps, correlated with a target.

    units: (D, kinds), what each unit counts for. target: (kinds,), or (windows, kinds), or (batch, 1, kinds).
    Notebook: 13.
    """

    def __init__(self, units: np.ndarray, window: int, target: np.ndarray) -> None:
        self.units, self.window, self.target = ops.convert_to_tensor(units, "float32"), window, standard(target)

    def __call__(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """v (batch, time, D) → mean correlation of the windows (batch,), and its gradient by v."""
        n = v.shape[1] // self.window
        kinds = ops.matmul(v[:, : n * self.window], self.units)
        sums = ops.sum(ops.reshape(kinds, (-1, n, self.window, kinds.shape[-1])), axis=2)
        r, by_sum = correlate(sums, self.target)
        by_v = ops.repeat(ops.matmul(by_sum / n, ops.transpose(self.units)), self.window, axis=1)
        return ops.mean(r, axis=1), ops.pad(by_v, [[0, 0], [0, v.shape[1] - n * self.window], [0, 0]])


class Places:
    """How much is there at each place of a period? Sums over all periods, correlated with a target.

    units: (D, 1), what each unit counts for. target: (period,), or (batch, period), from the period's first time step
    on. Notebook: 13.
    """

    def __init__(self, units: np.ndarray, target: np.ndarray) -> None:
        self.units, self.target = ops.convert_to_tensor(units, "float32"), standard(target)

    def __call__(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """v (batch, time, D) → correlation (batch,), and its gradient by v."""
        period, time = self.target.shape[-1], v.shape[1]
        n = time // period
        on = ops.reshape(ops.matmul(v[:, : n * period], self.units), (-1, n, period))
        r, by_sum = correlate(ops.sum(on, axis=1), self.target)
        by_v = ops.matmul(ops.tile(by_sum, (1, n))[..., None], ops.transpose(self.units))
        return r, ops.pad(by_v, [[0, 0], [0, time - n * period], [0, 0]])


def gradient_phase(
    rbm: ConvolutionalRBM,
    visible_input: Tensor,
    v: Tensor,
    free: Tensor,
    constraints: Sequence[tuple[float, Callable]],
    steps: int,
    rate: float,
) -> Tensor:
    """Moves the input of the visible units (batch, time, D) towards the constraints; v stays where ``free`` is 0.

    Looks for probabilities q of the free units with  q = probabilities(visible_input + Σ weight · ∂r/∂q): those for
    which KL(q | probabilities(visible_input)) + Σ weight · (1 − r) stands still. It goes ``rate`` of the way there,
    ``steps`` times.
    """
    moved = visible_input
    for _ in range(steps):
        q = free * rbm.probabilities(moved) + (1 - free) * v
        push = sum(weight * constraint(q)[1] for weight, constraint in constraints)
        moved = (1 - rate) * moved + rate * (visible_input + push)
    return moved


class Turn(keras.Model):
    """A Gibbs phase and a gradient phase as a model without weights of its own, so that Keras compiles it.

    rbm, constraints, steps, rate: as in ``constrained``. Inputs:

        v             (batch, time, D)
        free          (batch, time, 1)   1 where v is sampled anew
        temperature   a number
        binary        a number           1: features are sampled; 0: their probabilities are used
    """

    def __init__(self, rbm: ConvolutionalRBM, constraints: Sequence, steps: int, rate: float) -> None:
        super().__init__()
        self.rbm, self.constraints, self.steps, self.rate = rbm, constraints, steps, rate
        self.built = True
        self.compile(jit_compile=False)  # compiling takes longer than it saves in so few turns

    def call(self, inputs: Sequence) -> Tensor:
        v, free, temperature, binary = inputs
        for_h, for_v = self.rbm.uniform(*v.shape[:2])
        h = ops.sigmoid(self.rbm.hidden_input(v, self.rbm.c))
        h = ops.where(binary > 0, for_h.below(h), h)
        from_h = self.rbm.visible_input(h, self.rbm.b, self.rbm.transposed())
        if self.constraints:
            from_h = gradient_phase(self.rbm, from_h, v, free, self.constraints, self.steps, self.rate)
        return free * self.rbm.sampled(from_h / temperature, for_v) + (1 - free) * v


def constrained(
    rbm: ConvolutionalRBM,
    v: Tensor,
    constraints: Sequence[tuple[float, Callable]],
    temperatures: Sequence[float],
    part: int = 4,
    share: float = 0.35,
    gradient_steps: int = 6,
    rate: float = 0.25,
    watch: Callable[[int, np.ndarray], None] | None = None,
) -> np.ndarray:
    """Gibbs phases and gradient phases in turn, one of each for every temperature: simulated annealing.

    v: (batch, time, D), where it begins. constraints: (weight, constraint) pairs; a weight is in nats, for a
    correlation that rises from 0 to 1. In each turn a random ``share`` of the parts, runs of ``part`` time steps, is
    sampled anew: when like parts move at once they miss each other. A temperature divides the input of the visible
    units. In the second half of the turns features are no longer sampled: their probabilities are used. watch: called
    with each turn's number and v. Returns v at the end, float32.
    Source: Lattner, Grachten & Widmer, arXiv:1612.04742; what differs stands in the notebook. Notebook: 13.
    """
    v = np.asarray(v, np.float32)
    n, time = v.shape[:2]
    rng = np.random.default_rng(rbm.seed)
    turn = Turn(rbm, constraints, gradient_steps, rate)
    for number, temperature in enumerate(temperatures):
        free = np.repeat(rng.random((n, -(-time // part), 1)) < share, part, axis=1)[:, :time].astype("float32")
        binary = np.float32(2 * number < len(temperatures))
        v = turn.predict_on_batch([v, free, np.float32(temperature), binary])
        if watch:
            watch(number, v)
    return v


def cooling(turns: int, hot: float = 1.0, cold: float = 0.3) -> np.ndarray:
    """float (turns,): temperatures from hot to cold in three quarters of the turns, then cold."""
    falling = turns * 3 // 4
    return np.concatenate([np.linspace(hot, cold, falling), np.full(turns - falling, cold)])
