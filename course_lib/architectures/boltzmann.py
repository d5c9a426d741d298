"""Restricted Boltzmann machines: an energy for each frame, sampled by Gibbs' chains, trained by contrastive divergence.

A frame is a vector of zeros and ones. What makes these models hard is the sum over all frames, Z: ``log_partition``
computes it where it can be computed, ``annealed_importance`` estimates it, with an interval, where it cannot.
"""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops

from course_lib.architectures.partition import every_frame


class Dice:
    """Throws for each unit of each chain, again and again: in Gibbs' steps good dice cost more than all else.

    Each place of ``shape`` has a linear congruential generator of 32 bits, x ← 1664525 x + 1013904223, and begins at a
    hash of its number, counted from where ``seed`` says. That will do for some hundred throws; then take new dice.
    Sources: Press et al., Numerical Recipes, section 7.1; for the hash, Appleby's MurmurHash3, its finalizer.
    """

    def __init__(self, shape: tuple, seed: keras.random.SeedGenerator) -> None:
        first = keras.random.randint((), -(2**31), 2**31 - 1, "int32", seed)
        x = ops.cast(first + ops.reshape(ops.arange(math.prod(shape), dtype="int32"), shape), "uint32")
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
            x = (x ^ ops.right_shift(x, np.uint32(shift))) * np.uint32(factor)
        self.x = ops.cast(x, "int32")

    def below(self, chance: object) -> object:
        """1 where a number drawn from 0..1 is below ``chance``, else 0, as floats."""
        self.x = self.x * 1664525 + 1013904223  # modulo 2³²: what does not fit is lost
        return ops.cast(ops.cast(self.x, "float32") < (chance - 0.5) * 2.0**32, "float32")


@keras.saving.register_keras_serializable("course")
class RBM(keras.Model):
    """Restricted Boltzmann machine: p(v) = Σ_h exp(v·b + h·c + v W h) / Z = exp(−F(v)) / Z.

    visible: D. hidden: H. k: Gibbs steps of contrastive divergence, CD-k.
    persistent: number of chains that go on from batch to batch (PCD); 0: each batch starts its chains at its frames.
    seed: of the chains.

        F(v) = −v·b − Σ_j log(1 + exp(c_j + v·W_j))
        ∂(−log p(v)) = ∂F(v) − E_{v′ ~ p}[∂F(v′)]

    CD-k takes v′ after k steps of a chain; v′ itself is held fixed. ``rbm(v)``: (batch, D) → F, (batch,), in nats.
    visible, hidden, wherever they are arguments: (batch, D) and (batch, H), added to b and c.
    The loss that ``fit(frames)`` shows, F(v) − F(v′), says how far chains and data are apart; it is no likelihood.

    Sources: Hinton, Neural Computation 14 (2002); Tieleman, ICML (2008). Notebook: 06.
    """

    def __init__(
        self, visible: int, hidden: int, k: int = 1, persistent: int = 0, seed: int = 0, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.visible, self.hidden, self.k, self.persistent, self.seed = visible, hidden, k, persistent, seed
        self.dice = keras.random.SeedGenerator(seed)
        self.w = self.add_weight((visible, hidden), keras.initializers.RandomNormal(stddev=0.01, seed=seed), name="w")
        self.b = self.add_weight((visible,), "zeros", name="b")
        self.c = self.add_weight((hidden,), "zeros", name="c")
        if persistent:
            self.chains = self.add_weight((persistent, visible), "zeros", trainable=False, name="chains")
        self.built = True

    def call(self, v: object, visible: object = None, hidden: object = None) -> object:
        v = ops.cast(v, "float32")
        b = self.b if visible is None else self.b + visible
        c = self.c if hidden is None else self.c + hidden
        return -ops.sum(v * b, axis=-1) - ops.sum(ops.softplus(ops.matmul(v, self.w) + c), axis=-1)

    def gibbs(self, v: object, steps: int, visible: object = None, hidden: object = None) -> object:
        """A chain of ``steps`` steps from v (batch, D): h ~ p(h | v), then v ~ p(v | h), each all at once."""
        v = ops.cast(v, "float32")
        b = self.b if visible is None else self.b + visible
        c = self.c if hidden is None else self.c + hidden
        w_t, n = ops.transpose(self.w), ops.shape(v)[0]
        for_h, for_v = Dice((n, self.hidden), self.dice), Dice((n, self.visible), self.dice)
        for _ in range(steps):
            h = for_h.below(ops.sigmoid(ops.matmul(v, self.w) + c))
            v = for_v.below(ops.sigmoid(ops.matmul(h, w_t) + b))
        return v

    def jump(
        self, v: object, nats: object, other: object, other_nats: object, visible: object = None, hidden: object = None
    ) -> object:
        """A step of Metropolis & Hastings that may leave a chord at once, where Gibbs' steps seldom would.

        v, other: (batch, D), where the chains are and what is proposed instead. nats, other_nats: (batch,), −log q of
        both, q being the exact distribution that ``other`` was drawn from, such as a NADE's. With the probability
        min(1, p(other) q(v) / p(v) q(other)) a chain goes there. Source: Hastings, Biometrika 57 (1970).
        """
        gain = self(v, visible, hidden) - self(other, visible, hidden) + other_nats - nats
        goes = ops.log(keras.random.uniform(ops.shape(gain), seed=self.dice)) < gain
        return ops.where(goes[:, None], other, v)

    def watch(self, v: np.ndarray, steps: int, every: int = 1) -> np.ndarray:
        """Chains to look at: v (chains, D) → bool (1 + steps // every, chains, D), the start included."""
        seen = [np.asarray(v, np.float32)]
        for _ in range(steps // every):
            seen.append(np.asarray(self.gibbs(seen[-1], every)))
        return np.stack(seen).astype(bool)

    def compute_loss(
        self,
        x: object = None,
        y: object = None,
        y_pred: object = None,
        sample_weight: object = None,
        training: bool = True,
    ) -> object:
        end = ops.stop_gradient(self.gibbs(self.chains if self.persistent else x, self.k))
        if self.persistent and training:
            self.chains.assign(end)
        return ops.mean(y_pred) - ops.mean(self(end))

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W (D, H), b (D,), c (H,) as float64 arrays."""
        return tuple(np.asarray(part, np.float64) for part in (self.w, self.b, self.c))

    def get_config(self) -> dict:
        names = ("visible", "hidden", "k", "persistent", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("course")
class ConvolutionalRBM(keras.Model):
    """C-RBM: Convolutional(RBM), one small machine that slides along time; features of all places add up.

    visible: D units a time step. hidden: H features. width: odd, the time steps that a feature sees.
    choices: sizes of groups at the front of a step; in each of them exactly one unit is on (a voice's pitch). The
        other units are on or off by themselves; with no groups all are, as in the paper.
    k, persistent, seed: as in ``RBM``; persistent chains have ``length`` time steps.
    restart: how probably each of them begins anew, with units drawn by themselves, before a batch: chains that never
        do stay in their corner, and elsewhere the energy may fall unseen.

        F(v) = −Σ_t v_t·b − Σ_t Σ_j log(1 + exp(c_j + Σ_τ v_{t+τ}·W_τj)),   τ = −width // 2 … width // 2

    Before the first step and after the last one there is nothing, 0. v: (batch, time, D), any number of time steps.
    Sources: Lattner, Grachten & Widmer, arXiv:1612.04742; Lee et al., ICML (2009). Notebook: 13.
    """

    def __init__(
        self,
        visible: int,
        hidden: int,
        width: int,
        choices: tuple[int, ...] = (),
        k: int = 1,
        persistent: int = 0,
        restart: float = 0.0,
        length: int = 64,
        seed: int = 0,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if width % 2 == 0 or sum(choices) > visible:
            raise ValueError(f"width is {width}, choices {choices} of {visible} units: width must be odd, choices fit.")
        self.visible, self.hidden, self.width, self.choices = visible, hidden, width, tuple(choices)
        self.k, self.persistent, self.restart, self.length, self.seed = k, persistent, restart, length, seed
        self.dice = keras.random.SeedGenerator(seed)
        normal = keras.initializers.RandomNormal(stddev=0.01, seed=seed)
        self.w = self.add_weight((width, visible, hidden), normal, name="w")
        self.b = self.add_weight((visible,), "zeros", name="b")
        self.c = self.add_weight((hidden,), "zeros", name="c")
        if persistent:
            self.chains = self.add_weight((persistent, length, visible), "zeros", trainable=False, name="chains")
        self.built = True

    def heard(self, v: object) -> object:
        """What each feature hears at each place: v (batch, time, D) → (batch, time, H), c included."""
        return ops.conv(v, self.w, padding="same") + self.c

    def told(self, h: object) -> object:
        """What all features tell each unit: h (batch, time, H) → (batch, time, D), b included."""
        return ops.conv(h, ops.flip(ops.transpose(self.w, (0, 2, 1)), axis=0), padding="same") + self.b

    def call(self, v: object) -> object:
        v = ops.cast(v, "float32")
        return -ops.sum(ops.matmul(v, self.b), axis=1) - ops.sum(ops.softplus(self.heard(v)), axis=(1, 2))

    def chances(self, told: object) -> object:
        """How probably each unit is on, given what it is told: softmax in each group, sigmoid elsewhere."""
        parts, first = [], 0
        for size in self.choices:
            parts.append(ops.softmax(told[..., first : first + size]))
            first += size
        return ops.concatenate([*parts, ops.sigmoid(told[..., first:])], axis=-1)

    def thrown(self, chance: object, dice: list) -> object:
        """Units drawn with these chances: one die for each group, and one for each of the other units."""
        parts, first = [], 0
        for size, die in zip(self.choices, dice[:-1], strict=True):
            up_to = ops.cumsum(chance[..., first : first + size - 1], axis=-1)
            reached = ops.pad(die.below(up_to), [[0, 0], [0, 0], [0, 1]], constant_values=1)  # 0 … 0 1 … 1
            parts.append(reached - ops.pad(reached[..., :-1], [[0, 0], [0, 0], [1, 0]]))
            first += size
        return ops.concatenate([*parts, dice[-1].below(chance[..., first:])], axis=-1)

    def all_dice(self, n: int, time: int) -> tuple[Dice, list[Dice]]:
        """Dice for the hidden units, and those for the visible ones, of n chains of so many time steps."""
        sizes = [1] * len(self.choices) + [self.visible - sum(self.choices)]
        return Dice((n, time, self.hidden), self.dice), [Dice((n, time, size), self.dice) for size in sizes]

    def alone(self, n: int, time: int) -> object:
        """n sequences of units drawn by themselves, by b alone: where chains may begin."""
        chance = ops.broadcast_to(self.chances(self.b), (n, time, self.visible))
        return self.thrown(chance, self.all_dice(n, time)[1])

    def gibbs(self, v: object, steps: int) -> object:
        """A chain of ``steps`` steps from v (batch, time, D): all of h given v, then all of v given h."""
        v = ops.cast(v, "float32")
        for_h, for_v = self.all_dice(*ops.shape(v)[:2])
        for _ in range(steps):
            h = for_h.below(ops.sigmoid(self.heard(v)))
            v = self.thrown(self.chances(self.told(h)), for_v)
        return v

    def compute_loss(
        self,
        x: object = None,
        y: object = None,
        y_pred: object = None,
        sample_weight: object = None,
        training: bool = True,
    ) -> object:
        start = x
        if self.persistent:
            anew = keras.random.uniform((self.persistent, 1, 1), seed=self.dice) < self.restart
            start = ops.where(anew, self.alone(self.persistent, self.length), self.chains)
        end = ops.stop_gradient(self.gibbs(start, self.k))
        if self.persistent and training:
            self.chains.assign(end)
        return ops.mean(y_pred) - ops.mean(self(end))

    def get_config(self) -> dict:
        names = ("visible", "hidden", "width", "choices", "k", "persistent", "restart", "length", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


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


keras.saving.register_keras_serializable("course")(ExactRBM)
