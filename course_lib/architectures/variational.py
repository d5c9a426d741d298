"""Variational autoencoders: the code is a distribution, so that any point of the latent space can be decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from course_lib.architectures.autoencoder import Autoencoder
from course_lib.architectures.tensors import Tensor


class ELBO(NamedTuple):
    """Evidence lower bound, mean over the examples, in nats an example: value = −reconstruction − kl ≤ log p(x).

    reconstruction: E_q[−log p(x | z)]. kl: KL(q(z | x) ‖ p(z)), without β. Notebook: 04.
    """

    value: float
    reconstruction: float
    kl: float


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ (μ² + σ² − 1 − log σ²), in nats, for each dimension.

    mean, log_var: μ and log σ², of any one shape. The sum over the last axis is the KL of a diagonal Gaussian.
    Source: Kingma & Welling, arXiv:1312.6114, appendix B. Notebook: 04.
    """
    return 0.5 * (ops.square(mean) + ops.exp(log_var) - 1.0 - log_var)


class Sampling(layers.Layer):
    """The reparametrisation: z = μ + σ ε with ε ~ N(0, 1), so that the gradient passes through μ and σ.

    seed: of the noise ε. (mean, log_var), each (batch, d) → z (batch, d). Source: arXiv:1312.6114. Notebook: 04.
    """

    def __init__(self, seed: int = 0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.noise = keras.random.SeedGenerator(seed)

    def call(self, mean: Tensor, log_var: Tensor) -> Tensor:
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.noise)


class VAE(Autoencoder):
    """Variational(Autoencoder): x → q(z | x) = N(μ, σ²) → z ~ q → decoder(z), with a prior p(z) = N(0, 1).

    encoder: any Keras model (batch, ...) → (batch, 2 · d): first the d means μ, then the d log variances log σ².
    decoder: any Keras model (batch, d) → what the compiled loss expects; further inputs as in ``Autoencoder``.
    beta: weight of the KL; 1 gives the evidence lower bound (ELBO), more gives β-VAE.
    free_bits: nats of KL without penalty in each dimension, as a mean over the batch.
    anneal: training steps (batches) in which the weight of the KL rises in a line from 0 to beta; None: at once.
    seed: of the noise.

    Compile it with a loss in nats an *example*, such as ``TokenCrossEntropy("sequence")``. In the same unit
    ``loss`` = ``reconstruction`` + beta · ``kl``:

        reconstruction = compiled loss = E_q[−log p(x | z)], from one sample of z;
        kl = Σ_d ½ (μ² + σ² − 1 − log σ²), in training Σ_d max(free_bits, mean of it over the batch).

    Annealing and free bits change the training loss only: ``val_loss`` always has the whole beta · kl, and is −ELBO
    for beta = 1; choose the best epoch by it. ``vae(x)`` gives (output, mean, log_var).

    Raises ValueError when the encoder does not give 2 · d numbers.
    Sources: Kingma & Welling, arXiv:1312.6114; Higgins et al., β-VAE, ICLR (2017); free bits: Kingma et al.,
    arXiv:1606.04934; annealing: Bowman et al., arXiv:1511.06349. Notebook: 04.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        beta: float = 1.0,
        free_bits: float = 0.0,
        anneal: int | None = None,
        seed: int = 0,
        **kwargs: object,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.beta, self.free_bits, self.anneal, self.seed = beta, free_bits, anneal, seed
        self.sampling = Sampling(seed)
        self.kl_mean = keras.metrics.Mean("kl")
        # A weight, so that a checkpoint and a saved model remember how far the annealing has come.
        self.warmth = self.add_weight((), "zeros" if anneal else "ones", trainable=False, name="warmth")

    def check_code(self, gives: int, takes: int) -> None:
        if gives != 2 * takes:
            raise ValueError(
                f"the encoder gives {gives} numbers and the decoder takes {takes}. Let the encoder end with "
                f"{2 * takes}: a mean and a log variance for each."
            )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder's input → (mean, log_var) of q(z | x), each (batch, d)."""
        return tuple(ops.split(self.encoder(x), 2, axis=-1))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Input → mean of q(z | x) → output; no noise."""
        x, *given = self.listed(x)
        return self.decode(self.encode(x)[0], *given)

    def sample(self, n: int, seed: int) -> Tensor:
        """n outputs for z ~ N(0, 1)."""
        return self.decode(keras.random.normal((n, *self.code_shape), seed=seed))

    def call(
        self, x: Tensor, training: bool | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:  # training: as in Autoencoder
        x, *given = self.listed(x)
        mean, log_var = self.encode(x)
        return self.decode(self.sampling(mean, log_var), *given), mean, log_var

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Tensor:  # noqa: ANN001
        output, mean, log_var = y_pred
        weight_decay = sum(self.losses)  # of the parts, where they have any
        y = self.listed(x)[0] if y is None else y
        reconstruction = keras.Model.compute_loss(self, x, y, output, sample_weight, training) - weight_decay
        kl = ops.mean(gaussian_kl(mean, log_var), axis=0)
        self.reconstruction_mean.update_state(reconstruction, sample_weight=ops.shape(mean)[0])
        self.kl_mean.update_state(ops.sum(kl), sample_weight=ops.shape(mean)[0])
        beta = self.beta
        if training:
            kl = ops.maximum(kl, self.free_bits)
            beta = self.beta * self.warmth
            if self.anneal:
                self.warmth.assign(ops.minimum(1.0, self.warmth + 1 / self.anneal))
        return reconstruction + beta * ops.sum(kl) + weight_decay

    def compute_metrics(self, x: Tensor, y: Tensor, y_pred: tuple, sample_weight: Tensor = None) -> dict:
        return super().compute_metrics(x, y, y_pred[0], sample_weight)

    def elbo(self, x: Tensor, y: Tensor = None, samples: int = 1, seed: int = 0) -> ELBO:
        """Mean ELBO of the examples x (targets y, else x itself), each with ``samples`` draws of z.

        Raises ValueError when ``samples`` is less than 1.
        """
        if samples < 1:
            raise ValueError(f"samples is {samples}; at least one draw of z is needed.")
        state = self.sampling.noise.state
        before = ops.convert_to_numpy(state)
        state.assign([seed, 0])
        runs = [self.evaluate(x, y, batch_size=256, verbose=0, return_dict=True) for _ in range(samples)]
        state.assign(before)  # so that asking does not change what training does next
        reconstruction, kl = (float(np.mean([run[key] for run in runs])) for key in ("reconstruction", "kl"))
        return ELBO(-reconstruction - kl, reconstruction, kl)


def autoregressive_decoder(
    code: int,
    steps: int,
    sizes: Sequence[int],
    embedding: int = 32,
    hidden: int = 256,
    width: int = 256,
    reach: int = 16,
    dropout: float = 0.05,
    word_dropout: float = 0.5,
) -> keras.Model:
    """An autoregressive decoder: p(x | z) = Π_t Π_g p(x_{t,g} | the steps before t, the groups before g at t, z).

    | symbol | shape | meaning |
    | z | (batch, code) | the code |
    | x | (batch, steps, Σ sizes) | one symbol of each group at each step, one-hot |
    | output | (batch, steps, Σ sizes) | logits |

    code, steps: sizes as above. sizes: symbols of each group.
    embedding: numbers that a time step is summed up in. hidden: ReLU units that unfold z over time.
    width: ReLU units that decide a group. reach: how many of the last time steps are an input.
    dropout: share of units that are silent in training. word_dropout: share of the past time steps that are masked
        in training, so that z has to be used (Bowman et al., arXiv:1511.06349).

    x is the example itself: every symbol is predicted from the *true* ones before it (*teacher forcing*), all in one
    pass. To write where there is no x: ``AutoregressiveSampler``. Notebook: 04.
    """
    z, x = keras.Input((code,), name="z"), keras.Input((steps, sum(sizes)), name="x")
    plan = layers.Dropout(dropout)(layers.Dense(hidden, activation="relu", name="hidden")(z))
    plan = layers.Reshape((steps, embedding))(layers.Dense(steps * embedding, name="unfold")(plan))
    plan = layers.Dense(width, name="plan")(plan)
    embedded = layers.Dense(embedding, use_bias=False, name="embed")(x)
    embedded = layers.Dropout(word_dropout, noise_shape=(None, steps, 1))(embedded)
    before = layers.Cropping1D((0, 1))(layers.ZeroPadding1D((1, 0))(embedded))  # one step later: not the step itself
    past = layers.Conv1D(width, reach, padding="causal", use_bias=False, name="past")(before)
    own, logits = layers.Add()([plan, past]), []
    for group, size in enumerate(sizes):
        if group:
            end = sum(sizes[:group])
            last = x[..., end - sizes[group - 1] : end]
            own = layers.Add()([own, layers.Dense(width, use_bias=False, name=f"before_{group}")(last)])
        decided = layers.Dropout(dropout)(layers.Activation("relu")(own))
        logits.append(layers.Dense(size, name=f"group_{group}")(decided))
    return keras.Model([z, x], layers.Concatenate()(logits))


for _one in (Sampling, VAE):
    keras.saving.register_keras_serializable("course")(_one)
