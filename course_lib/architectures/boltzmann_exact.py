"""Restricted Boltzmann machines with few visible units: everything that is summed over all frames, exactly.

Twelve pitch classes make 4,096 frames. So Z, p of every frame and its gradient can be computed, and what sampling
does in larger machines can be compared with the truth.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from course_lib.architectures.boltzmann import EXACT, RBM


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


class ExactRBM(RBM):
    """An RBM that is trained without a chain: its loss is −log p(v) itself, Z summed over all frames.

    Possible for at most 20 visible units, and pleasant for 12: 4,096 energies a step. It shows what contrastive
    divergence aims at. Arguments as ``RBM``; k and persistent are not used. Notebook: 06.
    """

    def compute_loss(
        self,
        x: object = None,
        y: object = None,
        y_pred: object = None,
        sample_weight: object = None,
        training: bool = True,
    ) -> object:
        return ops.mean(y_pred) + ops.logsumexp(-self(every_frame(self.visible)))


keras.saving.register_keras_serializable("course")(ExactRBM)


class ExactNats(keras.metrics.Metric):
    """Mean −log p(v) of the frames, in nats, for ``compile(metrics=[ExactNats(rbm)])``: mean F(v) + log Z.

    F is what the machine had at each batch, Z what it has at the end: on validation frames, where nothing moves,
    that is exact. Notebook: 06.
    """

    def __init__(self, rbm: RBM, name: str = "nats") -> None:
        super().__init__(name=name)
        self._rbm = [rbm]  # in a list: Keras need not take the machine for a part of its own metric
        self._every = every_frame(rbm.visible)
        self.energy = self.add_weight(name="energy", initializer="zeros")
        self.frames = self.add_weight(name="frames", initializer="zeros")

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        self.energy.assign_add(ops.sum(y_pred))
        self.frames.assign_add(ops.cast(ops.size(y_pred), "float32"))

    def result(self) -> object:
        return self.energy / ops.maximum(self.frames, 1) + ops.logsumexp(-self._rbm[0](self._every))


def cooled(rbm: RBM, temperature: float) -> RBM:
    """A machine whose energies are those of ``rbm`` divided by ``temperature``: below 1 it dares less, above 1 more.

    E(v, h) = −v·b − h·c − v W h is linear in W, b and c, so these are divided. Raises ValueError unless it is > 0.
    Notebook: 06.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0. Use 0.3 to 3.")
    other = RBM(rbm.visible, rbm.hidden, seed=rbm.seed)
    for weight, old in zip((other.w, other.b, other.c), (rbm.w, rbm.b, rbm.c), strict=True):
        weight.assign(old / temperature)
    return other


def clamped_gibbs(rbm: RBM, v: object, free: object, steps: int) -> object:
    """A Gibbs chain that changes only free units: from v (batch, D), free bool (batch, D) or (D,), → (batch, D).

    After each step the other units are put back. What the chain draws in the end is p(free units | the others).
    Source: Hinton, Neural Computation 14 (2002). Notebook: 06.
    """
    v, start = ops.cast(v, "float32"), ops.cast(v, "float32")
    for _ in range(steps):
        v = ops.where(free, rbm.gibbs(v, 1), start)
    return v
