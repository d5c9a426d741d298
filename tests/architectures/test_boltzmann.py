"""Boltzmann machines: energies, exact sums, annealed importance sampling, chains and their training."""

from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.batches import NO_FRAME
from course_lib.architectures.boltzmann import RBM, Dice
from course_lib.architectures.over_time import RNNRBM
from course_lib.architectures.partition import annealed_importance, importance_weights, log_partition

KEYS, HIDDEN = 5, 3
EVERY = np.array(list(product([0, 1], repeat=KEYS)), np.float32)


def machine(keys: int = KEYS, hidden: int = HIDDEN, scale: float = 1.0, seed: int = 0, **kwargs: object) -> RBM:
    model, rng = RBM(keys, hidden, **kwargs), np.random.default_rng(seed)
    for weight in (model.w, model.b, model.c):
        weight.assign(rng.normal(0, scale, weight.shape))
    return model


def probabilities(model: RBM) -> np.ndarray:
    """p of every frame, by summing over every state of both sides."""
    w, b, c = model.parts
    hidden = np.array(list(product([0, 1], repeat=w.shape[1])), float)
    joint = np.exp(EVERY @ b[:, None] + (hidden @ c)[None] + EVERY @ w @ hidden.T)
    return joint.sum(1) / joint.sum()


def test_dice_are_fair_and_know_nothing_of_each_other() -> None:
    seed = keras.random.SeedGenerator(3)
    dice = Dice((20, 30, 5), seed)
    throws = np.stack([np.asarray(dice.below(0.3)) for _ in range(100)])
    assert throws.mean() == pytest.approx(0.3, abs=0.004)
    assert throws.mean(0).std() == pytest.approx(np.sqrt(0.21 / 100), rel=0.05)
    apart = (throws - 0.3) / np.sqrt(0.21)
    for axis in range(4):
        neighbours = np.swapaxes(apart, 0, axis)
        assert abs((neighbours[1:] * neighbours[:-1]).mean()) < 0.01
    assert (np.asarray(dice.below(0.0)) == 0).all() and (np.asarray(dice.below(1.0)) == 1).all()
    assert len(np.unique(np.asarray(Dice((20, 30, 5), seed).x))) == 3000


def test_free_energy_and_partition_function_give_the_probabilities() -> None:
    model = machine()
    log_p = -np.asarray(model(EVERY)) - log_partition(*model.parts)
    np.testing.assert_allclose(np.exp(log_p), probabilities(model), rtol=1e-4)


def test_the_partition_function_sums_over_the_smaller_side() -> None:
    w, b, c = machine(9, 4).parts
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
        keys, hidden = int(rng.integers(6, 30)), int(rng.integers(5, 15))
        w, b, c = (rng.normal(0, s, n) for s, n in ((rng.uniform(0.2, 1), (keys, hidden)), (1, keys), (1, hidden)))
        exact, found = log_partition(w, b, c), annealed_importance(w, b, c, runs=100, steps=500, seed=seed)
        inside += found.low <= exact <= found.high
        wide += found.high - found.low > 0.3
        assert found.low <= found.value <= found.high
    assert inside >= 19 and wide == 0  # an interval as wide as a barn would hold anything


def test_importance_weights_are_exact_on_average_even_with_few_steps() -> None:
    w, b, c = machine(6, 4, 0.7).parts
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
    return np.bincount(frames.astype(int) @ (1 << np.arange(KEYS)[::-1]), minlength=len(EVERY)) / len(frames)


def test_gibbs_chains_come_to_the_distribution() -> None:
    model = machine(scale=0.7)
    end = np.asarray(model.gibbs(np.zeros((20_000, KEYS)), 30))
    assert np.abs(share(end) - probabilities(model)).max() < 0.015


def test_moved_biases_are_other_machines() -> None:
    model, other = machine(), machine()
    rng = np.random.default_rng(5)
    visible, hidden = rng.normal(0, 1, KEYS).astype(np.float32), rng.normal(0, 1, HIDDEN).astype(np.float32)
    other.b.assign_add(visible)
    other.c.assign_add(hidden)
    n = 20_000
    rows = np.repeat(visible[None], n, 0), np.repeat(hidden[None], n, 0)
    np.testing.assert_allclose(model(EVERY, rows[0][:32], rows[1][:32]), other(EVERY), atol=1e-5)
    assert np.abs(share(np.asarray(model.gibbs(np.zeros((n, KEYS)), 30, *rows))) - probabilities(other)).max() < 0.015


def test_a_jump_leaves_the_distribution_as_it_is() -> None:
    model, rng, n = machine(), np.random.default_rng(0), 40_000
    p, q = probabilities(model), rng.dirichlet(np.ones(len(EVERY)))
    at, other = rng.choice(len(EVERY), n, p=p), rng.choice(len(EVERY), n, p=q)
    end = np.asarray(model.jump(EVERY[at], -np.log(q[at]).astype("f4"), EVERY[other], -np.log(q[other]).astype("f4")))
    assert np.abs(share(end) - p).max() < 0.015
    assert 0.05 < (end != EVERY[at]).any(1).mean() < 0.95


def test_watched_chains_begin_where_they_are_put() -> None:
    seen = machine().watch(EVERY[:4], steps=10, every=5)
    assert seen.shape == (3, 4, KEYS) and seen.dtype == bool and (seen[0] == EVERY[:4].astype(bool)).all()
    assert (seen == machine().watch(EVERY[:4], steps=10, every=5)).all()


def test_the_gradient_is_that_of_contrastive_divergence() -> None:
    import tensorflow as tf

    model, twin, v = machine(k=2, seed=4), machine(k=2, seed=4), EVERY[[3, 9, 17, 30]]
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
def test_training_finds_chords(chains: int) -> None:
    rng = np.random.default_rng(0)
    chords = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 1, 0]], np.float32)
    v = chords[rng.integers(0, 2, 500)]
    v = np.where(rng.random(v.shape) < 0.05, 1 - v, v)
    keras.utils.set_random_seed(0)
    model = RBM(KEYS, HIDDEN, k=5, persistent=chains, seed=1)
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    model.fit(v, epochs=40, batch_size=50, verbose=0)
    nats = np.asarray(model(v)) + log_partition(*model.parts)
    best = np.log(2) - 5 * (0.05 * np.log(0.05) + 0.95 * np.log(0.95))
    assert best - 0.1 < nats.mean() < best + 0.3  # 3.47 is a coin for each key
    if chains:
        assert np.asarray(model.chains).any()


def rnn_rbm() -> RNNRBM:
    keras.utils.set_random_seed(0)
    return RNNRBM(layers.LSTM(6, return_sequences=True), machine(k=3))


def sequences() -> np.ndarray:
    v = (np.random.default_rng(0).random((3, 9, KEYS)) < 0.3).astype(np.int8)
    v[1, 6:] = v[2, 2:] = NO_FRAME
    return v


def test_an_rnn_rbm_moves_the_biases_of_each_frame() -> None:
    model, v = rnn_rbm(), sequences()
    energy = np.asarray(model(v))
    assert ((energy == 0) == (v[..., 0] == NO_FRAME)).all()
    moved = [np.asarray(part) for part in model.moved(model.past(v)[0, 4:5])]
    assert float(model.frames(v[0, 4:5], *moved)[0]) == pytest.approx(energy[0, 4], abs=1e-5)
    assert np.abs(moved[0]).max() > 1e-3


def test_an_rnn_rbm_learns_what_follows_what() -> None:
    """Two chords in turn, and either begins: only who hears the past can know the next one."""
    chords = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 1, 0]], np.float32)
    v = np.stack([chords[np.arange(8) % 2], chords[np.arange(1, 9) % 2]] * 20)
    model = rnn_rbm()
    model.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    model.fit(v, epochs=60, batch_size=40, verbose=0)
    moved = model.moved(model.past(v[:1])[0])
    w, b, c = model.frames.parts
    z = [log_partition(w, b + x, c + y) for x, y in zip(*map(np.asarray, moved), strict=True)]
    nats = np.asarray(model(v[:1]))[0] + z
    assert nats[1:].mean() < 0.4 and nats.min() > -1e-3


def test_an_rbm_comes_back_from_a_file(tmp_path: Path) -> None:
    model = RBM(KEYS, HIDDEN, k=3, persistent=4, seed=7)
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(again(EVERY), model(EVERY))
    assert (again.k, again.persistent, again.seed) == (3, 4, 7)
