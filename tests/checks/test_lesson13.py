"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from course_lib.checks import lesson13
from tests.checks.solved import solutions_of

CHECKS = [getattr(lesson13, f"check_{number}") for number in range(1, 6)]


@pytest.fixture(scope="module")
def cells() -> dict[str, dict]:
    """What the exercise cells and the solution cells of the notebook define."""
    return {tag: solutions_of("13", {"np": np, "lesson13": lesson13}, tag) for tag in ("exercise", "solution")}


@pytest.mark.parametrize("number", range(1, 6))
def test_the_solution_passes(number: int, cells: dict) -> None:
    feedback = CHECKS[number - 1](cells["solution"][f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("check", CHECKS)
def test_the_stub_is_not_yet_solved(check: Callable) -> None:
    feedback = check(... if check in (lesson13.check_1, lesson13.check_5) else lambda *arguments: ...)
    assert not feedback.passed and "..." in feedback.message


def test_the_planted_fault_is_found(cells: dict) -> None:
    feedback = lesson13.check_3(cells["exercise"]["alike"])
    assert not feedback.passed and "Which entries are 1 in every matrix" in feedback.message


def parts(roll: np.ndarray, window: int) -> np.ndarray:
    n = len(roll) // window
    return roll[: n * window].reshape(n, window, -1)


def unnormalised(roll: np.ndarray, window: int) -> np.ndarray:
    rows = parts(roll, window).reshape(len(roll) // window, -1)
    return rows @ rows.T


def nan(roll: np.ndarray, window: int) -> np.ndarray:
    rows = parts(roll, window).reshape(len(roll) // window, -1)
    with np.errstate(invalid="ignore"):
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T


def added(roll: np.ndarray, window: int) -> np.ndarray:
    rows = parts(roll, window).sum(1)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows @ rows.T


def unscaled(a: np.ndarray, target: np.ndarray) -> np.ndarray:
    a, t = a - a.mean(), target - target.mean()
    a, t = a / np.linalg.norm(a), t / np.linalg.norm(t)
    return 3 * (t - (a @ t) * a)


EYE = np.eye(16)
CHAIN = np.eye(16) + np.eye(16, k=1) + np.eye(16, k=-1)


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [
        (1, (45_000, 6400), "has a bias besides"),
        (1, (5150, 6400), "for each of the 9 steps"),
        (1, (7, 6400), "Count W"),
        (1, (45_150, 50), "on or off anew"),
        (1, (45_150, 6000), "once a time step"),
        (1, 3, "two whole numbers"),
        (2, unnormalised, "Divide each part by its length"),
        (2, nan, "no number"),
        (2, added, "step by step"),
        (2, lambda roll, window: roll, "expected (3, 3)"),
        (2, lambda roll, window: np.ones((len(roll) // window,) * 2), "expected 0."),
        (2, lambda roll, window: roll @ roll, "ValueError"),
        (3, lambda a, b: 0.5, "Which entries"),
        (3, lambda a, b: -1.0, "For the first pair"),
        (3, lambda a, b: a, "one number"),
        (4, lambda a, t: -unscaled(a, t) / 3 / np.linalg.norm(a - a.mean()), "The sign"),
        (4, unscaled, "times too long"),
        (4, lambda a, t: t, "take away from"),
        (4, lambda a, t: a[:2], "expected (5,)"),
        (5, np.ones((3, 3)), "expected (16, 16)"),
        (5, 2 * EYE, "0..1"),
        (5, np.tri(16), "symmetric"),
        (5, np.full((16, 16), 0.5), "the diagonal"),
        (5, CHAIN, "No music has this matrix"),
        (5, EYE, "no form"),
        (5, "AABA", "no matrix of numbers"),
    ],
)
def test_a_wrong_answer_is_explained(number: int, answer: object, hint: str) -> None:
    feedback = CHECKS[number - 1](answer)
    assert not feedback.passed and hint in feedback.message, feedback.message
