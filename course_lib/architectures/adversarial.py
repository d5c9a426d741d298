"""Generative adversarial networks: a generator learns from a discriminator, which learns to tell its examples from
real ones.

The one module that takes gradients with TensorFlow's tape: a penalty on a gradient is a part of the loss, and Keras's
own operations have no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf
from keras import layers, ops

from course_lib.architectures.tensors import Tensor, arguments, rebuilt


class Choice(layers.Layer):
    """The discrete end of a generator: logits → one-hot, one symbol of each group, and yet with a gradient.

    sizes: number of symbols of each group; together they fill the last axis.
    how: "argmax": the likeliest symbol of each group; "gumbel": one sampled from the softmax (the likeliest after
        Gumbel noise was added to the logits); "soft": no choice, the softmax itself.
    temperature: of the softmax; its gradient is the one that the chosen symbol passes back (*straight-through*).
    seed: of the noise.

    float (..., sum(sizes)) → float (..., sum(sizes)), zeros and ones unless soft. Raises ValueError for another how.
    Sources: straight-through: Bengio et al., arXiv:1308.3432; Gumbel-softmax: Jang et al., arXiv:1611.01144.
    Notebook: 07.
    """

    def __init__(
        self, sizes: Sequence[int], how: str = "argmax", temperature: float = 1.0, seed: int = 0, **kwargs: object
    ) -> None:
        if how not in ("argmax", "gumbel", "soft"):
            raise ValueError(f'how is "{how}"; choose "argmax", "gumbel" or "soft".')
        super().__init__(**kwargs)
        self.sizes, self.how, self.temperature, self.seed = tuple(sizes), how, temperature, seed
        self.noise = keras.random.SeedGenerator(seed)

    def call(self, logits: Tensor) -> Tensor:
        if self.how == "gumbel":
            uniform = keras.random.uniform(ops.shape(logits), 1e-6, 1 - 1e-6, seed=self.noise)
            logits = logits - ops.log(-ops.log(uniform))
        chosen, first = [], 0
        for size in self.sizes:
            group = logits[..., first : first + size]
            first += size
            soft = ops.softmax(group / self.temperature, axis=-1)
            hard = ops.one_hot(ops.argmax(group, axis=-1), size, dtype=soft.dtype)
            chosen.append(soft if self.how == "soft" else soft + ops.stop_gradient(hard - soft))
        return ops.concatenate(chosen, axis=-1)

    def get_config(self) -> dict:
        return arguments(self)


def squared_slope(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """‖∂D(x)/∂x‖² of the logits at each example, over all axes but the batch: (batch, ...) → (batch,).

    discriminator: judges each example of the batch for itself; one with batch normalisation does not. Notebook: 07.
    """
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = discriminator(x)
    slope = tape.gradient(logits, x)
    return ops.sum(ops.square(slope), axis=list(range(1, len(x.shape))))


class R1(keras.regularizers.Regularizer):
    """Penalty for a discriminator that is steep at the real examples: weight / 2 · mean ‖∂D/∂x‖², for ``GAN``.

    Source: Mescheder, Geiger & Nowozin, arXiv:1801.04406. Notebook: 07.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(self, discriminator: Callable, real: Tensor, fake: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        return self.weight / 2 * ops.mean(squared_slope(discriminator, real))

    def get_config(self) -> dict:
        return {"weight": self.weight}


class GradientPenalty(R1):
    """Penalty for slopes other than 1 between real and generated: weight · mean (‖∂D/∂x̂‖ − 1)², for ``GAN``.

    x̂ is a point on the line from a real to a generated example, uniformly drawn. For the Wasserstein objective.
    Source: Gulrajani et al., arXiv:1704.00028. Notebook: 07.
    """

    def __init__(self, weight: float = 10.0) -> None:
        super().__init__(weight)

    def __call__(self, discriminator: Callable, real: Tensor, fake: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        part = keras.random.uniform((ops.shape(real)[0], *[1] * (len(real.shape) - 1)), seed=seed)
        squared = squared_slope(discriminator, real + part * (fake - real))
        norm = ops.sqrt(squared + 1e-12)  # has a finite gradient at 0, too
        return self.weight * ops.mean(ops.square(norm - 1))


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """Discriminator's loss −mean log D(x) − mean log(1 − D(G(z))), from logits: 2 ln 2 where it cannot tell.

    Source: Goodfellow et al., arXiv:1406.2661. Notebook: 07.
    """
    return ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))


OBJECTIVES: dict[str, tuple[Callable, Callable]] = {
    "saturating": (cross_entropy, lambda fake: -ops.mean(ops.softplus(fake))),  # mean log(1 − D(G(z)))
    "non-saturating": (cross_entropy, lambda fake: ops.mean(ops.softplus(-fake))),  # −mean log D(G(z))
    "feature matching": (cross_entropy, lambda fake: 0.0),  # the features' distance alone
    "hinge": (
        lambda real, fake: ops.mean(ops.relu(1 - real)) + ops.mean(ops.relu(1 + fake)),
        lambda fake: -ops.mean(fake),
    ),
    "wasserstein": (lambda real, fake: ops.mean(fake) - ops.mean(real), lambda fake: -ops.mean(fake)),
}
"""Name → loss of the discriminator, from the logits of real and generated examples, and loss of the generator."""


class GAN(keras.Model):
    """GAN(generator, discriminator): the generator makes examples from noise, the discriminator judges them.

    generator: any Keras model begun with ``keras.Input``: z → an example. discriminator: an example → logits, of any
        shape; above 0 it takes the example for real. Further inputs, of both, are the condition.
    objective: a name in ``OBJECTIVES``; "saturating" is the minimax game itself.
    penalty: on the discriminator's slope: ``R1(γ)``, ``GradientPenalty(λ)``, or None.
    steps: (k, g), updates of the discriminator and of the generator in each training step, all on one batch of real
        examples, each with its own noise; (1, 0) trains the discriminator alone.
    average: 0 ≤ average < 1, how much of the generator's average over its updates is kept at each update, less at the
        beginning; with 0 there is none. What ``sample`` and ``gan(z)`` use is ``averaged``, the average.
    features: name of a layer of the discriminator → weight of the squared distance between the mean of its output over
        the real examples and over the generated ones, added to the generator's loss (*feature matching*).
    seed: of noise and penalty.

    symbol · shape · meaning: z · generator.inputs[0] · noise ~ N(0, 1); x · discriminator.inputs[0] · example;
    D(x) = sigmoid(logits) · (batch, ...) · probability that x is real.

    ``compile(d_optimizer, g_optimizer)``, then ``fit(gan, x)``, with a condition ``fit(gan, [x, condition, ...])``.
    Both losses are reported, and neither measures progress; the shares of real and of generated examples that the
    discriminator judged right; the penalty; the norm of the generator's gradient.

    Raises ValueError for parts without a shape, another objective, or features that are missing or no layers.
    Sources: Goodfellow et al., arXiv:1406.2661, algorithm 1; feature matching: Salimans et al., arXiv:1606.03498;
    average: Yazıcı et al., arXiv:1806.04498. Notebook: 07.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        objective: str = "non-saturating",
        penalty: Callable | None = None,
        steps: tuple[int, int] = (1, 1),
        average: float = 0.0,
        features: Mapping[str, float] | None = None,
        seed: int = 0,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if objective not in OBJECTIVES:
            raise ValueError(f'objective is "{objective}"; choose one of {", ".join(OBJECTIVES)}.')
        if not (generator.built and discriminator.built):
            raise ValueError("generator or discriminator has no shape yet. Begin each with keras.Input(...).")
        if objective == "feature matching" and not features:
            raise ValueError('the objective "feature matching" needs features={name of a layer: weight}.')
        self.generator, self.discriminator, self.penalty = generator, discriminator, penalty
        self.objective, self.steps, self.average, self.seed = objective, tuple(steps), average, seed
        self.features = dict(features or {})
        self.averaged = generator
        if average:
            self.averaged = keras.models.clone_model(generator)
            self.averaged.set_weights(generator.get_weights())
            self.averaged.trainable = False
        if self.features:
            outputs = [discriminator.get_layer(name).output for name in self.features]
            self.described = keras.Model(discriminator.inputs, outputs)
        self.random = keras.random.SeedGenerator(seed)
        names = ("d_loss", "g_loss", "real_right", "fake_right", "penalty", "g_gradient")
        self.means = {name: keras.metrics.Mean(name) for name in names}
        self.built = True  # for its parts are

    def compile(self, d_optimizer: keras.Optimizer, g_optimizer: keras.Optimizer, **kwargs: object) -> None:
        """An optimizer for each part; kwargs: as in ``keras.Model.compile``."""
        super().compile(optimizer=None, **kwargs)
        self.d_optimizer, self.g_optimizer = self.optimizers = d_optimizer, g_optimizer
        d_optimizer.build(self.discriminator.trainable_variables)
        g_optimizer.build(self.generator.trainable_variables)

    def noise(self, n: int) -> Tensor:
        """z ~ N(0, 1) for n examples."""
        return keras.random.normal((n, *self.generator.inputs[0].shape[1:]), seed=self.random)

    def train_step(self, data: Tensor) -> dict[str, Tensor]:
        real, *condition = keras.tree.flatten(data)
        real, n = ops.cast(real, "float32"), ops.shape(real)[0]
        d_loss_of, g_loss_of = OBJECTIVES[self.objective]
        d_weights, g_weights = self.discriminator.trainable_variables, self.generator.trainable_variables

        def generator(z: Tensor) -> Tensor:
            return self.generator(_inputs(z, condition), training=True)

        def discriminator(x: Tensor) -> Tensor:
            return self.discriminator(_inputs(x, condition), training=True)

        d_loss = g_loss = penalty = 0.0
        real_logits, fake_logits, gradient = ops.zeros(1), ops.zeros(1), [ops.zeros(1)]  # of a part that makes no step
        for _ in range(self.steps[0]):  # the discriminator learns
            fake = generator(self.noise(n))
            with tf.GradientTape() as tape:
                real_logits, fake_logits = discriminator(real), discriminator(fake)
                d_loss = d_loss_of(real_logits, fake_logits)
                if self.penalty is not None:
                    penalty = self.penalty(discriminator, real, fake, self.random)
                total = d_loss + penalty
            self.d_optimizer.apply(tape.gradient(total, d_weights), d_weights)

        for _ in range(self.steps[1]):  # the generator learns
            with tf.GradientTape() as tape:
                fake = generator(self.noise(n))
                g_loss = g_loss_of(discriminator(fake)) + self.feature_distance(real, fake, condition)
            gradient = tape.gradient(g_loss, g_weights)
            self.g_optimizer.apply(gradient, g_weights)
            self.update_average()

        return self.measured(
            d_loss=d_loss,
            g_loss=g_loss,
            real_right=ops.mean(ops.cast(real_logits > 0, "float32")),
            fake_right=ops.mean(ops.cast(fake_logits < 0, "float32")),
            penalty=penalty,
            g_gradient=ops.sqrt(sum(ops.sum(ops.square(part)) for part in gradient)),
        )

    def measured(self, **values: Tensor) -> dict[str, Tensor]:
        """The means of these values over the epoch so far."""
        for name, value in values.items():
            self.means[name].update_state(value)
        return {name: mean.result() for name, mean in self.means.items()}

    def feature_distance(self, real: Tensor, fake: Tensor, condition: Sequence[Tensor]) -> Tensor:
        """Σ over the features: weight · ‖mean of it over the real examples − over the generated ones‖²."""
        if not self.features:
            return 0.0
        pairs = zip(*(keras.tree.flatten(self.described(_inputs(x, condition))) for x in (real, fake)), strict=True)
        distances = (ops.sum(ops.square(ops.mean(a, axis=0) - ops.mean(b, axis=0))) for a, b in pairs)
        return sum(weight * distance for weight, distance in zip(self.features.values(), distances, strict=True))

    def update_average(self) -> None:
        """Moves the averaged generator a little towards the generator."""
        if not self.average:
            return
        updates = ops.cast(self.g_optimizer.iterations, "float32")
        keep = ops.minimum(self.average, (1 + updates) / (10 + updates))  # a young average is a short one
        for mean, weight in zip(self.averaged.weights, self.generator.weights, strict=True):
            mean.assign(keep * mean + (1 - keep) * weight)

    def call(self, z: Tensor | Sequence[Tensor], training: bool | None = None) -> Tensor:
        return self.averaged(z, training=training)

    def sample(self, n: int, seed: int, condition: Sequence[Tensor] = ()) -> Tensor:
        """n examples for z ~ N(0, 1), of the averaged generator; condition: arrays (n, ...). The same for a seed."""
        return self.generate(keras.random.normal((n, *self.generator.inputs[0].shape[1:]), seed=seed), condition, seed)

    def generate(self, z: Tensor, condition: Sequence[Tensor] = (), seed: int = 0) -> Tensor:
        """The averaged generator's examples for z (n, ...). seed: of what its layers sample, such as ``Choice``."""
        weights = {id(weight) for weight in self.averaged.weights}
        states = [state for state in self.averaged.variables if id(state) not in weights]
        before = [ops.convert_to_numpy(state) for state in states]
        for state in states:
            state.assign([seed, 0])
        made = self.averaged(_inputs(z, condition), training=False)
        for state, value in zip(states, before, strict=True):
            state.assign(value)  # so that asking does not change what training does next
        return made

    def get_config(self) -> dict:
        return arguments(self)

    @classmethod
    def from_config(cls, config: dict) -> keras.Model:
        return rebuilt(cls, config)

    def get_compile_config(self) -> dict:
        optimizers = {"d_optimizer": self.d_optimizer, "g_optimizer": self.g_optimizer} if self.compiled else {}
        return {name: keras.saving.serialize_keras_object(one) for name, one in optimizers.items()}

    def compile_from_config(self, config: dict) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))


def _inputs(first: Tensor, condition: Sequence[Tensor]) -> Tensor | list[Tensor]:
    """What a model takes: one tensor, or the list of all its inputs."""
    inputs = [ops.convert_to_tensor(tensor) for tensor in (first, *condition)]
    return inputs if len(inputs) > 1 else inputs[0]


for _one in (Choice, R1, GradientPenalty, GAN):
    keras.saving.register_keras_serializable("course")(_one)
