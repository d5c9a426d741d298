"""Small RBMs, summed exactly; chains with clamped units."""

from pathlib import Path

import keras
import numpy as np
import pytest

from course_lib.architectures.boltzmann import RBM, ExactRBM, clamped_gibbs, cooled
from course_lib.architectures.partition import ExactNats, every_frame, log_partition, log_probabilities

UNITS, HIDDEN = 5, 3
EVERY = every_frame(UNITS)


def rbm_of(kind: type[RBM] = RBM, seed: int = 0) -> RBM:
    model, rng = kind(UNITS, HIDDEN), np.random.default_rng(seed)
    for weight in (model.w, model.b, model.c):
        weight.assign(rng.normal(size=weight.shape))
    return model


def test_every_frame_once() -> None:
    assert EVERY.shape == (32, 5) and (EVERY @ 2 ** np.arange(5) == np.arange(32)).all()
    for units in (0, 21):
        with pytest.raises(ValueError, match="Use 1..20"):
            every_frame(units)


def test_probabilities_are_energies_without_log_z() -> None:
    model = rbm_of()
    log_p = log_probabilities(model)
    assert np.exp(log_p).sum() == pytest.approx(1)
    np.testing.assert_allclose(log_p, -np.asarray(model(EVERY)) - log_partition(*model.parts), atol=1e-5)


def test_the_loss_is_the_likelihood_and_training_finds_the_shares() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    v = np.repeat(EVERY[[3, 12, 25]], (shares * 1000).astype(int), axis=0)
    model = rbm_of(ExactRBM)
    right = -log_probabilities(model)[[3, 12, 25]] @ shares
    assert float(model.compute_loss(v, y_pred=model(v))) == pytest.approx(right, abs=1e-4)
    model.compile(keras.optimizers.Adam(0.1), jit_compile=False)
    model.fit(v, epochs=40, batch_size=100, verbose=0)
    model.optimizer.learning_rate = 0.01  # what is left is the noise of the batches
    model.fit(v, epochs=15, batch_size=100, verbose=0)
    np.testing.assert_allclose(np.exp(log_probabilities(model))[[3, 12, 25]], shares, atol=0.03)


def test_the_metric_is_the_mean_of_all_frames() -> None:
    model, v = rbm_of(), EVERY[[1, 4, 9, 30, 31, 2, 7]]
    model.compile(keras.optimizers.SGD(0.1), metrics=[ExactNats(model)], jit_compile=False)
    found = model.evaluate(v, np.zeros(len(v)), batch_size=3, verbose=0, return_dict=True)
    assert found["nats"] == pytest.approx(-log_probabilities(model)[[1, 4, 9, 30, 31, 2, 7]].mean(), abs=1e-4)
    assert len(model.trainable_weights) == 3


def test_temperature_divides_energies() -> None:
    model = rbm_of()
    w, b, c = model.parts
    every_h = every_frame(HIDDEN)
    joint = np.exp((EVERY @ b[:, None] + (every_h @ c)[None] + EVERY @ w @ every_h.T) / 2.5)
    np.testing.assert_allclose(np.exp(log_probabilities(cooled(model, 2.5))), joint.sum(1) / joint.sum(), rtol=1e-4)
    np.testing.assert_array_equal(cooled(model, 1)(EVERY), model(EVERY))
    for temperature in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            cooled(model, temperature)


def test_a_clamped_chain_samples_from_the_conditional() -> None:
    model = rbm_of(seed=3)
    start = np.zeros((20_000, UNITS), np.float32)
    start[:, 1] = 1
    free = np.array([True, False, True, False, True])
    end = np.asarray(clamped_gibbs(model, start, free, 30))
    assert (end[:, 1] == 1).all() and (end[:, 3] == 0).all()
    share = np.bincount((end @ 2 ** np.arange(UNITS)).astype(int), minlength=32) / len(end)
    agrees = (EVERY[:, 1] == 1) & (EVERY[:, 3] == 0)
    p = np.exp(log_probabilities(model)) * agrees
    assert np.abs(share - p / p.sum()).max() < 0.015


def test_each_chain_may_have_free_units_of_its_own() -> None:
    start = EVERY[[5, 26]]
    free = np.array([[True] * 4 + [False], [False] * 4 + [True]])
    end = np.asarray(clamped_gibbs(rbm_of(), start, free, 3))
    assert (end[~free] == start[~free]).all()


def test_it_comes_back_from_a_file(tmp_path: Path) -> None:
    model = rbm_of(ExactRBM)
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    assert isinstance(again, ExactRBM)
    np.testing.assert_array_equal(again(EVERY), model(EVERY))
