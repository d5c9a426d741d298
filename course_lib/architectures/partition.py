"""Sums over all states of an RBM: exact where they can be computed, estimated with an interval where they cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
from keras import ops

from course_lib.architectures.tensors import Tensor

if TYPE_CHECKING:
    from course_lib.architectures.boltzmann import RBM

EXACT = 20
"""Units of the smaller side up to which Z is summed: 2²⁰ terms."""


def log_partition(w: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """log Z of the RBM with W (D, H), b (D,), c (H,), exact: a sum over all states of the smaller side.

    log Z = log Σ_h exp(h·c + Σ_i log(1 + exp(b_i + W_i·h))), or the same with the sides exchanged.
    Raises ValueError when both sides have more than 20 units. Notebook: 06.
    """
    if min(w.shape) > EXACT:
        raise ValueError(f"{w.shape[0]} × {w.shape[1]} units: 2^{min(w.shape)} terms. Use annealed_importance.")
    if w.shape[0] < w.shape[1]:
        w, b, c = w.T, c, b
    bits = np.arange(len(c))
    total = -np.inf
    for start in range(0, 1 << len(c), 1 << 14):
        states = np.arange(start, min(start + (1 << 14), 1 << len(c)))[:, None] >> bits & 1
        exponents = states @ c + np.logaddexp(0, states @ w.T + b).sum(1)
        total = np.logaddexp(total, np.logaddexp.reduce(exponents))
    return float(total)


class Estimate(NamedTuple):
    """A number that was estimated, and the 95 % interval around it."""

    value: float
    low: float
    high: float


def importance_weights(
    w: np.ndarray, b: np.ndarray, c: np.ndarray, base: np.ndarray, steps: int = 1000, seed: int = 0
) -> np.ndarray:
    """float64 (runs,): log weights of annealed importance sampling, whose mean exp is Z, each run by itself.

    w: (D, H). b, c: (D,) and (H,), or one for each run, (runs, D) and (runs, H). base: (runs, D), the biases of the
    RBM without weights at which each run begins; the nearer its frames are to p, the less the weights vary.

    Temperature β rises from 0 to 1 in ``steps`` steps over p_β(v) ∝ exp(v·((1 − β) base + β b)) Π_j (1 +
    exp(c_j + β v·W_j)): before each Gibbs step, the run gains log p_β(v) − log p_β′(v). At β = 0 Z is known.
    Source: Neal (2001); Salakhutdinov & Murray, ICML (2008). Notebooks: 06, 12.
    """
    rng = np.random.default_rng(seed)
    w, b, c, base = (np.asarray(part, np.float32) for part in (w, b, c, base))
    w_t, rise = np.ascontiguousarray(w.T), b - base
    runs = len(base)

    def softplus(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def sampled(logits: np.ndarray) -> np.ndarray:
        return (rng.random(logits.shape, np.float32) * (1 + np.exp(-logits)) < 1).astype(np.float32)

    with np.errstate(over="ignore"):
        log_w = np.logaddexp(0, base.astype(np.float64)).sum(1) + np.logaddexp(0, c.astype(np.float64)).sum(-1)
        log_w = np.broadcast_to(log_w, runs).copy()
        v = sampled(base)
        before = 0.0
        for beta in np.linspace(0, 1, steps + 1)[1:].astype(np.float32):
            from_v = v @ w
            hot = c + beta * from_v
            gain = (beta - before) * (v * rise).sum(1)
            log_w += gain + (softplus(hot) - softplus(c + np.float32(before) * from_v)).sum(1)
            if beta < 1:
                v = sampled(base + beta * rise + beta * (sampled(hot) @ w_t))
            before = beta
    return log_w


def annealed_importance(
    w: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    base: np.ndarray | None = None,
    runs: int = 200,
    steps: int = 1000,
    seed: int = 0,
) -> Estimate:
    """log Z of an RBM, estimated with ``runs`` runs of annealed importance sampling, with its 95 % interval.

    base: (D,), biases of the RBM at which they begin (default: b); the log odds of the training frames are good.
    The interval is 2.58 standard errors of the mean weight to both sides: were the weights normal, that would hold
    99 % of the time, but they are skewed. Where few weights carry the sum it is too narrow: raise ``steps``.
    Raises ValueError for fewer than two runs. Notebook: 06.
    """
    if runs < 2:
        raise ValueError(f"runs is {runs}; an interval needs two at least. Use 100 or more.")
    base = np.broadcast_to(b if base is None else base, (runs, len(b)))
    log_w = importance_weights(w, b, c, base, steps, seed)
    top = log_w.max()
    weights = np.exp(log_w - top)
    mean, error = weights.mean(), 2.58 * weights.std(ddof=1) / np.sqrt(runs)
    low = max(mean - error, weights.max() / runs)  # the sum is at least its greatest part
    return Estimate(*(float(top + np.log(x)) for x in (mean, min(low, mean), mean + error)))


def every_frame(units: int) -> np.ndarray:
    """float32 (2^units, units): all frames; bit i of a row's number is unit i. Raises ValueError above 20 units.

    Notebook: 06.
    """
    if not 1 <= units <= EXACT:
        raise ValueError(f"units is {units}: 2^{units} frames. Use 1..{EXACT}; for more there is annealed_importance.")
    return (np.arange(1 << units)[:, None] >> np.arange(units) & 1).astype(np.float32)


def log_probabilities(rbm: RBM) -> np.ndarray:
    """float64 (2^D,): log p of every frame, numbered as in ``every_frame``: −F(v) − log Z. Notebook: 06."""
    energy = -np.asarray(rbm(every_frame(rbm.visible)), np.float64)
    return energy - np.logaddexp.reduce(energy)


class ExactNats(keras.metrics.Metric):
    """Mean −log p(v) of the frames, in nats, for ``compile(metrics=[ExactNats(rbm)])``: mean F(v) + log Z.

    F is that of the RBM at each batch, Z that of the RBM at the end: on validation frames, where no weight moves, the
    result is exact. Notebook: 06.
    """

    def __init__(self, rbm: RBM, name: str = "nats") -> None:
        super().__init__(name=name)
        self.rbm, self.every = rbm, every_frame(rbm.visible)
        self.energy = self.add_weight(name="energy", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        self.energy.assign_add(ops.sum(y_pred))
        self.count.assign_add(ops.cast(ops.size(y_pred), "float32"))

    def result(self) -> Tensor:
        return self.energy / ops.maximum(self.count, 1) + ops.logsumexp(-self.rbm(self.every))
