"""Each check passes its solution and unusual right answers, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers, ops

from course_lib.architectures import conditioning
from course_lib.checks import lesson15
from tests.checks.solved import solutions_of

CHECKS = [getattr(lesson15, f"check_{number}") for number in range(1, 7)]


@pytest.fixture(scope="module")
def cells() -> dict[str, dict]:
    """What the exercise cells and the solution cells of the notebook define; of the last solution see below."""
    scope = {**vars(conditioning), "keras": keras, "layers": layers, "np": np, "lesson15": lesson15}
    return {tag: solutions_of("15", dict(scope), tag, without="compose(") for tag in ("exercise", "solution")}


def song(step: int = 0, bars: int = 8, every: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Bars over four chords, of their roots and fifths; ``step`` moves the notes away."""
    chord = np.array([[0, 7], [21, 5], [2, 7], [0, 0]] * 2)[:bars]
    rng = np.random.default_rng(1)
    notes = (
        np.repeat(chord % 12, 8, axis=1) + rng.choice([0, 7], (bars, 16 // every)).repeat(every, axis=1) + step
    ) % 24
    return notes, chord


@pytest.mark.parametrize("number", range(1, 6))
def test_the_solution_passes(number: int, cells: dict) -> None:
    feedback = CHECKS[number - 1](cells["solution"][f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("check", CHECKS)
def test_the_stub_is_not_yet_solved(check: Callable) -> None:
    feedback = check(... if check in (lesson15.check_1, lesson15.check_6) else lambda *arguments: ...)
    assert not feedback.passed and "..." in feedback.message


@pytest.mark.parametrize(
    ("number", "name", "message"),
    [
        (3, "make_bars", "batch normalisation takes mean and spread of the batch"),
        (4, "critic", "at least 75 % are wanted"),
        (5, "seeing", "(16, 24), (2, 13)]; expected"),
    ],
)
def test_the_planted_fault_is_found(number: int, name: str, message: str, cells: dict) -> None:
    feedback = CHECKS[number - 1](cells["exercise"][name])
    assert not feedback.passed and message in feedback.message, feedback.message


def by_hand(generator: keras.Model, z: np.ndarray, chord: np.ndarray, before: np.ndarray) -> list:
    """One bar after the other."""
    return [np.asarray(generator([z[[i]], chord[[i]], before[[i]]]))[0] for i in range(len(z))]


def hidden() -> keras.Model:
    x, y = keras.Input((4,)), keras.Input((4,))
    h = layers.Dense(16, activation="gelu")(layers.Concatenate()([x, y]))
    return keras.Model([x, y], layers.Dense(1)(layers.Dense(16, activation="gelu")(h)))


def dot() -> keras.Model:
    x, y = keras.Input((4,)), keras.Input((4,))
    return keras.Model([x, y], 5 * ops.sum(layers.Dense(4)(x) * y, axis=-1, keepdims=True))


def as_one_line() -> keras.Model:
    """The bar before in front of the bar, in time."""
    x, y, h = keras.Input((16, 24)), keras.Input((2, 13)), keras.Input((16, 24))
    v = layers.Conv1D(8, 4, strides=4)(ops.concatenate([h, x], axis=1))
    return keras.Model([x, y, h], layers.Dense(1)(ops.concatenate([layers.Flatten()(v), layers.Flatten()(y)], axis=-1)))


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (1, np.array([50_190, 46_592])),
        (2, lambda x, y: np.concatenate([x, y[:, np.arange(x.shape[1]) * y.shape[1] // x.shape[1]]], -1).tolist()),
        (2, lambda x, y: np.dstack([x, np.kron(y, np.ones((1, x.shape[1] // y.shape[1], 1)))])),
        (3, by_hand),
        (3, lambda generator, *given: generator.predict(list(given), verbose=0)),
        (4, hidden),
        (4, dot),
        (5, as_one_line),
        (6, song()),
        (6, [part.tolist() for part in song(every=8)]),
    ],
)
def test_an_unusual_right_answer_passes(number: int, answer: object) -> None:
    feedback = CHECKS[number - 1](answer)
    assert feedback.passed, feedback.message


def tiled(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.tile(y, (1, x.shape[1] // y.shape[1], 1))], axis=2)


def reversed_order(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.concatenate([np.repeat(y, x.shape[1] // y.shape[1], axis=1), x], axis=2)


def learning(generator: keras.Model, *given: np.ndarray) -> np.ndarray:
    generator(list(given), training=True)
    return np.asarray(generator(list(given), training=False))


def two_inputs(outputs: int, width: int = 4) -> keras.Model:
    x, y = keras.Input((width,)), keras.Input((width,))
    return keras.Model([x, y], layers.Dense(outputs)(layers.Concatenate()([x, y])))


def last_note_only() -> keras.Model:
    x, y, h = keras.Input((16, 24)), keras.Input((2, 13)), keras.Input((16, 24))
    parts = [layers.Flatten()(x), layers.Flatten()(y), h[:, -1]]
    return keras.Model([x, y, h], layers.Dense(1)(ops.concatenate(parts, axis=-1)))


@pytest.mark.parametrize(
    ("number", "answer", "message"),
    [
        (1, (50_176, 46_592), "Each filter has a bias"),
        (1, (3598, 0), "14 channels"),
        (1, (50_190, 50_176), "13 are the chord"),
        (1, (7, 7), "2 steps × 128 pitches"),
        (1, 50_190, "two whole numbers"),
        (2, tiled, "take turns"),
        (2, reversed_order, "order is reversed"),
        (2, lambda x, y: x, "expected (3, 16, 9)"),
        (2, lambda x, y: np.concatenate([x, 0 * tiled(x, y)[..., 5:]], 2), "Position"),
        (3, learning, "differ by up to"),
        (3, lambda generator, *given: np.zeros((len(given[0]), 16, 24, 1)), "not those of the generator"),
        (3, lambda generator, *given: generator(list(given)[:2]), "It stopped with"),
        (4, lambda: two_inputs(4), "one logit"),
        (4, lambda: two_inputs(1, 5), "two inputs with 4 numbers each"),
        (4, lambda: 3, "no keras.Model"),
        (5, last_note_only, "Another first step of the bar before"),
        (5, lambda: 3, "expected [(16, 24), (2, 13), (16, 24)]"),
        (6, song(step=1), "hardly follows"),
        (6, song(every=16), "of the 8 bars differ"),
        (6, song(bars=7), "expected (8, 16)"),
        (6, (song(every=1)[0], song()[1]), "a new note in"),
        (6, (song()[0], np.zeros((8, 2), int)), "at least 4"),
        (6, (song()[0] + 24, song()[1]), "Notes are 0..23"),
        (6, 5, "a pair"),
    ],
)
def test_a_wrong_answer_is_explained(number: int, answer: object, message: str) -> None:
    feedback = CHECKS[number - 1](answer)
    assert not feedback.passed and message.lower() in feedback.message.lower(), feedback.message
