"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from course_lib.checks import lesson09
from course_lib.music.measures.voice_leading import voice_leading_violations
from tests.checks.solved import solutions_of

CHECKS = [getattr(lesson09, f"check_{number}") for number in range(1, 6)]


def solutions() -> dict[str, object]:
    """What the solution cells of the notebook define."""
    scope: dict[str, object] = {"np": np, "lesson09": lesson09}
    return solutions_of("09", scope)


@pytest.mark.parametrize("number", range(1, 6))
def test_the_solution_passes(number: int) -> None:
    feedback = CHECKS[number - 1](solutions()[f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("check", CHECKS)
def test_the_stub_is_not_yet_solved(check: Callable) -> None:
    feedback = check(... if check is lesson09.check_1 else lambda *arguments: ...)
    assert not feedback.passed and "..." in feedback.message


def region(shift: int, extra: int) -> Callable:
    """With one of two mistakes: bars counted from 0, or the last one left out."""

    def selected(first: int, last: int, voices: list[int]) -> np.ndarray:
        free = np.zeros((32, 4), bool)
        free[(first - shift) * 8 : (last + extra) * 8, voices] = True
        return free

    return selected


def independent(p: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    cells = rng.choice(p.size, size=steps, p=np.outer(p.sum(1), p.sum(0)).ravel())
    return np.bincount(cells, minlength=p.size).reshape(p.shape)


def greedy(p: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    visited = np.zeros(p.shape, int)
    visited[0, 0] = steps
    return visited


def stale(p: np.ndarray, steps: int, rng: np.random.Generator) -> np.ndarray:
    """The second voice is drawn given the old first one."""
    visited, one, other = np.zeros(p.shape, int), 0, 0
    for _ in range(steps):
        before = one
        one = rng.choice(len(p), p=p[:, other] / p[:, other].sum())
        other = rng.choice(p.shape[1], p=p[before] / p[before].sum())
        visited[one, other] += 1
    return visited


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (1, (9, 64), "is an input too"),
        (1, (10, 55), "backward network alone"),
        (1, (64, 64), "all half bars up to its own"),
        (1, (10, 10), "from the right 64 down to 10"),
        (1, 10, "two whole numbers"),
        (2, region(0, 0), "The first bar is 1"),
        (2, region(1, -1), "both bars are included"),
        (2, lambda first, last, voices: np.zeros((32, 4)), "float64"),
        (2, lambda first, last, voices: 1 / 0, "ZeroDivisionError"),
        (3, lambda past, future: np.concatenate([past, future], 1), "In which order did it read"),
        (3, lambda past, future: np.concatenate([past[::-1], future[::-1]], 1), "turned the past around"),
        (3, lambda past, future: past, "(4, 2)"),
        (3, lambda past, future: np.concatenate([past, np.roll(future[::-1], 1, axis=0)], 1), "states should be those"),
        (4, independent, "know nothing of each other"),
        (4, greedy, "visits few places"),
        (4, stale, "as it stands now"),
        (4, lambda p, steps, rng: np.zeros(p.shape, int), "with the sum 0"),
        (5, lambda pitch: voice_leading_violations(pitch), "own rule"),
        (5, lambda pitch: (pitch[..., 3] < 45).sum(axis=1), "Look at intervals"),
        (5, lambda pitch: np.ones(len(pitch)), "three times as many"),
        (5, lambda pitch: -np.ones(len(pitch)), "at least 0"),
        (5, lambda pitch: 3.0, "one a piece"),
    ],
)
def test_a_wrong_answer_is_explained(check: int, answer: object, hint: str) -> None:
    feedback = CHECKS[check - 1](answer)
    assert not feedback.passed and re.search(re.escape(hint), feedback.message), feedback.message
