"""Restricted Boltzmann machines: an energy for each frame, sampled by Gibbs chains, trained by contrastive divergence.

A frame is a vector of zeros and ones. What makes these models hard is the sum over all frames, Z: ``log_partition``
computes it where it can be computed, ``annealed_importance`` estimates it, with an interval, where it cannot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from course_lib.architectures.partition import every_frame
from course_lib.architectures.tensors import Tensor, arguments


class UniformNumbers:
    """Fast random numbers for Gibbs sampling: one generator for each unit of each chain.

    shape: of the units. seed: where they begin.

    Each place has a linear congruential generator of 32 bits, x ← 1664525 x + 1013904223, and begins at a hash of its
    number, counted from where ``seed`` is. That will do for some hundred draws; then make new ones. Worth its place:
    CD-10 and CD-25 train 1.4 to 1.9 × as fast as with ``keras.random.uniform`` when compiled, 1.2 × when not
    (``benchmarks rbm``). Sources: Press et al., Numerical Recipes, section 7.1; Appleby's MurmurHash3, its finalizer.
    Notebook: 06.
    """

    def __init__(self, shape: tuple, seed: keras.random.SeedGenerator) -> None:
        first = keras.random.randint((), -(2**31), 2**31 - 1, "int32", seed)
        x = ops.cast(first + ops.reshape(ops.arange(math.prod(shape), dtype="int32"), shape), "uint32")
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
            x = (x ^ ops.right_shift(x, np.uint32(shift))) * np.uint32(factor)
        self.x = ops.cast(x, "int32")

    def below(self, p: Tensor) -> Tensor:
        """1 where the next uniform number of 0..1 is below p, which has the probability p; else 0, as floats."""
        self.x = self.x * 1664525 + 1013904223  # modulo 2³²: what does not fit is lost
        return ops.cast(ops.cast(self.x, "float32") < (p - 0.5) * 2.0**32, "float32")


@keras.saving.register_keras_serializable("course")
class RBM(keras.Model):
    """Restricted Boltzmann machine: p(v) = Σ_h exp(v·b + h·c + v W h) / Z = exp(−F(v)) / Z.

    visible: D. hidden: H. k: Gibbs steps of contrastive divergence, CD-k.
    persistent: number of chains that go on from batch to batch (PCD); 0: each batch starts its chains at its frames.
    seed: of the weights and of the chains.

        F(v) = −v·b − Σ_j log(1 + exp(c_j + v·W_j))
        ∂(−log p(v)) = ∂F(v) − E_{v′ ~ p}[∂F(v′)]

    CD-k takes v′ after k steps of a chain; v′ itself is held fixed. The loss that ``fit(frames)`` shows, F(v) − F(v′),
    is how far chains and data are apart; it is no likelihood.

        v                 (batch, D)              frames; ``rbm(v)`` → F, (batch,), in nats
        visible, hidden   (batch, D), (batch, H)  shifts, wherever they are arguments: added to b and c

    Sources: Hinton, Neural Computation 14 (2002); Tieleman, ICML (2008). Notebook: 06.
    """

    generator = keras.random.SeedGenerator
    """seed → random numbers that ``gibbs`` and ``sample`` go on with."""

    def __init__(
        self, visible: int, hidden: int, k: int = 1, persistent: int = 0, seed: int = 0, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.visible, self.hidden, self.k, self.persistent, self.seed = visible, hidden, k, persistent, seed
        self.sizes = visible, hidden
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.create_weights((visible, hidden), (visible,))

    def create_weights(self, shape: tuple, of_a_chain: tuple) -> None:
        """W of this shape, b, c, and the persistent chains."""
        self.w = self.add_weight(shape, keras.initializers.RandomNormal(stddev=0.01, seed=self.seed), name="w")
        self.b = self.add_weight((self.visible,), "zeros", name="b")
        self.c = self.add_weight((self.hidden,), "zeros", name="c")
        if self.persistent:
            self.chains = self.add_weight((self.persistent, *of_a_chain), "zeros", trainable=False, name="chains")
        self.built = True

    def biases(self, visible: Tensor | None, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """b and c, shifted."""
        return self.b if visible is None else self.b + visible, self.c if hidden is None else self.c + hidden

    def hidden_input(self, v: Tensor, c: Tensor) -> Tensor:
        """v (batch, D) → (batch, H): c + v W, the log odds of each hidden unit."""
        return ops.matmul(v, self.w) + c

    def visible_input(self, h: Tensor, b: Tensor, w_t: Tensor) -> Tensor:
        """h (batch, H) → (batch, D): b + W h, the log odds of each visible unit. w_t: ``transposed()``."""
        return ops.matmul(h, w_t) + b

    def transposed(self) -> Tensor:
        """W as ``visible_input`` takes it, computed once for many steps."""
        return ops.transpose(self.w)

    def call(self, v: Tensor, visible: Tensor | None = None, hidden: Tensor | None = None) -> Tensor:
        v, (b, c) = ops.cast(v, "float32"), self.biases(visible, hidden)
        axes = tuple(range(1, len(v.shape)))
        return -ops.sum(v * b, axis=axes) - ops.sum(ops.softplus(self.hidden_input(v, c)), axis=axes)

    def uniform(self, *shape: int, seed: keras.random.SeedGenerator | None = None) -> tuple:
        """Random numbers for the hidden and for the visible units of so many chains."""
        seed = seed or self.seed_generator
        return UniformNumbers((*shape, self.hidden), seed), UniformNumbers((*shape, self.visible), seed)

    def sampled(self, visible_input: Tensor, uniform: UniformNumbers) -> Tensor:
        """v ~ p(v | h), from ``visible_input``."""
        return uniform.below(ops.sigmoid(visible_input))

    def gibbs(
        self,
        v: Tensor,
        steps: int,
        visible: Tensor | None = None,
        hidden: Tensor | None = None,
        seed: keras.random.SeedGenerator | None = None,
    ) -> Tensor:
        """A chain of ``steps`` steps from v: h ~ p(h | v), then v ~ p(v | h), each all at once.

        seed: random numbers; without it the model's own, ``seed_generator``, go on.
        """
        v, (b, c), w_t = ops.cast(v, "float32"), self.biases(visible, hidden), self.transposed()
        for_h, for_v = self.uniform(*ops.shape(v)[:-1], seed=seed)
        for _ in range(steps):
            h = for_h.below(ops.sigmoid(self.hidden_input(v, c)))
            v = self.sampled(self.visible_input(h, b, w_t), for_v)
        return v

    def sample(
        self,
        n: int,
        visible: Tensor | None = None,
        hidden: Tensor | None = None,
        seed: int | keras.random.SeedGenerator = 0,
        gibbs_steps: int = 25,
    ) -> np.ndarray:
        """bool (n, D): the ends of n chains from frames of zeros. seed: or a generator, which goes on."""
        seed = keras.random.SeedGenerator(seed) if isinstance(seed, int) else seed
        return np.asarray(self.gibbs(np.zeros((n, self.visible)), gibbs_steps, visible, hidden, seed)).astype(bool)

    def watch(self, v: np.ndarray, steps: int, every: int = 1) -> np.ndarray:
        """Chains to look at: v (chains, D) → bool (1 + steps // every, chains, D), the start included."""
        seen = [np.asarray(v, np.float32)]
        for _ in range(steps // every):
            seen.append(np.asarray(self.gibbs(seen[-1], every)))
        return np.stack(seen).astype(bool)

    def training_loss(self, v: Tensor, visible: Tensor | None = None, hidden: Tensor | None = None) -> Tensor:
        """CD-k of each frame: F(v) − F(v′), (batch,), with chains that start at v."""
        end = ops.stop_gradient(self.gibbs(v, self.k, visible, hidden))
        return self(v, visible, hidden) - self(end, visible, hidden)

    def chain_starts(self) -> Tensor:
        """Where persistent chains go on."""
        return self.chains

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Tensor:  # noqa: ANN001
        end = ops.stop_gradient(self.gibbs(self.chain_starts() if self.persistent else x, self.k))
        if self.persistent and training:
            self.chains.assign(end)
        return ops.mean(y_pred) - ops.mean(self(end))

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W (D, H), b (D,), c (H,) as float64 arrays."""
        return tuple(np.asarray(part, np.float64) for part in (self.w, self.b, self.c))

    def get_config(self) -> dict:
        return arguments(self)


@keras.saving.register_keras_serializable("course")
class ConvolutionalRBM(RBM):
    """C-RBM: Convolutional(RBM), one small RBM that slides along time; features of all places add up.

    visible: D units a time step. hidden: H features. width: odd, the time steps that a feature sees.
    choices: sizes of groups at the front of a step; in each of them exactly one unit is on. The other units are on or
        off independently; with no groups all are, as in the paper.
    k, persistent, seed: as in ``RBM``; persistent chains have ``length`` time steps.
    restart: probability that a chain begins anew before a batch, at a sample of b alone. Chains that never do so mix
        badly: they stay in few modes, and elsewhere the energy may fall unseen.

        F(v) = −Σ_t v_t·b − Σ_t Σ_j log(1 + exp(c_j + Σ_τ v_{t+τ}·W_τj)),   τ = −width // 2 … width // 2

        v   (batch, time, D)   any number of time steps; before the first and after the last one there are zeros
        h   (batch, time, H)   features
        W   (width, D, H)      weights

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
        if width % 2 == 0 or sum(choices) > visible:
            raise ValueError(f"width is {width}, choices {choices} of {visible} units: width must be odd, choices fit.")
        self.width, self.choices, self.restart, self.length = width, tuple(choices), restart, length
        super().__init__(visible, hidden, k, persistent, seed, **kwargs)

    def create_weights(self, shape: tuple, of_a_chain: tuple) -> None:
        super().create_weights((self.width, *shape), (self.length, *of_a_chain))

    def hidden_input(self, v: Tensor, c: Tensor) -> Tensor:
        """v (batch, time, D) → (batch, time, H): a convolution along time, and c."""
        return ops.conv(v, self.w, padding="same") + c

    def visible_input(self, h: Tensor, b: Tensor, w_t: Tensor) -> Tensor:
        """h (batch, time, H) → (batch, time, D): the transposed convolution, and b."""
        return ops.conv(h, w_t, padding="same") + b

    def transposed(self) -> Tensor:
        return ops.flip(ops.transpose(self.w, (0, 2, 1)), axis=0)

    def probabilities(self, visible_input: Tensor) -> Tensor:
        """p that each unit is on, from its log odds: softmax in each group, sigmoid elsewhere."""
        *groups, others = self.split(visible_input)
        return ops.concatenate([*map(ops.softmax, groups), ops.sigmoid(others)], axis=-1)

    def split(self, x: Tensor) -> list[Tensor]:
        """The groups of ``choices``, and the other units: (…, D) → (…, size) each."""
        return ops.split(x, np.cumsum(self.choices).tolist(), axis=-1) if self.choices else [x]

    def uniform(self, *shape: int, seed: keras.random.SeedGenerator | None = None) -> tuple:
        """Random numbers for the hidden units; and for the visible ones, one for a group, one for each other unit."""
        sizes, seed = [1] * len(self.choices) + [self.visible - sum(self.choices)], seed or self.seed_generator
        return UniformNumbers((*shape, self.hidden), seed), [UniformNumbers((*shape, size), seed) for size in sizes]

    def sampled(self, visible_input: Tensor, uniform: Sequence[UniformNumbers]) -> Tensor:
        parts, (*groups, others) = [], self.split(self.probabilities(visible_input))
        for p, numbers in zip(groups, uniform[:-1], strict=True):
            reached = numbers.below(ops.cumsum(p[..., :-1], axis=-1))
            reached = ops.pad(reached, [[0, 0], [0, 0], [0, 1]], constant_values=1)  # 0 … 0 1 … 1
            parts.append(reached - ops.pad(reached[..., :-1], [[0, 0], [0, 0], [1, 0]]))
        return ops.concatenate([*parts, uniform[-1].below(others)], axis=-1)

    def independent(self, n: int, time: int) -> Tensor:
        """(n, time, D): units sampled independently, by b alone: where chains may begin."""
        _, uniform = self.uniform(n, time)
        return self.sampled(ops.broadcast_to(self.b, (n, time, self.visible)), uniform)

    def chain_starts(self) -> Tensor:
        anew = keras.random.uniform((self.persistent, 1, 1), seed=self.seed_generator) < self.restart
        return ops.where(anew, self.independent(self.persistent, self.length), self.chains)


@keras.saving.register_keras_serializable("course")
class ExactRBM(RBM):
    """An RBM that is trained without a chain: its loss is −log p(v) itself, Z summed over all frames.

    Possible for at most 20 visible units, and pleasant for 12: 4,096 energies a step. It shows what contrastive
    divergence aims at. Arguments as ``RBM``; k and persistent are not used. Notebook: 06.
    """

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Tensor:  # noqa: ANN001
        return ops.mean(y_pred) + ops.logsumexp(-self(every_frame(self.visible)))


def cooled(rbm: RBM, temperature: float) -> RBM:
    """An RBM whose energies are those of ``rbm`` divided by ``temperature``: below 1 more certain, above 1 less.

    E(v, h) = −v·b − h·c − v W h is linear in W, b and c, so these are divided. Raises ValueError unless it is > 0.
    Notebook: 06.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0. Use 0.3 to 3.")
    other = RBM(rbm.visible, rbm.hidden, seed=rbm.seed)
    for weight, old in zip((other.w, other.b, other.c), (rbm.w, rbm.b, rbm.c), strict=True):
        weight.assign(old / temperature)
    return other


def clamped_gibbs(rbm: RBM, v: Tensor, free: Tensor, steps: int) -> Tensor:
    """A Gibbs chain that changes only free units: from v (batch, D), free bool (batch, D) or (D,), → (batch, D).

    After each step the other units are put back. What the chain samples in the end is p(free units | the others).
    Source: Hinton, Neural Computation 14 (2002). Notebook: 06.
    """
    v, start = ops.cast(v, "float32"), ops.cast(v, "float32")
    for _ in range(steps):
        v = ops.where(free, rbm.gibbs(v, 1), start)
    return v
