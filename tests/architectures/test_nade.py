"""Distributions of frames: they sum to one, sparse and dense evaluation agree, samples come as often as they should."""

from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.batches import NO_FRAME
from course_lib.architectures.nade import NADE, Independent, UnitByUnit
from course_lib.architectures.over_time import OverTime

UNITS, HIDDEN = 7, 5
EVERY = np.array(list(product([0, 1], repeat=UNITS)), np.float32)
MODELS = {
    "NADE": lambda: NADE(UNITS, HIDDEN),
    "NADE, relu": lambda: NADE(UNITS, HIDDEN, "relu"),
    "unit by unit": lambda: UnitByUnit(UNITS, HIDDEN),
    "bounded": lambda: UnitByUnit(UNITS, HIDDEN, most=3, window=(1, 5)),
    "independent": lambda: Independent(UNITS),
}


def rough(layer: layers.Layer) -> layers.Layer:
    """With weights that are far from zero."""
    rng = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(rng.normal(0, 1, weight.shape))
    return layer


def shifts(model: layers.Layer, frames: int, seed: int = 1) -> tuple:
    rng = np.random.default_rng(seed)
    visible, hidden = (rng.normal(0, 1, (frames, n)).astype(np.float32) if n else None for n in model.sizes)
    return visible, hidden


@pytest.mark.parametrize("name", MODELS)
def test_all_frames_together_have_probability_one(name: str) -> None:
    model = rough(MODELS[name]())
    assert np.exp(-np.asarray(model(EVERY))).sum() == pytest.approx(1, abs=1e-5)
    visible, hidden = (part if part is None else np.repeat(part, len(EVERY), 0) for part in shifts(model, 1))
    assert np.exp(-np.asarray(model(EVERY, visible, hidden))).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_the_sparse_likelihood_is_the_dense_one(activation: str) -> None:
    small = rough(NADE(UNITS, HIDDEN, activation))
    extra = shifts(small, len(EVERY))
    np.testing.assert_allclose(small(EVERY, *extra), small.dense(EVERY, *extra), rtol=0, atol=1e-4)
    rng = np.random.default_rng(0)
    large = NADE(88, 64, activation)
    v = (rng.random((50, 88)) < rng.uniform(0, 0.3, (50, 1))).astype(np.float32)
    np.testing.assert_allclose(large(v), large.dense(v), rtol=0, atol=1e-4)


def test_nade_by_hand() -> None:
    """Two units: the upper one is decided first, with none on so far."""
    model = rough(NADE(2, 1))
    w, v, b, c = (np.asarray(part) for part in (model.w, model.v, model.b, model.c))
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    upper = sigmoid(b[1] + v[0, 1] * sigmoid(c[0]))
    lower = sigmoid(b[0] + v[0, 0] * sigmoid(c[0] + w[1, 0]))
    assert float(model(np.array([[0.0, 1.0]]))[0]) == pytest.approx(-np.log(upper * (1 - lower)), abs=1e-5)


def test_the_bounded_readout_gives_other_frames_no_probability() -> None:
    nats = np.asarray(rough(MODELS["bounded"]())(EVERY))
    allowed = (EVERY.sum(1) <= 3) & (EVERY[:, 0] == 0) & (EVERY[:, 6] == 0)
    assert np.isfinite(nats).tolist() == allowed.tolist()


@pytest.mark.parametrize("name", MODELS)
def test_samples_come_as_often_as_their_probability(name: str) -> None:
    model = rough(MODELS[name]())
    visible, hidden = (part if part is None else np.repeat(part, 40_000, 0) for part in shifts(model, 1))
    drawn = model.sample(40_000, visible, hidden, seed=3)
    share = np.bincount(drawn @ (1 << np.arange(UNITS)[::-1]), minlength=len(EVERY)) / len(drawn)
    p = np.exp(-np.asarray(model(EVERY, *(part if part is None else part[: len(EVERY)] for part in (visible, hidden)))))
    assert np.abs(share - p).max() < 5 * np.sqrt(p.max() / len(drawn))
    assert (drawn == model.sample(40_000, visible, hidden, seed=3)).all()


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_differences(name: str) -> None:
    import tensorflow as tf

    model, v = rough(MODELS[name]()), EVERY[[4, 8, 24, 36]]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(v))
    for weight, gradient in zip(model.weights, tape.gradient(loss, model.weights), strict=True):
        at, value = (0,) * len(weight.shape), np.asarray(weight).copy()
        change = np.zeros_like(value)
        change[at] = 1e-2
        weight.assign(value + change)
        more = float(tf.reduce_sum(model(v)))
        weight.assign(value - change)
        less = float(tf.reduce_sum(model(v)))
        weight.assign(value)
        assert float(tf.convert_to_tensor(gradient)[at]) == pytest.approx((more - less) / 2e-2, abs=2e-2)


def composed() -> OverTime:
    keras.utils.set_random_seed(0)
    return OverTime(layers.LSTM(6, return_sequences=True), NADE(UNITS, HIDDEN), 0.3)


def sequences() -> np.ndarray:
    rng = np.random.default_rng(0)
    v = (rng.random((3, 9, UNITS)) < 0.3).astype(np.int8)
    v[1, 6:] = v[2, 2:] = NO_FRAME
    return v


def test_an_rnn_nade_gives_each_frame_its_loss_and_padding_none() -> None:
    model, v = composed(), sequences()
    nats = np.asarray(model(v))
    assert nats.shape == (3, 9) and ((nats == 0) == (v[..., 0] == NO_FRAME)).all()
    alone = np.asarray(model(v[1:2, :6]))
    np.testing.assert_allclose(nats[1, :6], alone[0], atol=1e-5)
    assert float(model.compute_loss(v, None, nats)) == pytest.approx(nats[nats > 0].mean(), rel=1e-5)
    weights = np.zeros((3, 9), np.float32)
    weights[0, 4] = 1
    assert float(model.compute_loss(v, None, nats, weights)) == pytest.approx(nats[0, 4], rel=1e-5)


def test_the_past_of_a_frame_is_neither_the_frame_nor_what_follows() -> None:
    model, v = composed(), sequences()
    past = np.asarray(model.past(v))
    changed = v.copy()
    changed[0, 4] = 1 - changed[0, 4]
    other = np.asarray(model.past(changed))
    assert (other[0, :5] == past[0, :5]).all() and np.abs(other[0, 5:] - past[0, 5:]).max() > 1e-3


def test_the_condition_is_input_at_its_own_step() -> None:
    keras.utils.set_random_seed(0)
    model = OverTime(layers.LSTM(6, return_sequences=True), NADE(UNITS, HIDDEN))
    condition = np.zeros((1, 9, 2), np.int8)
    v = np.concatenate([sequences()[:1], condition], axis=-1)
    before = np.asarray(model(v))
    v[0, 4, UNITS] = 1
    after = np.asarray(model(v))
    assert (after[0, :4] == before[0, :4]).all() and abs(after[0, 4] - before[0, 4]) > 1e-5


def test_a_plain_rnn_is_the_same_composition() -> None:
    model = OverTime(layers.LSTM(6, return_sequences=True), Independent(UNITS))
    model.compile("adam", jit_compile=False)
    v = sequences()
    losses = [model.train_on_batch(v) for _ in range(30)]
    assert losses[-1] < losses[0] and np.asarray(model(v)).shape == (3, 9)


def test_training_lowers_the_loss() -> None:
    model, v = composed(), sequences()
    model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    losses = model.fit(v, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_from_a_file(name: str, tmp_path: Path) -> None:
    model = rough(MODELS[name]())
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(again(EVERY), model(EVERY))


@pytest.mark.parametrize("name", MODELS)
def test_a_frame_model_is_trained_alone(name: str) -> None:
    keras.utils.set_random_seed(0)
    model, v = MODELS[name](), EVERY[[4, 8, 24, 36] * 8]
    model.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    losses = model.fit(v, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0] and losses[-1] == pytest.approx(np.mean(model(v)), rel=0.1)
