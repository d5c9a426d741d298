"""Frames in time: batches lose nothing, estimates are near the truth, what is drawn comes as often as it should."""

from __future__ import annotations

import json
from itertools import product

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.batches import NO_FRAME, FrameBatches, padded_frames
from course_lib.architectures.boltzmann import RBM
from course_lib.architectures.nade import NADE, Independent, UnitByUnit
from course_lib.architectures.over_time import (
    OverTime,
    complete_frames,
    estimated_nats,
    frame_nats,
    frames_at_once,
    rnn_outputs,
    sample_frames,
)
from course_lib.architectures.partition import log_partition

UNITS, NUMBERS = 4, 3
EVERY = np.array(list(product([0, 1], repeat=UNITS)), bool)


def songs(count: int = 5, seed: int = 0, units: int = UNITS) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((3 + 2 * i, units)) < 0.4 for i in range(count)]


def first_shifts(model: OverTime) -> list[np.ndarray]:
    """Of a first frame: (1, …) each."""
    return [np.asarray(part) for part in model.step(np.zeros((1, UNITS)), model.start(None, 1))[0]]


def conditioned(sequences: list[np.ndarray]) -> list[np.ndarray]:
    """With numbers beside each frame."""
    beside = np.eye(NUMBERS)[1]
    return [np.concatenate([s, np.tile(beside, (len(s), 1))], axis=1) for s in sequences]


def rough(model: OverTime, numbers: int = 0, scale: float = 1.0) -> OverTime:
    """A built model whose weights are far from zero."""
    model.build((None, None, UNITS + numbers))
    rng = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, scale, weight.shape))
    return model


def nade_model(frames: keras.Model, numbers: int = 0, cell: str = "LSTM") -> OverTime:
    return rough(OverTime(getattr(layers, cell)(5, return_sequences=True), frames), numbers)


def moved(song: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A transformation: rolled by −1, 0 or 1, and beside each frame by how many."""
    by = int(random.integers(-1, 2))
    return np.concatenate([np.roll(song, by, 1), np.full((len(song), 1), by)], axis=1)


def test_batches_hold_every_sequence_once_padded() -> None:
    given = songs(7, units=6)
    batches = FrameBatches(given, batch=3, transform=moved, seed=2)
    moves = []
    for _ in range(2):
        real = [row[row[:, 0] != NO_FRAME] for i in range(len(batches)) for row in batches[i][0]]
        assert sorted(len(row) for row in real) == sorted(map(len, given))
        for row in real:
            song = next(s for s in given if len(s) == len(row))
            np.testing.assert_array_equal(row[:, :6], np.roll(song, row[0, 6], 1))
        moves.append([int(row[0, 6]) for row in sorted(real, key=len)])
        # Keras takes the lengths of the first two batches for all if they are equal.
        assert batches[0][0].shape[1] != batches[1][0].shape[1]
        batches.on_epoch_end()
    assert moves[0] != moves[1]
    one = FrameBatches(songs(7), batch=7)
    assert one[0][0].shape == (7, 15, UNITS) and one.shape == (7, 15)


def test_the_likelihood_of_a_sequence_does_not_depend_on_its_batch() -> None:
    model, given = nade_model(NADE(UNITS, 3), NUMBERS), conditioned(songs(40, 3))
    found = frame_nats(model, given)
    for song, nats in zip(given[:3], found, strict=False):
        np.testing.assert_allclose(nats, np.asarray(model(song[None]))[0], atol=1e-5)
    assert [len(nats) for nats in found] == [len(song) for song in given]


def test_batches_for_evaluation_hold_all_and_not_too_much() -> None:
    given = songs(9)
    parts = [part.tolist() for part in frames_at_once(given, 30)]
    assert sorted(sum(parts, [])) == list(range(9)) and len(parts) < 9
    assert all(len(part) == 1 or len(part) * max(len(given[i]) for i in part) <= 30 for part in parts)


@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
def test_steps_are_those_of_the_whole_sequence(cell: str) -> None:
    model = nade_model(NADE(UNITS, 3), NUMBERS, cell)
    given = conditioned([song[:3] for song in songs()])
    u = rnn_outputs(model, given).reshape(5, 3, -1)
    condition = np.eye(NUMBERS)[[1] * 5]
    states, v = model.start(condition, 5), np.zeros((5, UNITS))
    for step in range(3):
        shifts, states = model.step(v, states, condition)
        np.testing.assert_allclose(shifts[1], np.asarray(model.shifts(u[:, step])[1]), atol=1e-5)
        v = np.stack([song[step, :UNITS] for song in given])


FRAMES = {
    "RBM": lambda: RBM(UNITS, 3, k=2),
    "NADE": lambda: NADE(UNITS, 3, "relu"),
    "unit by unit": lambda: UnitByUnit(UNITS, 3, most=2),
    "independent": lambda: Independent(UNITS),
}


@pytest.mark.parametrize("frames", FRAMES)
@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM"])
def test_a_composition_comes_back_from_its_config(cell: str, frames: str) -> None:
    model = nade_model(FRAMES[frames](), NUMBERS, cell)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    again = keras.saving.deserialize_keras_object(config)
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    again.set_weights(model.get_weights())
    x = padded_frames(conditioned(songs()))
    np.testing.assert_array_equal(again(x), model(x))


@pytest.mark.parametrize("frames", FRAMES)
def test_new_sequences_begin_with_the_prompt_and_are_the_same_with_the_same_seed(frames: str) -> None:
    model = nade_model(FRAMES[frames]())
    prompt = np.stack([song[:2] for song in songs()])
    made = sample_frames(model, 5, 5, prompt=prompt, seed=3)
    assert made.shape == (5, 5, UNITS) and made.dtype == bool and (made[:, :2] == prompt).all()
    np.testing.assert_array_equal(made, sample_frames(model, 5, 5, prompt=prompt, seed=3))
    assert (made != sample_frames(model, 5, 5, prompt=prompt, seed=4)).any()


def test_estimated_nats_are_near_the_exact_ones() -> None:
    rbm = RBM(UNITS, 3)
    model = rough(OverTime(layers.SimpleRNN(4, return_sequences=True), rbm))
    given = songs()
    v, u = np.concatenate(given), rnn_outputs(model, given)
    found = estimated_nats(model, v, u, np.zeros(UNITS), runs=20, steps=500)
    w, b, c = rbm.parts
    shifts = [np.asarray(part) for part in model.shifts(u)]
    z = [log_partition(w, b + visible, c + hidden) for visible, hidden in zip(*shifts, strict=True)]
    exact = np.asarray(rbm(v, *shifts)) + z
    assert np.abs(found.nats - exact).max() < 0.2 and abs((found.nats - exact).mean()) < 0.03
    assert (found.low >= 0).all() and found.low.max() < 0.1
    with pytest.raises(ValueError, match="runs is 1"):
        estimated_nats(model, v, u, np.zeros(UNITS), runs=1)


@pytest.mark.parametrize("frames", [NADE(UNITS, 3), UnitByUnit(UNITS, 3), UnitByUnit(UNITS, 3, most=2)])
def test_frames_below_a_first_unit_are_drawn_from_the_conditional(frames: NADE) -> None:
    model, n = nade_model(frames), 20_000
    visible, hidden = (np.repeat(part, n, 0) for part in first_shifts(model))
    p = np.exp(-np.asarray(frames(EVERY.astype(np.float32), visible[: len(EVERY)], hidden[: len(EVERY)])))
    top = np.where(EVERY.any(1), UNITS - 1 - EVERY[:, ::-1].argmax(1), UNITS)
    for first in (None, 2, UNITS):
        drawn = frames.sample(n, visible, hidden, first=first)
        share = np.bincount(drawn.astype(int) @ (1 << np.arange(UNITS)[::-1]), minlength=len(EVERY)) / n
        wanted = p * (top == first) if first is not None else p
        assert np.abs(share - wanted / wanted.sum()).max() < 0.015


def test_particles_estimate_the_first_units_without_bias_and_sample_the_rest() -> None:
    model, given = nade_model(UnitByUnit(UNITS, 3)), [2, 3, 1]
    # All sequences with these first units, and their exact probabilities.
    top = np.where(EVERY.any(1), UNITS - 1 - EVERY[:, ::-1].argmax(1), UNITS)
    rests = np.array(list(product(*(np.flatnonzero(top == key) for key in given))))
    p = np.exp(-np.concatenate(frame_nats(model, list(EVERY[rests]))).reshape(len(rests), -1).sum(1))
    found = [complete_frames(model, given, particles=5, seed=seed) for seed in range(300)]
    assert np.mean([np.exp(one.log_p.sum()) for one in found]) == pytest.approx(p.sum(), rel=0.1)
    many = complete_frames(model, given, particles=5000, seed=1)
    assert many.log_p.sum() == pytest.approx(np.log(p.sum()), abs=0.05)
    for one in found[:20]:
        assert [int(np.flatnonzero(frame).max()) for frame in one.frames] == given
    # With many particles what is returned is a draw from p(rest | given): the lowest unit of the first frame.
    first = EVERY[rests[:, 0], 0]
    drawn = [complete_frames(model, given, particles=100, seed=seed).frames[0, 0] for seed in range(200)]
    assert np.mean(drawn) == pytest.approx(p[first].sum() / p.sum(), abs=0.1)


def test_completion_refuses_what_cannot_be() -> None:
    model = nade_model(UnitByUnit(UNITS, 3))
    with pytest.raises(ValueError, match="0 particles"):
        complete_frames(model, [1], particles=0)
    with pytest.raises(ValueError, match="use 1 at least, and 0..4"):
        complete_frames(model, [5])
    assert not complete_frames(model, [UNITS, UNITS]).frames.any()


def test_samples_are_as_probable_as_the_model_has_it() -> None:
    """The first frame comes as often as its probability, and a low temperature takes the likeliest unit."""
    model = nade_model(NADE(UNITS, 3))
    made = sample_frames(model, 2, 20_000, seed=1)
    p = np.exp(-np.asarray(frame_nats(model, [frame[None] for frame in EVERY]))[:, 0])
    share = np.bincount(made[:, 0] @ (1 << np.arange(UNITS)[::-1]), minlength=len(EVERY)) / len(made)
    assert np.abs(share - p).max() < 0.015
    assert len(np.unique(sample_frames(model, 2, 50, temperature=0.01).reshape(50, -1), axis=0)) == 1


def test_a_chain_for_each_frame_follows_the_shifted_biases() -> None:
    rbm = RBM(UNITS, 3)
    model = rough(OverTime(layers.SimpleRNN(4, return_sequences=True), rbm), scale=0.7)
    made = sample_frames(model, 2, 20_000, gibbs_steps=25, seed=1)
    w, b, c = rbm.parts
    visible, hidden = first_shifts(model)
    energy = -np.asarray(rbm(EVERY.astype(np.float32), visible, hidden), np.float64)
    p = np.exp(energy - log_partition(w, b + visible[0], c + hidden[0]))
    share = np.bincount(made[:, 0] @ (1 << np.arange(UNITS)[::-1]), minlength=len(EVERY)) / len(made)
    assert made.shape == (20_000, 2, UNITS) and np.abs(share - p).max() < 0.015


def test_a_plain_rnn_is_fitted_to_batches() -> None:
    """fit takes the batches, and the loss falls."""
    keras.utils.set_random_seed(0)
    model = OverTime(layers.SimpleRNN(8, return_sequences=True), Independent(UNITS))
    given = [np.tile(np.eye(UNITS, dtype=bool)[:2], (n, 1)) for n in (3, 4, 6, 7)]
    model.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    history = model.fit(FrameBatches(given, batch=2), epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.2 * history[0]
