"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from course_lib.checks import lesson12
from course_lib.music.datasets import chorale_frames
from course_lib.music.encodings.frames import frames_piece
from course_lib.music.piece import REST, Piece
from tests.checks.solved import solutions_of

CHECKS = [getattr(lesson12, f"check_{number}") for number in range(1, 6)]


@pytest.fixture(scope="module")
def cells() -> dict[str, dict]:
    """What the exercise cells and the solution cells of the notebook define. Exercise 5 needs the networks."""
    return {
        tag: solutions_of("12", {"np": np, "lesson12": lesson12}, tag, without="check_5")
        for tag in ("exercise", "solution")
    }


@pytest.mark.parametrize("number", range(1, 5))
def test_the_solution_passes(number: int, cells: dict) -> None:
    feedback = CHECKS[number - 1](cells["solution"][f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("check", CHECKS)
def test_the_stub_is_not_yet_solved(check: Callable) -> None:
    feedback = check(... if check in (lesson12.check_1, lesson12.check_5) else lambda *arguments: ...)
    assert not feedback.passed and "..." in feedback.message


def test_the_planted_faults_are_found(cells: dict) -> None:
    assert "average over the padding" in lesson12.check_3(cells["exercise"]["reported"]).message
    assert "holds the very answer" in lesson12.check_4([*cells["exercise"].values()][-1]).message


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def fragile(v: np.ndarray, u: np.ndarray, w: np.ndarray, c: np.ndarray, to_hidden: np.ndarray) -> np.ndarray:
    x = np.exp(v @ w + c + u @ to_hidden)
    return x / (1 + x)


def mean_of_means(nats: np.ndarray, lengths: np.ndarray) -> float:
    return float(np.mean([row[:n].mean() for row, n in zip(nats, lengths, strict=True)]))


def real(nats: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return np.arange(nats.shape[1]) < lengths[:, None]


def future(roll: np.ndarray) -> np.ndarray:
    return np.concatenate([roll[1:], np.zeros_like(roll[:1])])


def repeated_start(roll: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones_like(roll[:1]), roll[:-1]])


def two_late(roll: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros_like(roll[:2]), roll[:-2]])


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (1, (13_438 + 18_900, 18_900), "B and C are missing"),
        (1, (56_138 + 238, 42_700), "no biases of their own"),
        (1, (56_038, 42_600), "unit of the RNN has a bias"),
        (1, (7, 7), "The RBM alone has 13,438"),
        (1, (56_138, 18_900), "no shifts either"),
        (1, (56_138, 7), "all but W, b and c"),
        (1, 56_138, "two whole numbers"),
        (2, lambda v, u, w, c, t: v @ w + c + u @ t, "These are logits"),
        (2, lambda v, u, w, c, t: sigmoid(v @ w + c), "the past moves nothing"),
        (2, lambda v, u, w, c, t: sigmoid(v @ w + u @ t), "should be added"),
        (2, lambda v, u, w, c, t: sigmoid(v @ w - c), "expected ["),
        (2, lambda v, u, w, c, t: sigmoid(v @ w)[0], "expected (5, 3)"),
        (2, lambda v, u, w, c, t: v @ t, "ValueError"),
        (2, fragile, "not finite"),
        (3, lambda nats, lengths: (nats * real(nats, lengths)).mean(), "in the divisor"),
        (3, mean_of_means, "mean of means"),
        (3, lambda nats, lengths: (nats * real(nats, lengths)).sum() / 3, "nats a piece"),
        (3, lambda nats, lengths: nats[0].mean(), "Take the first lengths"),
        (3, lambda nats, lengths: nats[nats > 2].mean() if nats.shape[1] == 6 else nats.mean(), "Take the first"),
        (3, lambda nats, lengths: nats, "one number"),
        (4, future, "holds the future"),
        (4, repeated_start, "expected zeros"),
        (4, two_late, "should be frame t − 1"),
        (4, lambda roll: roll[:-1], "an input for each step"),
        (5, "la la la", "four voices"),
    ],
)
def test_a_wrong_answer_is_explained(check: int, answer: object, hint: str) -> None:
    feedback = CHECKS[check - 1](answer)
    assert not feedback.passed and re.search(re.escape(hint), feedback.message), feedback.message


def song(melody: list[int], *below: int) -> Piece:
    """Every note of the melody over chords that lie at these intervals under it."""
    pitch = np.array([[note, *(note - interval for interval in below)] for note in melody])
    return Piece(pitch, np.ones(pitch.shape, bool), steps_per_quarter=1)


WANDERING = [72, 74, 72, 67, 65, 70, 63, 72, 71, 72]


@pytest.mark.parametrize(
    ("piece", "hint"),
    [
        (song(WANDERING[:5], 3, 8, 20), "has 5 notes"),
        (song([72, 74] * 5, 3, 8, 20), "2 different notes"),
        (song([72, 85, *WANDERING], 3, 8, 20), "leaps by 13"),
        (song(WANDERING, 2, 7, 14), "has no third"),
        (song(WANDERING, 4, 7, 12), "parallel fifths"),
    ],
)
def test_what_a_melody_lacks_is_named(piece: Piece, hint: str) -> None:
    feedback = lesson12.check_5(piece)
    assert not feedback.passed and hint in feedback.message, feedback.message


def test_a_melody_alone_and_a_known_one_are_found() -> None:
    alone = song(WANDERING, 3, 8, 20)
    pitch = alone.pitch.copy()
    pitch[:, 1:] = REST
    assert "little was completed" in lesson12.check_5(Piece(pitch, pitch != REST, steps_per_quarter=1)).message
    data = chorale_frames()
    known = [lesson12.check_5(frames_piece(roll)).message for roll in data.train[:5]]
    assert any("is one of the training chorales" in message for message in known), known


def test_bach_himself_passes() -> None:
    found = [lesson12.check_5(frames_piece(roll)) for roll in chorale_frames().test]
    assert np.mean([feedback.passed for feedback in found]) > 0.5
