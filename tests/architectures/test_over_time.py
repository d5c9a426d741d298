"""Frames in time: batches lose nothing, estimates are near the truth, what is drawn comes as often as it should."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.batches import NO_FRAME, FrameBatches, padded_frames, with_transposition
from course_lib.architectures.boltzmann import RBM
from course_lib.architectures.nade import NADE, Independent, NoteByNote
from course_lib.architectures.over_time import (
    RNNNADE,
    RNNRBM,
    Ear,
    OverTime,
    complete_below,
    estimated_nats,
    frame_nats,
    improvise,
    improvise_chain,
    known_before,
)
from course_lib.architectures.partition import log_partition

KEYS, SHIFT = 4, 1
EVERY = np.array(list(product([0, 1], repeat=KEYS)), bool)


def songs(count: int = 5, seed: int = 0, keys: int = KEYS) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((3 + 2 * i, keys)) < 0.4 for i in range(count)]


def rough(model: OverTime, shift: int = 0, scale: float = 1.0) -> OverTime:
    """A built model whose weights are far from zero."""
    model(padded_frames([with_transposition(song, shift) for song in songs()]))
    rng = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, scale, weight.shape))
    return model


def nade_model(frames: layers.Layer, shift: int = 0, cell: str = "LSTM") -> RNNNADE:
    return rough(RNNNADE(getattr(layers, cell)(5, return_sequences=True), frames), shift)


def test_a_told_sequence_is_moved_and_says_how_far() -> None:
    song = np.eye(KEYS, dtype=bool)[:3]
    found = with_transposition(song, 2, -1)
    assert found.shape == (3, KEYS + 5) and found.dtype == np.int8
    assert found[:, :KEYS].tolist() == np.roll(song, -1, 1).astype(int).tolist()
    assert found[:, KEYS:].tolist() == [[0, 1, 0, 0, 0]] * 3
    assert with_transposition(song, 0).shape == (3, KEYS)
    with pytest.raises(ValueError, match="semitones is 3.*Raise shift"):
        with_transposition(song, 2, 3)


def test_batches_hold_every_sequence_once_and_fill_with_nothing() -> None:
    given = songs(7, keys=6)
    for song in given:
        song[:, [0, -1]] = False
    batches = FrameBatches(given, batch=3, shift=SHIFT, seed=2)
    for _ in range(2):
        rows = [row for i in range(len(batches)) for row in batches[i][0]]
        real = [row[row[:, 0] != NO_FRAME] for row in rows]
        assert sorted(len(row) for row in real) == sorted(map(len, given))
        for row in real:
            move = int(row[0, 6:].argmax()) - SHIFT
            song = next(s for s in given if len(s) == len(row))
            np.testing.assert_array_equal(row[:, :6], np.roll(song, move, 1))
        # Keras takes the lengths of the first two batches for all if they are equal.
        assert batches[0][0].shape[1] != batches[1][0].shape[1]
        batches.on_epoch_end()
    fixed = FrameBatches(songs(7), batch=7, shift=SHIFT, fixed=True)
    assert (fixed[0][0][:, 0, KEYS:].argmax(1) == SHIFT).all() and fixed.shape == (7, 15)


def test_batches_refuse_notes_that_would_leave_the_keys() -> None:
    with pytest.raises(ValueError, match="off the keys"):
        FrameBatches([np.ones((3, KEYS), bool)], shift=1)


def test_frame_costs_are_those_of_each_sequence_alone() -> None:
    model, given = nade_model(NADE(KEYS, 3), SHIFT), songs(40, 3)
    found = frame_nats(model, given, SHIFT)
    for song, nats in zip(given[:3], found, strict=False):
        np.testing.assert_allclose(nats, np.asarray(model(with_transposition(song, SHIFT)[None]))[0], atol=1e-5)
    assert [len(nats) for nats in found] == [len(song) for song in given]


@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
def test_an_ear_hears_what_the_layer_hears(cell: str) -> None:
    model = nade_model(NADE(KEYS, 3), SHIFT, cell)
    given = [song[:3] for song in songs()]
    h = known_before(model, given, SHIFT).reshape(5, 3, -1)
    ear = Ear(model, 5, SHIFT)
    for step in range(3):
        np.testing.assert_allclose(ear.expects()[1], np.asarray(model.moved(h[:, step])[1]), atol=1e-5)
        ear.hear(np.stack([song[step] for song in given]))
    before = ear.expects()[0]
    ear.keep(np.array([4, 0]))
    np.testing.assert_allclose(ear.expects()[0], before[[4, 0]])


def test_estimated_nats_are_near_the_exact_ones() -> None:
    rbm = RBM(KEYS, 3)
    model = rough(RNNRBM(layers.SimpleRNN(4, return_sequences=True), rbm))
    given = songs()
    v, h = np.concatenate(given), known_before(model, given)
    found = estimated_nats(model, v, h, np.zeros(KEYS), runs=20, steps=500)
    w, b, c = rbm.parts
    moved = [np.asarray(part) for part in model.moved(h)]
    z = [log_partition(w, b + visible, c + hidden) for visible, hidden in zip(*moved, strict=True)]
    exact = np.asarray(rbm(v, *moved)) + z
    assert np.abs(found.nats - exact).max() < 0.2 and abs((found.nats - exact).mean()) < 0.03
    assert (found.low >= 0).all() and found.low.max() < 0.1
    with pytest.raises(ValueError, match="runs is 1"):
        estimated_nats(model, v, h, np.zeros(KEYS), runs=1)


@pytest.mark.parametrize("frames", [NADE(KEYS, 3), NoteByNote(KEYS, 3), NoteByNote(KEYS, 3, most=2)])
def test_frames_under_a_highest_note_are_drawn_from_the_conditional(frames: NADE) -> None:
    model, n = nade_model(frames), 20_000
    visible, hidden = (np.repeat(part[:1], n, 0) for part in Ear(model, 1).expects())
    p = np.exp(-np.asarray(frames(EVERY.astype(np.float32), visible[: len(EVERY)], hidden[: len(EVERY)])))
    top = np.where(EVERY.any(1), KEYS - 1 - EVERY[:, ::-1].argmax(1), KEYS)
    for highest in (None, 2, KEYS):
        drawn = frames.sample(n, visible, hidden, highest=highest)
        share = np.bincount(drawn.astype(int) @ (1 << np.arange(KEYS)[::-1]), minlength=len(EVERY)) / n
        wanted = p * (top == highest) if highest is not None else p
        assert np.abs(share - wanted / wanted.sum()).max() < 0.015


def test_particles_estimate_the_melody_without_bias_and_draw_the_rest() -> None:
    model, melody = nade_model(NoteByNote(KEYS, 3)), [2, 3, 1]
    # All musics with this melody, and their exact probabilities.
    top = np.where(EVERY.any(1), KEYS - 1 - EVERY[:, ::-1].argmax(1), KEYS)
    musics = np.array(list(product(*(np.flatnonzero(top == key) for key in melody))))
    p = np.exp(-np.concatenate(frame_nats(model, list(EVERY[musics]))).reshape(len(musics), -1).sum(1))
    found = [complete_below(model, melody, particles=5, seed=seed) for seed in range(300)]
    assert np.mean([np.exp(one.log_p.sum()) for one in found]) == pytest.approx(p.sum(), rel=0.1)
    many = complete_below(model, melody, particles=5000, seed=1)
    assert many.log_p.sum() == pytest.approx(np.log(p.sum()), abs=0.05)
    for one in found[:20]:
        assert [int(np.flatnonzero(frame).max()) for frame in one.frames] == melody
    # With many particles the music that is returned is a draw from p(rest | melody): its bass in the first frame.
    first = EVERY[musics[:, 0], 0]
    drawn = [complete_below(model, melody, particles=100, seed=seed).frames[0, 0] for seed in range(200)]
    assert np.mean(drawn) == pytest.approx(p[first].sum() / p.sum(), abs=0.1)


def test_completion_says_what_it_cannot_do() -> None:
    model = nade_model(NoteByNote(KEYS, 3))
    with pytest.raises(ValueError, match="0 particles"):
        complete_below(model, [1], particles=0)
    with pytest.raises(ValueError, match="use 1 at least, and 0..4"):
        complete_below(model, [5])
    assert not complete_below(model, [KEYS, KEYS]).frames.any()


def test_what_is_improvised_is_as_probable_as_the_model_says() -> None:
    """The first frame comes as often as its probability, and a low temperature takes the likeliest note."""
    model = nade_model(NADE(KEYS, 3))
    made = improvise(model, 2, 20_000, seed=1)
    p = np.exp(-np.asarray(frame_nats(model, [frame[None] for frame in EVERY]))[:, 0])
    share = np.bincount(made[:, 0] @ (1 << np.arange(KEYS)[::-1]), minlength=len(EVERY)) / len(made)
    assert np.abs(share - p).max() < 0.015
    assert len(np.unique(improvise(model, 2, 50, temperature=0.01).reshape(50, -1), axis=0)) == 1


def test_a_chain_for_each_frame_follows_the_moved_biases() -> None:
    rbm = RBM(KEYS, 3)
    model = rough(RNNRBM(layers.SimpleRNN(4, return_sequences=True), rbm), scale=0.7)
    made = improvise_chain(model, 2, 20_000, gibbs=25, seed=1)
    w, b, c = rbm.parts
    visible, hidden = Ear(model, 1).expects()
    energy = -np.asarray(rbm(EVERY.astype(np.float32), visible, hidden), np.float64)
    p = np.exp(energy - log_partition(w, b + visible[0], c + hidden[0]))
    share = np.bincount(made[:, 0] @ (1 << np.arange(KEYS)[::-1]), minlength=len(EVERY)) / len(made)
    assert made.shape == (20_000, 2, KEYS) and np.abs(share - p).max() < 0.015


def test_a_sequence_of_keys_alone_trains() -> None:
    """fit takes the batches, and the loss falls."""
    keras.utils.set_random_seed(0)
    model = OverTime(layers.SimpleRNN(8, return_sequences=True), Independent(KEYS), (KEYS, 0))
    given = [np.tile(np.eye(KEYS, dtype=bool)[:2], (n, 1)) for n in (3, 4, 6, 7)]
    model(padded_frames(given))
    model.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    history = model.fit(FrameBatches(given, batch=2), epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.2 * history[0]
