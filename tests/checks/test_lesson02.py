"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

import re

import numpy as np
import pytest

from course_lib.checks import lesson02
from course_lib.music.encodings.voices import MINIBACH_RANGES
from course_lib.music.piece import Piece
from tests.checks.solved import solutions_of

CHECKS = [lesson02.check_1, lesson02.check_2, lesson02.check_3, lesson02.check_4, lesson02.check_5]


def solutions() -> dict[str, object]:
    """What the solution cells of the notebook define."""
    scope: dict[str, object] = {"np": np, "Piece": Piece, "lesson02": lesson02}
    exec("from dataclasses import replace", scope)
    return solutions_of("02", scope)


@pytest.mark.parametrize("number", range(1, 6))
def test_the_solution_passes(number: int) -> None:
    feedback = CHECKS[number - 1](solutions()[f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("check", CHECKS)
def test_the_stub_is_not_yet_solved(check: object) -> None:
    stub = ... if check is lesson02.check_1 else lambda *arguments: ...
    feedback = check(stub)
    assert not feedback.passed
    assert "..." in feedback.message or "must return" in feedback.message


def constant(pitches: list[int]) -> object:
    def harmony(melody: Piece) -> Piece:
        pitch = np.column_stack([melody.pitch[:, 0], np.tile(pitches, (len(melody), 1))])
        onset = np.vstack([np.ones((1, 4), bool), np.diff(pitch, axis=0) != 0])
        return Piece(pitch, onset | melody.onset)

    return harmony


def below(distances: list[int]) -> object:
    def harmony(melody: Piece) -> Piece:
        low, high = np.array(MINIBACH_RANGES)[1:].T
        lower = melody.pitch[:, :1].astype(int) - distances
        pitch = np.column_stack([melody.pitch[:, 0], low + (lower - low) % 12])
        onset = np.vstack([np.ones((1, 4), bool), np.diff(pitch, axis=0) != 0])
        return Piece(pitch, onset)

    return harmony


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (lesson02.check_1, 200 * 4480 + 4480, "biases"),
        (lesson02.check_1, 268_800, "first layer"),
        (lesson02.check_1, "many", "m × n"),
        (lesson02.check_2, lambda made, real: float((made == real).mean()), "expected 1.000"),
        (lesson02.check_2, lambda made, real: 1.0, "expected 0.833"),
        (lesson02.check_2, lambda made, real: made == real, "expected one number"),
        (lesson02.check_2, lambda made: 1.0, "stopped with TypeError"),
        (lesson02.check_3, lambda titles: (np.arange(900), np.arange(900, 1000)[:5]), "each of the 1,000 windows"),
        (lesson02.check_3, lambda titles: (np.arange(500), np.arange(500, 1000)), "25 of 50 chorales are held out"),
        (lesson02.check_3, lambda titles: (np.arange(990), np.arange(990, 1000)), "stand on both sides"),
        (lesson02.check_4, lambda steps, sizes: 0.96, "expected 0.9571"),
        (lesson02.check_4, lambda steps, sizes: 1 - 1 / sum(sizes), "Each voice has one 1"),
        (lesson02.check_5, constant([60, 55, 48]), "different chords|parallel"),
        (lesson02.check_5, constant([60, 55, 20]), "Bass sings Ab0"),
        (lesson02.check_5, below([5, 12, 24]), "parallel"),
        (lesson02.check_5, lambda melody: melody, "4 voices"),
        (lesson02.check_5, lambda melody: constant([60, 55, 48])(melody.transpose(1)), "soprano was changed"),
    ],
)
def test_wrong_answers_are_explained(check: object, answer: object, hint: str) -> None:
    feedback = check(answer)
    assert not feedback.passed
    assert re.search(hint, feedback.message), feedback.message


def test_feedback_is_in_words() -> None:
    feedback = lesson02.check_1(1)
    assert "Not yet" in repr(feedback) and 'role="status"' in feedback._repr_html_()
