"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from course_lib.checks import lesson06
from course_lib.music.encodings import ALL_SETS
from tests.checks.solved import solutions_of

CHECKS = [getattr(lesson06, f"check_{number}") for number in range(1, 6)]


@pytest.fixture(scope="module")
def cells() -> dict[str, dict]:
    """What the exercise cells and the solution cells of the notebook define."""
    return {tag: solutions_of("06", {"np": np, "lesson06": lesson06}, tag) for tag in ("exercise", "solution")}


@pytest.mark.parametrize("number", range(1, 6))
def test_the_solution_passes(number: int, cells: dict) -> None:
    feedback = CHECKS[number - 1](cells["solution"][f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("check", CHECKS)
def test_the_stub_is_not_yet_solved(check: Callable) -> None:
    feedback = check(... if check is lesson06.check_1 else lambda *arguments: ...)
    assert not feedback.passed and "..." in feedback.message


def test_the_planted_fault_is_found(cells: dict) -> None:
    feedback = lesson06.check_3(cells["exercise"]["step"])
    assert not feedback.passed and "all chains stand at" in feedback.message


def naive(v: np.ndarray, w: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return -v @ b - np.log(1 + np.exp(v @ w + c)).sum(1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def without_b(v: np.ndarray, w: np.ndarray, b: np.ndarray, c: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    h = sigmoid(v @ w + c) > rng.random((len(v), len(c)))
    return (sigmoid(h @ w.T) > rng.random(v.shape)).astype(float)


def undivided(log_p: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    return (np.exp(log_p) * ((ALL_SETS == fixed) | (fixed < 0)).all(1)) @ ALL_SETS


def second_case(log_p: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    return np.exp(log_p) @ ALL_SETS


def only_what_sounds(log_p: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    left = np.exp(log_p) * ALL_SETS[:, fixed == 1].all(1)
    return left @ ALL_SETS / left.sum()


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (1, (2640, 2**30), "has a bias besides"),
        (1, (7, 2**30), "Count W"),
        (1, (2758, 2**118), "every state of both sides"),
        (1, (2758, 2**88), "which side is shorter"),
        (1, (2758, 30), "a unit has two states"),
        (1, 2758, "two whole numbers"),
        (2, naive, "not finite"),
        (2, lambda v, w, b, c: v @ b + np.logaddexp(0, v @ w + c).sum(1), "the sign"),
        (2, lambda v, w, b, c: -np.logaddexp(0, v @ w + c).sum(1), "b of the visible"),
        (2, lambda v, w, b, c: -v @ b - np.logaddexp(0, v @ w).sum(1), "c of the hidden"),
        (2, lambda v, w, b, c: -v @ b, "one log a unit"),
        (2, lambda v, w, b, c: v, "one a frame"),
        (2, lambda v, w, b, c: v @ w @ v, "ValueError"),
        (3, lambda v, w, b, c, rng: sigmoid(sigmoid(v @ w + c) @ w.T + b), "probabilities. A frame"),
        (3, without_b, "from W h + b"),
        (3, lambda v, w, b, c, rng: v[:, :2], "that of the frames"),
        (4, undivided, "Divide by that sum"),
        (4, second_case, "without regard"),
        (4, only_what_sounds, "must be 1 or 0"),
        (4, lambda log_p, fixed: np.exp(log_p), "expected (12,)"),
        (4, lambda log_p, fixed: np.where(fixed < 0, 0.5, fixed), "expected ["),
        (5, lambda sets: sets[:, 0] * 3.0, "distances between notes"),
        (5, lambda sets: np.zeros(len(sets)), "make the energy larger"),
        (5, lambda sets: 50.0 * abs(sets.sum(1) - 12), "Make the energy smaller"),
        (5, lambda sets: 0.3 * (sets.sum(1) - 1) ** 4, "two at least"),
        (5, lambda sets: sets, "expected (4096,)"),
    ],
)
def test_a_wrong_answer_is_explained(check: int, answer: object, hint: str) -> None:
    feedback = CHECKS[check - 1](answer)
    assert not feedback.passed and re.search(re.escape(hint), feedback.message), feedback.message
