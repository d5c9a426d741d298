"""Boltzmann machines: energies, exact sums, annealed importance sampling, chains and their training."""

from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.batches import NO_FRAME
from course_lib.architectures.boltzmann import RBM, UniformNumbers
from course_lib.architectures.over_time import OverTime
from course_lib.architectures.partition import annealed_importance, importance_weights, log_partition

UNITS, HIDDEN = 5, 3
EVERY = np.array(list(product([0, 1], repeat=UNITS)), np.float32)


def rbm_of(units: int = UNITS, hidden: int = HIDDEN, scale: float = 1.0, seed: int = 0, **kwargs: object) -> RBM:
    model, rng = RBM(units, hidden, **kwargs), np.random.default_rng(seed)
    for weight in (model.w, model.b, model.c):
        weight.assign(rng.normal(0, scale, weight.shape))
    return model


def probabilities(model: RBM) -> np.ndarray:
    """p of every frame, by summing over every state of both sides."""
    w, b, c = model.parts
    hidden = np.array(list(product([0, 1], repeat=w.shape[1])), float)
    joint = np.exp(EVERY @ b[:, None] + (hidden @ c)[None] + EVERY @ w @ hidden.T)
    return joint.sum(1) / joint.sum()


def test_uniform_numbers_are_uniform_and_independent() -> None:
    seed = keras.random.SeedGenerator(3)
    numbers = UniformNumbers((20, 30, 5), seed)
    drawn = np.stack([np.asarray(numbers.below(0.3)) for _ in range(100)])
    assert drawn.mean() == pytest.approx(0.3, abs=0.004)
    assert drawn.mean(0).std() == pytest.approx(np.sqrt(0.21 / 100), rel=0.05)
    apart = (drawn - 0.3) / np.sqrt(0.21)
    for axis in range(4):
        neighbours = np.swapaxes(apart, 0, axis)
        assert abs((neighbours[1:] * neighbours[:-1]).mean()) < 0.01
    assert (np.asarray(numbers.below(0.0)) == 0).all() and (np.asarray(numbers.below(1.0)) == 1).all()
    assert len(np.unique(np.asarray(UniformNumbers((20, 30, 5), seed).x))) == 3000


def test_free_energy_and_partition_function_give_the_probabilities() -> None:
    model = rbm_of()
    log_p = -np.asarray(model(EVERY)) - log_partition(*model.parts)
    np.testing.assert_allclose(np.exp(log_p), probabilities(model), rtol=1e-4)


def test_the_partition_function_sums_over_the_smaller_side() -> None:
    w, b, c = rbm_of(9, 4).parts
    assert log_partition(w, b, c) == pytest.approx(log_partition(w.T, c, b))
    frames = np.array(list(product([0, 1], repeat=9)), float)
    energies = -(frames @ b) - np.logaddexp(0, frames @ w + c).sum(1)
    assert log_partition(w, b, c) == pytest.approx(np.logaddexp.reduce(-energies))
    w = np.zeros((18, 30))  # more than one block of states
    assert log_partition(w, np.zeros(18), np.zeros(30)) == pytest.approx(48 * np.log(2))
    with pytest.raises(ValueError, match="21 × 21 units.*annealed_importance"):
        log_partition(np.zeros((21, 21)), np.zeros(21), np.zeros(21))


def test_annealed_importance_agrees_with_the_exact_sum_on_19_of_20() -> None:
    rng, inside, wide = np.random.default_rng(0), 0, 0
    for seed in range(20):
        units, hidden = int(rng.integers(6, 30)), int(rng.integers(5, 15))
        w, b, c = (rng.normal(0, s, n) for s, n in ((rng.uniform(0.2, 1), (units, hidden)), (1, units), (1, hidden)))
        exact, found = log_partition(w, b, c), annealed_importance(w, b, c, runs=100, steps=500, seed=seed)
        inside += found.low <= exact <= found.high
        wide += found.high - found.low > 0.3
        assert found.low <= found.value <= found.high
    assert inside >= 19 and wide == 0  # an interval as wide as a barn would hold anything


def test_importance_weights_are_exact_on_average_even_with_few_steps() -> None:
    w, b, c = rbm_of(6, 4, 0.7).parts
    log_w = importance_weights(w, b, c, np.zeros((40_000, 6)), steps=3, seed=1)
    weights = np.exp(log_w - log_partition(w, b, c))
    assert weights.std() > 0.1
    assert weights.mean() == pytest.approx(1, abs=4 * weights.std() / 200)


def test_each_run_may_have_biases_of_its_own() -> None:
    rng = np.random.default_rng(0)
    w, b, c = rng.normal(0, 0.5, (6, 4)), rng.normal(0, 1, (3, 6)), rng.normal(0, 1, (3, 4))
    log_w = importance_weights(w, b, c, b, steps=2000)
    exact = [log_partition(w, *biases) for biases in zip(b, c, strict=True)]
    np.testing.assert_allclose(log_w, exact, atol=0.3)
    assert max(exact) - min(exact) > 0.5


def test_an_interval_needs_two_runs() -> None:
    with pytest.raises(ValueError, match="runs is 1"):
        annealed_importance(np.zeros((2, 2)), np.zeros(2), np.zeros(2), runs=1)


def share(frames: np.ndarray) -> np.ndarray:
    return np.bincount(frames.astype(int) @ (1 << np.arange(UNITS)[::-1]), minlength=len(EVERY)) / len(frames)


def test_gibbs_chains_come_to_the_distribution() -> None:
    model = rbm_of(scale=0.7)
    end = np.asarray(model.gibbs(np.zeros((20_000, UNITS)), 30))
    assert np.abs(share(end) - probabilities(model)).max() < 0.015


def test_shifted_biases_are_those_of_another_rbm() -> None:
    model, other = rbm_of(), rbm_of()
    rng = np.random.default_rng(5)
    visible, hidden = rng.normal(0, 1, UNITS).astype(np.float32), rng.normal(0, 1, HIDDEN).astype(np.float32)
    other.b.assign_add(visible)
    other.c.assign_add(hidden)
    n = 20_000
    rows = np.repeat(visible[None], n, 0), np.repeat(hidden[None], n, 0)
    np.testing.assert_allclose(model(EVERY, rows[0][:32], rows[1][:32]), other(EVERY), atol=1e-5)
    assert np.abs(share(np.asarray(model.gibbs(np.zeros((n, UNITS)), 30, *rows))) - probabilities(other)).max() < 0.015


def test_watched_chains_begin_where_they_are_put() -> None:
    seen = rbm_of().watch(EVERY[:4], steps=10, every=5)
    assert seen.shape == (3, 4, UNITS) and seen.dtype == bool and (seen[0] == EVERY[:4].astype(bool)).all()
    assert (seen == rbm_of().watch(EVERY[:4], steps=10, every=5)).all()


def test_the_gradient_is_that_of_contrastive_divergence() -> None:
    import tensorflow as tf

    model, twin, v = rbm_of(k=2, seed=4), rbm_of(k=2, seed=4), EVERY[[3, 9, 17, 30]]
    end = np.asarray(twin.gibbs(v, 2))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(v, None, model(v))
    to_w, to_b, to_c = tape.gradient(loss, [model.w, model.b, model.c])
    w, _, c = model.parts
    on = lambda frames: 1 / (1 + np.exp(-(frames @ w + c)))  # noqa: E731
    np.testing.assert_allclose(to_w, -(v.T @ on(v) - end.T @ on(end)) / 4, atol=1e-5)
    np.testing.assert_allclose(to_b, -(v - end).mean(0), atol=1e-5)
    np.testing.assert_allclose(to_c, -(on(v) - on(end)).mean(0), atol=1e-5)


@pytest.mark.parametrize("chains", [0, 100], ids=["CD", "PCD"])
def test_training_finds_the_frames(chains: int) -> None:
    rng = np.random.default_rng(0)
    frames = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 1, 0]], np.float32)
    v = frames[rng.integers(0, 2, 500)]
    v = np.where(rng.random(v.shape) < 0.05, 1 - v, v)
    keras.utils.set_random_seed(0)
    model = RBM(UNITS, HIDDEN, k=5, persistent=chains, seed=1)
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    model.fit(v, epochs=40, batch_size=50, verbose=0)
    nats = np.asarray(model(v)) + log_partition(*model.parts)
    best = np.log(2) - 5 * (0.05 * np.log(0.05) + 0.95 * np.log(0.95))
    assert best - 0.1 < nats.mean() < best + 0.3  # 3.47 is a coin for each unit
    if chains:
        assert np.asarray(model.chains).any()


def rnn_rbm() -> OverTime:
    keras.utils.set_random_seed(0)
    return OverTime(layers.LSTM(6, return_sequences=True), rbm_of(k=3))


def sequences() -> np.ndarray:
    v = (np.random.default_rng(0).random((3, 9, UNITS)) < 0.3).astype(np.int8)
    v[1, 6:] = v[2, 2:] = NO_FRAME
    return v


def test_an_rnn_rbm_shifts_the_biases_of_each_frame() -> None:
    model, v = rnn_rbm(), sequences()
    energy = np.asarray(model(v))
    assert ((energy == 0) == (v[..., 0] == NO_FRAME)).all()
    shifts = [np.asarray(part) for part in model.shifts(model.past(v)[0, 4:5])]
    assert float(model.frames(v[0, 4:5], *shifts)[0]) == pytest.approx(energy[0, 4], abs=1e-5)
    assert np.abs(shifts[0]).max() > 1e-3


def test_an_rnn_rbm_learns_what_follows_what() -> None:
    """Two frames in turn, and either begins: only who has the past as input can predict the next one."""
    frames = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 1, 0]], np.float32)
    v = np.stack([frames[np.arange(8) % 2], frames[np.arange(1, 9) % 2]] * 20)
    model = rnn_rbm()
    model.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    model.fit(v, epochs=60, batch_size=40, verbose=0)
    shifts = model.shifts(model.past(v[:1])[0])
    w, b, c = model.frames.parts
    z = [log_partition(w, b + x, c + y) for x, y in zip(*map(np.asarray, shifts), strict=True)]
    nats = np.asarray(model(v[:1]))[0] + z
    assert nats[1:].mean() < 0.4 and nats.min() > -1e-3


def test_an_rbm_comes_back_from_a_file(tmp_path: Path) -> None:
    model = RBM(UNITS, HIDDEN, k=3, persistent=4, seed=7)
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(again(EVERY), model(EVERY))
    assert (again.k, again.persistent, again.seed) == (3, 4, 7)
