"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from course_lib.checks import lesson03
from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES, OneHot
from tests.checks.solved import solutions_of

ENCODING = OneHot()


@cache
def pieces() -> np.ndarray:
    """float (30, 5824): one-hot windows of the validation side. Here a code is the music itself."""
    low, high = np.array(MINIBACH_RANGES).T
    fitting = [w for w in windows(chorales().valid) if ((w.pitch >= low) & (w.pitch <= high)).all()]
    return np.stack([ENCODING.encode(w).ravel() for w in fitting[::8][:30]])


def same(codes: np.ndarray) -> np.ndarray:
    """A decoder without a network."""
    return np.asarray(codes)


CHECKS = {
    1: lesson03.check_1,
    2: lesson03.check_2,
    3: lesson03.check_3,
    4: lesson03.check_4,
    5: lambda compose: lesson03.check_5(compose, same, pieces()),
}


class Unchecked:
    """Stands in for the module: the solution cells call a check at their end, some with a trained network."""

    def __getattr__(self, name: str) -> object:
        return lambda *arguments: None


class Anything:
    decode = None


def solutions() -> dict[str, object]:
    """What the solution cells of the notebook define."""
    scope: dict[str, object] = {"np": np, "lesson03": Unchecked(), "stack": Anything()}
    scope |= {"codes_of": lambda *arguments: None, "x_valid": None}
    return solutions_of("03", scope)


@pytest.mark.parametrize("number", CHECKS)
def test_the_solution_passes(number: int) -> None:
    feedback = CHECKS[number](solutions()[f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("number", CHECKS)
def test_the_stub_is_not_yet_solved(number: int) -> None:
    feedback = CHECKS[number](... if number == 1 else lambda *arguments: ...)
    assert not feedback.passed
    assert "..." in feedback.message or "llipsis" in feedback.message


def nearest_only(train: np.ndarray, window: np.ndarray, k: int) -> np.ndarray:
    return train[(train == window).sum(axis=(1, 2)).argmax()]


def late_vote(train: np.ndarray, window: np.ndarray, k: int) -> np.ndarray:
    agreeing = (train == window).sum(axis=(1, 2))
    chosen = train[np.argsort(agreeing, kind="stable")[::-1][:k]]
    return np.median(chosen, axis=0).astype(int)


def kl(axis: int | None, sign: int) -> object:
    def sparsity(code: np.ndarray, rho: float) -> float:
        active = code.mean(axis=axis)
        return float((rho * np.log(rho / active) + sign * (1 - rho) * np.log((1 - rho) / (1 - active))).sum())

    return sparsity


def masked(part: tuple, copy: bool = True) -> object:
    def gap(symbols: np.ndarray) -> np.ndarray:
        target = symbols.copy() if copy else symbols
        target[part] = -1
        return target

    return gap


ALL = slice(None)


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [
        (1, 64 * 91 * 64, "bias"),
        (1, 751_360, "only the decoder"),
        (1, "many", "m × n"),
        (2, nearest_only, "yours in 7"),
        (2, late_vote, "the first of them"),
        (2, lambda train, window, k: train[:k], "one window"),
        (2, lambda train: train[0], "stopped with TypeError"),
        (3, kl(0, -1), "sign"),
        (3, kl(None, 1), "which axis"),
        (3, lambda code, rho: code, "expected one number"),
        (4, masked((ALL, slice(16, 32))), "not free at step 32, in bar 3"),
        (4, masked((ALL, slice(12, 48))), "free at step 12, in bar 1"),
        (4, masked((Ellipsis, slice(1, None))), "Voice 1 is free at step 0"),
        (4, masked((ALL, slice(16, 48)), copy=False), "Write into a copy"),
        (4, lambda symbols: np.where(np.arange(64)[:, None] // 16 % 3 > 0, -1, 0 * symbols), "have changed"),
        (5, lambda decode, codes: codes[7], "code 7 in 0%"),
        (5, lambda decode, codes: codes, "one code"),
        (5, lambda decode, codes: np.zeros_like(codes[0]), "notes a beat"),
    ],
)
def test_wrong_answers_are_explained(number: int, answer: object, hint: str) -> None:
    feedback = CHECKS[number](answer)
    assert not feedback.passed
    assert re.search(hint, feedback.message), feedback.message
