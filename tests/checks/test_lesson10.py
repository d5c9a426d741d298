"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from course_lib.checks import lesson10
from course_lib.music.encodings.phrases import BASS, FIRST
from tests.checks.solved import solutions_of

CHECKS = [getattr(lesson10, f"check_{number}") for number in range(1, 6)]


@pytest.fixture(scope="module")
def solutions() -> dict[str, object]:
    """What the solution cells of the notebook define."""
    scope: dict[str, object] = {"np": np, "lesson10": lesson10, "Callable": Callable}
    return solutions_of("10", scope)


@pytest.mark.parametrize("number", range(1, 6))
def test_the_solution_passes(number: int, solutions: dict) -> None:
    feedback = CHECKS[number - 1](solutions[f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("check", CHECKS)
def test_the_stub_is_not_yet_solved(check: Callable) -> None:
    stub = ... if check in (lesson10.check_1, lesson10.check_5) else lambda *arguments: ...
    feedback = check(stub)
    assert not feedback.passed and "..." in feedback.message


def softmax(score: np.ndarray) -> np.ndarray:
    share = np.exp(score - score.max(-1, keepdims=True))
    return share / share.sum(-1, keepdims=True)


def greedy(model: Callable, width: int, steps: int) -> list[int]:
    row: list[int] = []
    while len(row) < steps:
        row.append(int(model(row).argmax()))
    return row


def last_only(model: Callable, width: int, steps: int) -> list[int]:
    """Compares the last number's log p only."""
    kept: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(steps):
        longer = [(p, [*row, n]) for _, row in kept for n, p in enumerate(model(row))]
        kept = sorted(longer, key=lambda one: -one[0])[:width]
    return kept[0][1]


def line(*notes: int) -> list[int]:
    """Quarters."""
    return [number for note in notes for number in (note, 0)]


def bachs() -> list[int]:
    piece = lesson10.soprano_5()
    row = BASS.encode(piece, 1)[:-1]
    return [int(number - FIRST + BASS.low) if number >= FIRST else 0 for number in row]


def consonant(piece_pitches: list[int], below: tuple[int, ...]) -> list[int]:
    """For each quarter the first of these intervals below the soprano."""
    return line(*(pitch - below[i % len(below)] for i, pitch in enumerate(piece_pitches)))


SOPRANO = lesson10.soprano_5().pitch[::2, 0].tolist()


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (lesson10.check_1, [20, 3, 22, 3, 24, 2], "very answer"),
        (lesson10.check_1, [3, 22, 3, 24, 2], "future"),
        (lesson10.check_1, [1, 20, 3], "as many numbers"),
        (lesson10.check_1, [0, 20, 3, 22, 3, 24], "first is START"),
        (lesson10.check_1, "all", "six whole numbers"),
        (lesson10.check_2, lambda q, m: m, "two arrays"),
        (lesson10.check_2, lambda q, m: (softmax(m.T @ m[:, 0]), softmax(m.T @ m[:, 0])), "one weight for each row"),
        (lesson10.check_2, lambda q, m: (softmax(m @ q) @ m, np.exp(m @ q)), "add up to"),
        (lesson10.check_2, lambda q, m: (m.mean(0), np.full(4, 0.25)), "product with the query"),
        (lesson10.check_2, lambda q, m: (m.mean(0), softmax(m @ q)), "Σ a_j m_j"),
        (
            lesson10.check_2,
            lambda q, m: (np.exp(m @ q) / np.exp(m @ q).sum() @ m, np.exp(m @ q) / np.exp(m @ q).sum()),
            "largest score",
        ),
        (lesson10.check_2, lambda q: q, "stopped with TypeError"),
        (lesson10.check_3, lambda s, r: softmax(s * r), "exp.0. = 1"),
        (lesson10.check_3, lambda s, r: softmax(s) * r, "belongs to the others"),
        (lesson10.check_3, lambda s, r: softmax(s)[0], "a weight for each place"),
        (lesson10.check_3, lambda s, r: r / r.sum(1, keepdims=True), "expected"),
        (lesson10.check_4, greedy, "a beam of 2 finds"),
        (lesson10.check_4, last_only, "Add the log p"),
        (lesson10.check_4, lambda model, width, steps: [0] * (steps + 1), "expected .3,."),
        (lesson10.check_5, "bass", "whole numbers"),
        (lesson10.check_5, [48], "1 numbers for 16 eighths"),
        (lesson10.check_5, [0] * 16, "holds nothing yet"),
        (lesson10.check_5, [48, 90] * 8, "90 is no bass note"),
        (lesson10.check_5, bachs(), "Bach's own"),
        (lesson10.check_5, line(*[64] * 8), "consonant|above"),
        (lesson10.check_5, consonant(SOPRANO, (13,)), "% of the beats"),
        (lesson10.check_5, consonant(SOPRANO, (24,)), "Parallel octaves"),
        (lesson10.check_5, consonant(SOPRANO, (19,)), "Parallel fifths"),
    ],
)
def test_wrong_answers_are_explained(check: Callable, answer: object, hint: str) -> None:
    feedback = check(answer)
    assert not feedback.passed
    assert re.search(hint, feedback.message), feedback.message
