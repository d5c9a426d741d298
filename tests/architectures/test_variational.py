import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from course_lib import training
from course_lib.architectures.losses import GroupedCrossEntropy
from course_lib.architectures.variational import VAE, Sampling, autoregressive_decoder, gaussian_kl

JIT = keras.backend.backend() == "jax"  # for networks this small TensorFlow is quicker without
SIZES = (3, 4)
STEPS = 5


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training, "PRETRAINED", tmp_path / "pretrained")
    monkeypatch.setattr(training, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    keras.utils.set_random_seed(0)


def phrases(count: int = 32) -> np.ndarray:
    """One-hot (count, STEPS, sum(SIZES)): each voice keeps to one symbol."""
    rng = np.random.default_rng(0)
    voices = [np.repeat(np.eye(size)[rng.integers(size, size=count)][:, None], STEPS, axis=1) for size in SIZES]
    return np.concatenate(voices, -1).astype("float32")


def recurrent(code: int = 2, **settings: object) -> VAE:
    width = sum(SIZES)
    encoder = keras.Sequential([keras.Input((STEPS, width)), layers.GRU(8), layers.Dense(2 * code)])
    decoder = keras.Sequential(
        [keras.Input((code,)), layers.RepeatVector(STEPS), layers.GRU(8, return_sequences=True), layers.Dense(width)]
    )
    model = VAE(encoder, decoder, **settings)
    model.compile(keras.optimizers.Adam(0.02, name="adam"), GroupedCrossEntropy(SIZES, "sequence"), jit_compile=JIT)
    return model


def flat(code: int = 2, decay: float = 0.0, **settings: object) -> VAE:
    width = STEPS * sum(SIZES)
    encoder = keras.Sequential([keras.Input((width,)), layers.Dense(2 * code)])
    last = layers.Dense(width, kernel_regularizer=keras.regularizers.L2(decay) if decay else None)
    model = VAE(encoder, keras.Sequential([keras.Input((code,)), last]), **settings)
    model.compile(keras.optimizers.Adam(0.02, name="adam"), GroupedCrossEntropy(SIZES, "sequence"), jit_compile=JIT)
    return model


MODELS = {
    "recurrent": (recurrent, phrases),
    "flat": (flat, lambda: phrases().reshape(32, -1)),
}


def values(model: VAE, x: np.ndarray, y: np.ndarray | None = None) -> dict:
    return model.evaluate(x, y, verbose=0, return_dict=True)


def test_the_kl_is_exact() -> None:
    assert float(gaussian_kl(0.0, 0.0)) == 0
    assert float(gaussian_kl(2.0, 0.0)) == pytest.approx(2)
    assert float(gaussian_kl(0.0, np.float32(np.log(4)))) == pytest.approx(0.5 * (4 - 1 - np.log(4)))
    mean, log_var = np.array([[0.7, -1.2]], "float32"), np.array([[-1.5, 0.4]], "float32")
    z = np.linspace(-12, 12, 200_001)
    for d in range(2):
        m, v = float(mean[0, d]), float(np.exp(log_var[0, d]))
        log_ratio = -0.5 * ((z - m) ** 2 / v + np.log(v)) + 0.5 * z**2
        integral = np.trapezoid(np.exp(-0.5 * (z - m) ** 2 / v) / np.sqrt(2 * np.pi * v) * log_ratio, z)
        assert float(gaussian_kl(mean, log_var)[0, d]) == pytest.approx(integral, abs=1e-5)


def test_sampling_has_the_mean_the_spread_and_the_gradient() -> None:
    mean, log_var = np.full((20_000, 2), [3.0, -1.0], "float32"), np.full((20_000, 2), np.log([0.25, 4.0]), "float32")
    layer = Sampling(seed=3)
    first = np.asarray(layer(mean, log_var))
    assert np.allclose(first.mean(0), [3, -1], atol=5 * 2 / 20_000**0.5)
    assert np.allclose(first.std(0), [0.5, 2], rtol=0.03)
    assert abs(np.corrcoef(first.T)[0, 1]) < 0.04
    second = np.asarray(layer(mean, log_var))
    assert not np.array_equal(first, second)
    assert np.array_equal(np.asarray(Sampling(seed=3)(mean, log_var)), first)
    assert not np.array_equal(np.asarray(Sampling(seed=4)(mean, log_var)), first)
    # Another mean and spread, the same noise: z − μ scales with σ.
    other = np.asarray(Sampling(seed=3)(mean + 1, log_var + 2 * np.log(2).astype("float32")))
    assert np.allclose(other - mean - 1, 2 * (first - mean), atol=1e-4)


# A case in which everything is known: p(x | z) = N(Wz + b, s), so that p(x) = N(b, WWᵀ + s). The columns of W are
# orthogonal, so the true posterior has a diagonal covariance, and a linear encoder can give it exactly.
W = np.array([[1.0, 0.5], [-1.0, 1.0], [0.0, 1.0], [2.0, 0.0], [0.5, 1.0]])
B = np.array([0.3, -0.2, 0.0, 1.0, -1.0])
S = 0.4


def gaussian_nats(target: object, output: object) -> object:
    return 0.5 * ops.sum(ops.square(target - output) / S + np.log(2 * np.pi * S), axis=-1)


def linear_gaussian(seed: int = 0) -> tuple[VAE, np.ndarray]:
    """A VAE that holds the exact posterior, and data of the model."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 2)) @ W.T + B + S**0.5 * rng.normal(size=(200, 5))).astype("float32")
    encoder = keras.Sequential([keras.Input((5,)), layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(5)])
    variance = 1 / (1 + (W**2).sum(0) / S)
    gain = W * variance / S
    encoder.set_weights(
        [np.concatenate([gain, np.zeros((5, 2))], 1), np.concatenate([-B @ gain, np.log(variance)])],
    )
    decoder.set_weights([W.T, B])
    model = VAE(encoder, decoder, seed=seed)
    model.compile(keras.optimizers.Adam(0.02), gaussian_nats, jit_compile=JIT)
    return model, x


def evidence(x: np.ndarray) -> float:
    covariance = W @ W.T + S * np.eye(5)
    d = x - B
    quadratic = np.einsum("ni,ij,nj->n", d, np.linalg.inv(covariance), d)
    return float(-0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * covariance)[1]).mean())


def test_with_the_true_posterior_the_elbo_is_the_evidence() -> None:
    assert abs((W.T @ W)[0, 1]) < 1e-12
    model, x = linear_gaussian()
    bound = model.elbo(np.tile(x, (25, 1)), samples=4)
    assert bound.value == pytest.approx(evidence(x), abs=0.03)
    assert bound.value == -bound.reconstruction - bound.kl
    mean, log_var = (np.asarray(part) for part in model.encode(x))
    by_hand = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(1).mean()
    assert bound.kl == pytest.approx(by_hand, rel=1e-5)
    expected = 0.5 * ((((x - B - mean @ W.T) ** 2).sum(1).mean() + np.exp(log_var[0]) @ (W**2).sum(0)) / S)
    assert bound.reconstruction == pytest.approx(expected + 2.5 * np.log(2 * np.pi * S), abs=0.03)


def test_another_posterior_loses_its_distance_from_the_true_one() -> None:
    model, x = linear_gaussian()
    exact, many = evidence(x), np.tile(x, (50, 1))
    kernel, bias = model.encoder.get_weights()
    model.encoder.set_weights([kernel, bias + np.array([0.2, 0, 0, 0.7])])
    variance = np.exp(bias[2:])
    gap = 0.5 * (0.2**2 / variance[0] + np.exp(0.7) - 1 - 0.7)
    assert model.elbo(many, samples=2).value == pytest.approx(exact - gap, abs=0.03)


def test_training_climbs_towards_the_evidence_and_not_beyond() -> None:
    model, x = linear_gaussian()
    best = evidence(x)
    model.encoder.set_weights([w * 0 for w in model.encoder.get_weights()])
    start = model.elbo(x).value
    model.decoder.trainable = False  # so that the evidence stays what it is
    model.compile(keras.optimizers.Adam(0.05), gaussian_nats, jit_compile=JIT)
    training.fit(model, x, epochs=40, batch_size=50)
    reached = model.elbo(x, samples=30).value
    assert start < best - 5
    assert best - 0.5 < reached < best + 0.05


@pytest.mark.parametrize("make, data", MODELS.values(), ids=MODELS)
def test_loss_is_nats_an_example_of_two_terms(make: object, data: object) -> None:
    model, x = make(beta=0.5), data()
    kernel, bias = model.encoder.layers[-1].get_weights()
    half = bias.size // 2
    kernel[:, half:] = 0
    model.encoder.layers[-1].set_weights([kernel, np.r_[bias[:half], np.full(half, -40.0)]])  # no noise
    got = values(model, x)
    by_hand = STEPS * float(GroupedCrossEntropy(SIZES)(x, model.reconstruct(x)))
    mean, log_var = model.encode(x)
    kl = float(ops.mean(ops.sum(gaussian_kl(mean, log_var), axis=-1)))
    assert got["reconstruction"] == pytest.approx(by_hand, rel=1e-4)
    assert got["kl"] == pytest.approx(kl, rel=1e-4)
    assert got["loss"] == pytest.approx(by_hand + 0.5 * kl, rel=1e-4)
    assert model.elbo(x).value == pytest.approx(-by_hand - kl, rel=1e-4)


@pytest.mark.parametrize("make, data", MODELS.values(), ids=MODELS)
def test_both_terms_are_reported_and_the_bound_rises(make: object, data: object) -> None:
    model, x = make(), data()
    before = model.elbo(x, samples=5).value
    history = training.fit(model, x, validation_data=x, epochs=30, batch_size=16).history
    names = {"loss", "reconstruction", "kl"}
    assert set(history) == names | {f"val_{name}" for name in names}
    for prefix in ("", "val_"):
        total = np.add(history[f"{prefix}reconstruction"], history[f"{prefix}kl"])
        assert np.allclose(history[f"{prefix}loss"], total, rtol=1e-4)
    assert model.elbo(x, samples=5).value > before + 1
    one, other = np.asarray(model.decode(np.array([[2, 0], [0, 2]], "float32")))
    assert np.abs(one - other).max() > 0.1


def test_indices_are_as_good_a_target_as_one_hot() -> None:
    x = phrases()
    symbols = np.stack([x[..., :3].argmax(-1), x[..., 3:].argmax(-1)], -1)
    model = recurrent()
    assert model.elbo(x, symbols) == pytest.approx(model.elbo(x), rel=1e-5)


def test_beta_rises_in_a_line_in_training_and_is_whole_in_validation() -> None:
    x = np.repeat(phrases(1), 32, axis=0)  # one example, so that the KL is the same in all batches
    model = recurrent(beta=2.0, anneal=8)
    model.compile(keras.optimizers.SGD(0.0), GroupedCrossEntropy(SIZES, "sequence"), jit_compile=JIT)
    history = training.fit(model, x, validation_data=x, epochs=4, batch_size=8).history  # four steps an epoch
    kl, price = np.array(history["kl"]), np.subtract(history["loss"], history["reconstruction"])
    assert kl.min() > 0
    assert np.allclose(price / kl, [2 * np.mean([0, 1, 2, 3]) / 8, 2 * np.mean([4, 5, 6, 7]) / 8, 2, 2], rtol=1e-3)
    whole = np.subtract(history["val_loss"], history["val_reconstruction"])
    assert np.allclose(whole, 2 * np.array(history["val_kl"]), rtol=1e-3)


def test_free_bits_cost_the_same_up_to_the_allowance() -> None:
    x = phrases()
    model = flat(code=3, free_bits=0.5)
    model.compile(keras.optimizers.SGD(0.0), GroupedCrossEntropy(SIZES, "sequence"), jit_compile=JIT)
    encoder = model.encoder.layers[-1]
    encoder.set_weights([np.zeros_like(encoder.get_weights()[0]), np.r_[2.0, 0.5, 0, 0, 0, 0]])  # KL 2, 1/8, 0
    history = model.fit(x.reshape(32, -1), epochs=1, verbose=0).history
    assert history["kl"][0] == pytest.approx(2.125, rel=1e-5)
    assert history["loss"][0] - history["reconstruction"][0] == pytest.approx(2 + 0.5 + 0.5, rel=1e-4)
    held_out = values(model, x.reshape(32, -1))
    assert held_out["loss"] - held_out["reconstruction"] == pytest.approx(2.125, rel=1e-4)
    # Below the allowance there is no gradient of the KL: with nothing to reconstruct, the code stays where it is.
    model.decoder.layers[-1].set_weights([np.zeros((3, 35)), np.zeros(35)])
    model.compile(keras.optimizers.SGD(0.1), GroupedCrossEntropy(SIZES, "sequence"), jit_compile=JIT)
    model.decoder.trainable = False
    model.fit(x.reshape(32, -1), batch_size=32, epochs=1, verbose=0)
    assert np.allclose(encoder.get_weights()[1], [2.0 - 0.1 * 2.0, 0.5, 0, 0, 0, 0], atol=1e-5)


def test_weight_decay_of_the_parts_is_no_part_of_the_bound() -> None:
    x = phrases().reshape(32, -1)
    model = flat()
    plain = values(model, x)
    decayed = flat(decay=10.0)
    decayed.set_weights(model.get_weights())
    got = values(decayed, x)
    assert (got["reconstruction"], got["kl"]) == pytest.approx((plain["reconstruction"], plain["kl"]), rel=1e-4)
    price = 10 * float((np.asarray(model.decoder.layers[-1].kernel) ** 2).sum())
    assert got["loss"] == pytest.approx(plain["loss"] + price, rel=1e-4)


def test_randomness_comes_from_the_seeds() -> None:
    x = phrases()
    model = recurrent()
    assert np.array_equal(model.sample(4, seed=1), model.sample(4, seed=1))
    assert not np.array_equal(model.sample(4, seed=1), model.sample(4, seed=2))
    assert model.sample(4, seed=1).shape == (4, STEPS, 7)
    assert np.array_equal(model.reconstruct(x), model.reconstruct(x))
    noise = np.asarray(model.sampling.noise.state)
    assert model.elbo(x, seed=1) == model.elbo(x, seed=1) != model.elbo(x, seed=2)
    assert np.array_equal(model.sampling.noise.state, noise)
    losses = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(0)
        losses.append(recurrent(seed=seed).fit(x, batch_size=len(x), epochs=2, verbose=0).history["loss"])
    assert losses[0] == losses[1] != losses[2]


def test_more_samples_make_a_steadier_bound() -> None:
    model, x = linear_gaussian()
    few = np.std([model.elbo(x, samples=1, seed=seed).value for seed in range(6)])
    many = np.std([model.elbo(x, samples=9, seed=seed).value for seed in range(6)])
    assert many < few / 1.5


def test_shapes_that_do_not_fit_are_refused() -> None:
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(4)])
    with pytest.raises(ValueError, match="gives 3 numbers .* takes 3. .* end with 6: a mean and a log variance for"):
        VAE(encoder, decoder)
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(6)])
    assert VAE(encoder, decoder).sample(2, seed=0).shape == (2, 4)
    with pytest.raises(ValueError, match="samples is 0"):
        recurrent().elbo(phrases(), samples=0)


@pytest.mark.parametrize("make, data", MODELS.values(), ids=MODELS)
def test_models_survive_saving(make: object, data: object, tmp_path: Path) -> None:
    model, x = make(beta=0.5, free_bits=0.1, anneal=40, seed=7), data()
    model.fit(x, epochs=2, verbose=0, batch_size=8)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again, VAE)
    assert float(again.warmth) == pytest.approx(8 / 40)
    for name in ("beta", "free_bits", "anneal", "seed"):
        assert getattr(again, name) == getattr(model, name)
    assert np.allclose(model.reconstruct(x), again.reconstruct(x), atol=1e-6)
    assert again.elbo(x) == pytest.approx(model.elbo(x), rel=1e-5)


def test_a_full_training_resumes_with_noise_and_annealing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "full")
    x = np.repeat(phrases(1), 16, axis=0)  # one example, so that the order of the examples does not matter
    settings = {"validation_data": x, "epochs": 6, "batch_size": 8}
    keras.utils.set_random_seed(1)
    straight = training.fit(recurrent(anneal=10), x, **settings, name="straight")

    def stop(history: dict, epoch: int, epochs: int, left: float) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    keras.utils.set_random_seed(1)
    with pytest.raises(KeyboardInterrupt):
        training.fit(recurrent(anneal=10), x, **settings, name="vae", watch=stop)
    model = recurrent(anneal=10)
    resumed = training.fit(model, x, **settings, name="vae", score=lambda: model.elbo(x)._asdict())
    for name, curve in straight.history.items():
        assert resumed.history[name] == pytest.approx(curve, rel=1e-3), name
    # Shipped weights fit the model that was trained, and the same one without annealing.
    for other in (recurrent(anneal=10), recurrent()):
        shipped = training.load_pretrained(other, "vae")
        assert shipped.pop("model")["class_name"] == "VAE"
        assert shipped == resumed.record
        assert other.elbo(x).value == pytest.approx(resumed.record["scores"]["value"], rel=1e-5)


JAX = """
import json, sys
import keras, numpy as np
from course_lib.architectures.autoencoder import KLSparsity, Stack, Autoencoder
from course_lib.architectures.variational import VAE
from course_lib.training import fit
from tests.architectures.test_autoencoder import dense, patterns, stack
from tests.architectures.test_variational import phrases, recurrent

read = keras.saving.load_model(sys.argv[1])
x = phrases()
bound = read.elbo(np.tile(x, (20, 1, 1)))
out = {"kl": bound.kl, "reconstruction": bound.reconstruction, "output": np.asarray(read.reconstruct(x)).tolist()}
model = recurrent(anneal=8, free_bits=0.01)
out["history"] = fit(model, x, validation_data=x, epochs=3, batch_size=16).history
out["warmth"] = float(model.warmth)
sparse = dense(12, 6, penalty=KLSparsity())
out["sparse"] = fit(sparse, patterns(), validation_data=patterns(), epochs=1).history
deep = stack(tied=True)
deep.pretrain(patterns(), fit, epochs=1)
out["stack"] = fit(deep, patterns(), epochs=1).history
out["backend"] = keras.backend.backend()
print(json.dumps(out))
"""


def autoregressive(code: int = 2, **settings: object) -> VAE:
    encoder = keras.Sequential([keras.Input((STEPS, sum(SIZES))), layers.Flatten(), layers.Dense(2 * code)])
    model = VAE(encoder, autoregressive_decoder(code, STEPS, SIZES, 4, 8, 8, reach=2, dropout=0), **settings)
    model.compile(keras.optimizers.Adam(0.02, name="adam"), GroupedCrossEntropy(SIZES, "sequence"), jit_compile=JIT)
    return model


def test_a_decoder_may_be_given_the_example(tmp_path: Path) -> None:
    model, x = autoregressive(anneal=40), phrases()
    given = [x, x]
    output, mean, log_var = model(given)
    assert output.shape == x.shape and mean.shape == log_var.shape == (32, 2)
    before = model.elbo(given)
    assert before == model.elbo(given, x)  # the target is the first
    model.fit(given, epochs=30, verbose=0, batch_size=8)
    assert model.elbo(given).value > before.value + 1
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    again.compile(loss=GroupedCrossEntropy(SIZES, "sequence"))
    assert again.elbo(given, seed=3) == pytest.approx(model.elbo(given, seed=3), abs=1e-4)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_everything_trains_unchanged_on_jax(tmp_path: Path) -> None:
    model, x = recurrent(), phrases()
    model.fit(x, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", JAX, str(tmp_path / "model.keras")],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout.splitlines()[-1])
    assert got["backend"] == "jax"
    assert np.allclose(got["output"], model.reconstruct(x), atol=1e-4)
    bound = model.elbo(np.tile(x, (20, 1, 1)))
    assert got["kl"] == pytest.approx(bound.kl, rel=1e-4)
    assert got["reconstruction"] == pytest.approx(bound.reconstruction, rel=0.02)  # the noise is another
    history = got["history"]
    assert set(history) == {f"{p}{n}" for p in ("", "val_") for n in ("loss", "reconstruction", "kl")}
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert np.allclose(history["val_loss"], np.add(history["val_reconstruction"], history["val_kl"]), rtol=1e-4)
    best = 1 + int(np.argmin(history["val_loss"]))  # the epoch to whose weights fit goes back
    assert got["warmth"] == pytest.approx(2 * best / 8)
    assert got["sparse"]["penalty"][0] > 0 and got["sparse"]["val_penalty"][0] > 0
    assert np.isfinite(got["stack"]["reconstruction"][0])
