"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from course_lib.checks import lesson05
from course_lib.music.datasets import celtic_tunes
from course_lib.music.measures.tunes import complete_bars, is_aabb
from tests.checks.solved import solutions_of

CHECKS = [getattr(lesson05, f"check_{number}") for number in range(1, 6)]

JIG = "M:6/8 K:Cmaj c 2 d e f g | c 3 c 3 :: g 2 a b c' d' | c 3 c 3 :|".split()


def solutions() -> dict[str, object]:
    """What the solution cells of the notebook define."""
    scope: dict[str, object] = {"np": np, "lesson05": lesson05, "Callable": Callable}
    return solutions_of("05", scope)


@pytest.mark.parametrize("number", range(1, 6))
def test_the_solution_passes(number: int) -> None:
    feedback = CHECKS[number - 1](solutions()[f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("check", CHECKS)
def test_the_stub_is_not_yet_solved(check: Callable) -> None:
    stub = ... if check in (lesson05.check_1, lesson05.check_5) else lambda *arguments: ...
    feedback = check(stub)
    assert not feedback.passed and "..." in feedback.message


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum()


def always_three(model: Callable, longest: int) -> list[int]:
    return [1, 3, 4, 5, 2, 2][:longest]


def last_only(model: Callable, longest: int) -> list[int]:
    made = [1]
    while made[-1] != 2 and len(made) < longest:
        made.append(2 + int(model([made[-1]])[2:].argmax()))
    return made


def careless(model: Callable, longest: int) -> list[int]:
    made = [1]
    while made[-1] != 2 and len(made) < longest:
        made.append(int(model(made).argmax()))
    return made


def book_jig() -> tuple[str, ...]:
    """A training tune that is all that is asked, except one's own."""
    return next(
        tune.tokens
        for tune in celtic_tunes().train
        if tune.tokens[0] == "M:6/8"
        and is_aabb(tune.tokens)
        and len(set(complete_bars(tune.tokens))) == 1
        and lesson05.ends_on_tonic(tune.tokens)
    )


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (lesson05.check_1, 384 * (93 + 384) + 384, "plain recurrent"),
        (lesson05.check_1, 4 * 384 * (93 + 384), "bias"),
        (lesson05.check_1, 4 * (384 * 93 + 384), "state is an input"),
        (lesson05.check_1, 4 * (384 * 768 + 384), "second layer"),
        (lesson05.check_1, "many", "f, i, o and g"),
        (lesson05.check_2, lambda z, t: softmax(z * t), "multiply"),
        (lesson05.check_2, lambda z, t: softmax(z) / t, "sum is 1"),
        (lesson05.check_2, lambda z, t: softmax(z / t), "subtract the largest"),
        (lesson05.check_2, lambda z: z, "stopped with TypeError"),
        (lesson05.check_3, lambda y, nats: float(np.exp(nats.mean())), "paddings are counted"),
        (lesson05.check_3, lambda y, nats: float(nats[y != 0].mean()), "expected 4.3"),
        (lesson05.check_3, lambda y, nats: np.exp(nats), "one number"),
        (lesson05.check_4, always_three, "nothing follows"),
        (lesson05.check_4, last_only, "not only the last"),
        (lesson05.check_4, careless, "never be chosen"),
        (lesson05.check_5, "M:6/8", "list of tokens"),
        (lesson05.check_5, JIG[:-1], "no tune yet"),
        (lesson05.check_5, ["M:9/8", *JIG[1:]], "a jig has M:6/8"),
        (lesson05.check_5, [*JIG[:4], *JIG[5:]], "3 of 4 bars|2 of 4 bars|complete"),
        (lesson05.check_5, [t if t != "::" else "||" for t in JIG], "AABB"),
        (lesson05.check_5, [t if t[0] not in "abfg" else "c" for t in JIG], "different pitches"),
        (lesson05.check_5, [*JIG[:-3], "d", *JIG[-2:]], "no C"),
        (lesson05.check_5, book_jig(), "notes in a row"),
    ],
)
def test_wrong_answers_are_explained(check: Callable, answer: object, hint: str) -> None:
    feedback = check(answer)
    assert not feedback.passed
    assert re.search(hint, feedback.message), feedback.message
