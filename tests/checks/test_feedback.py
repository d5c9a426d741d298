"""What the checks share: who raises ``NotYet``, and what a reader sees of it."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.checks.feedback import Feedback, NotYet, begun, call, check, integers, wrong


@check
def at_least(answer: object, least: int) -> str:
    """A check."""
    begun(answer, "Replace ... by a number.")
    if answer < least:
        raise NotYet(f"{answer} is too small.")
    return "Large enough."


def test_a_check_gives_feedback_and_keeps_its_docstring() -> None:
    assert at_least(3, 2) == Feedback(True, "Large enough.")
    assert at_least(1, 2) == Feedback(False, "1 is too small.")
    assert at_least(..., 2) == Feedback(False, "Replace ... by a number.")
    assert at_least.__doc__ == "A check."


@pytest.mark.parametrize(
    ("returned", "shape", "hint"),
    [
        (None, None, r"here: your function returns \.\.\. : begin"),
        (np.zeros(3), (2,), r"here: it returns shape \(3,\); expected \(2,\), one a step\."),
        (np.zeros(3), (), r"it returns shape \(3,\); expected one number\."),
        (7, (2,), r"it returns 7; expected \(2,\)"),
        ("ab", (), r"it returns 'ab'; expected one number"),
        ({}, (), r"it returns {}; expected one number"),
    ],
)
def test_what_a_function_must_not_return(returned: object, shape: tuple | None, hint: str) -> None:
    with pytest.raises(NotYet, match=hint):
        call(lambda: returned, hint="begin", shape=shape, each="one a step", where="here: ")


def test_a_call_gives_floats_of_the_shape_or_what_came_back() -> None:
    assert call(lambda: [1, 2], shape=(2,)).dtype == float
    assert call(lambda: np.array(2), shape=()) == 2.0
    assert call(lambda: "anything") == "anything"
    with pytest.raises(NotYet, match="It stopped with KeyError: 'x'"):
        call(lambda: {}["x"])


def test_integers_are_counted_and_whole() -> None:
    assert integers((np.int64(1), 2), 2, "two") == [1, 2]
    for answer in ("12", (1.5, 2), (1, 2, 3), 4):
        with pytest.raises(NotYet, match="expected two"):
            integers(answer, 2, "two")


def test_a_wrong_number_gets_its_hint() -> None:
    hints = {0.72: "bits", 4: "four"}
    assert [str(wrong(n, hints, "else")) for n in (0.7213, 4, "x", [4])] == [
        "You answered 0.7213. bits", "You answered 4. four", "You answered x. else", "You answered [4]. else"
    ]  # fmt: skip
