"""The check of notebook 00 passes the right guess, and names what gave the others away."""

from __future__ import annotations

import pytest

from course_lib.checks.lesson00 import ABOUT, check_1

MAKERS = ["table", "Bach", "shuffled", "random"]


def test_bach_is_found() -> None:
    assert check_1(2, MAKERS).passed


@pytest.mark.parametrize("guess, maker", [(1, "table"), (3, "shuffled"), (4, "random")])
def test_another_piece_is_explained(guess: int, maker: str) -> None:
    feedback = check_1(guess, MAKERS)
    assert not feedback.passed
    assert ABOUT[maker] in feedback.message
    assert "2" not in feedback.message  # the answer is not given away


@pytest.mark.parametrize("answer", [..., None, 0, 5, "2", 2.0, True, [2]])
def test_what_is_no_guess_is_refused_with_the_range(answer: object) -> None:
    feedback = check_1(answer, MAKERS)
    assert not feedback.passed
    assert "from 1 to 4" in feedback.message
