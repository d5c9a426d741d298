"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from course_lib.checks import lesson11
from course_lib.music.datasets import celtic_tunes, tune_phrases

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "11_vrae.ipynb"
CHECKS = [getattr(lesson11, f"check_{number}") for number in range(1, 6)]

JIG = "M:6/8 K:Cmaj c 2 ^d e f g | b a ^g _e 2 b | e c ^f b a g | d B ^d c 3 |]".split()
Z = np.full(32, 0.5)


def cells() -> list[dict]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def solutions() -> dict[str, object]:
    """What the solution cells define that need nothing of the lesson."""
    scope: dict[str, object] = {"np": np, "lesson11": lesson11}
    for cell in cells():
        source = "".join(cell["source"])
        if "solution" in cell["metadata"].get("tags", ()) and "check_5" not in source:
            exec(source, scope)
    return scope


@pytest.mark.parametrize("number", range(1, 5))
def test_the_solution_passes(number: int) -> None:
    feedback = CHECKS[number - 1](solutions()[f"solution_{number}"])
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("number", range(2, 5))
def test_the_stub_of_the_notebook_is_not_yet_solved(number: int) -> None:
    scope: dict[str, object] = {"np": np}
    source = next(
        "".join(cell["source"])
        for cell in cells()
        if "exercise" in cell["metadata"].get("tags", ()) and f"check_{number}(" in "".join(cell["source"])
    )
    exec(source[: source.rindex("\nlesson11.")], scope)
    function = next(value for name, value in scope.items() if callable(value) and name not in ("np", "__builtins__"))
    feedback = CHECKS[number - 1](function)
    assert not feedback.passed and ("..." in feedback.message or "expected" in feedback.message)


def test_what_is_left_open_gets_a_hint() -> None:
    for answer in (lesson11.check_1(...), lesson11.check_5(..., lambda z: JIG)):
        assert not answer.passed and "..." in answer.message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.005, "divide by it"),
        (0.0025, "multiplied"),
        (100, "1 / β"),
        (0.5, "belongs to β = 1"),
        (7, "what should"),
        ("x", "one number"),
    ],
)
def test_1_knows_the_usual_errors(answer: object, hint: str) -> None:
    feedback = lesson11.check_1(answer)
    assert not feedback.passed and hint in feedback.message


def shifted(x: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones_like(x[:, :1]), x[:, :-1]], axis=1)


def in_place(x: np.ndarray, chance: np.ndarray, share: float) -> np.ndarray:
    x[:, 1:] = x[:, :-1]
    x[:, 0] = 1
    x[chance < share] = 0
    return x


@pytest.mark.parametrize(
    ("previous", "hint"),
    [
        (lambda x, chance, share: x, "decoder's input"),
        (lambda x, chance, share: np.where(chance < share, shifted(x), 0), "share 0.0"),
        (lambda x, chance, share: shifted(x), "Dropped is where"),
        (lambda x, chance, share: np.where(chance < max(share, 1e-9), 0, shifted(x))[:, :3], "shape (2, 3)"),
        (in_place, "changes x itself"),
        (lambda x, chance, share: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_2_finds_what_is_wrong_with_the_input(previous: Callable, hint: str) -> None:
    feedback = lesson11.check_2(previous)
    assert not feedback.passed and hint in feedback.message


def terms(mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    return 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)


@pytest.mark.parametrize(
    ("bound", "hint"),
    [
        (lambda r, m, v: float(np.mean(r + 0.01 * terms(m, v).sum(1))), "hundredth"),
        (lambda r, m, v: float(np.mean(r - terms(m, v).sum(1))), "sign"),
        (lambda r, m, v: -float(np.mean(r + terms(m, v).sum(1))), "That is the ELBO"),
        (lambda r, m, v: float(np.mean(r) + terms(m, v).mean()), "sum over the dimensions"),
        (lambda r, m, v: float(np.mean(r + 2 * terms(m, v).sum(1))), "factor"),
        (lambda r, m, v: r, "expected one number"),
    ],
)
def test_3_finds_the_missing_part_of_the_kl(bound: Callable, hint: str) -> None:
    feedback = lesson11.check_3(bound)
    assert not feedback.passed and hint in feedback.message


@pytest.mark.parametrize(
    ("weight", "hint"),
    [
        (lambda step, period: min(1.0, 2 * step / period), "begins at 0 again"),
        (lambda step, period: 2 * (step % period) / period, "min(1"),
        (lambda step, period: step % period / period, "first half"),
        (lambda step, period: None, "a weight from 0 to 1"),
    ],
)
def test_4_asks_several_periods(weight: Callable, hint: str) -> None:
    feedback = lesson11.check_4(weight)
    assert not feedback.passed and hint in feedback.message


def test_5_takes_what_has_the_properties() -> None:
    feedback = lesson11.check_5(Z, lambda z: JIG)
    assert feedback.passed, feedback.message
    assert lesson11.check_5(Z.tolist(), lambda z: JIG).passed


def of_book() -> list[str]:
    """A phrase of a training tune that has all properties but one: it is copied."""
    for tune in celtic_tunes().train:
        for phrase in tune_phrases(tune, (4,)):
            if lesson11.check_5(Z, lambda z, p=phrase: p.tokens).message.startswith("All its"):
                return list(phrase.tokens)
    raise AssertionError("no such phrase")


@pytest.mark.parametrize(
    ("code", "tokens", "hint"),
    [
        (np.zeros(8), JIG, "shape (32,)"),
        (2 * np.ones(32), JIG, "2.0 times as far"),
        (np.full(32, np.nan), JIG, "as far from the centre"),
        (Z, JIG[:-1], "no phrase"),
        (Z, ["M:2/4", *JIG[1:]], "M:2/4"),
        (Z, "M:6/8 K:Cmaj c 3 d 3 | e 3 c 3 |]".split(), "2 of 2 bars"),
        (Z, [*JIG[:-3], "d", "3", "|]"], "no C"),
        (Z, "M:6/8 K:Cmaj c 3 d 3 | e 3 c 3 | d 3 e 3 | d 3 c 3 |]".split(), "3 different pitches"),
    ],
)
def test_5_names_what_is_missing(code: np.ndarray, tokens: list[str], hint: str) -> None:
    feedback = lesson11.check_5(code, lambda z: tokens)
    assert not feedback.passed and hint in feedback.message


def test_5_refuses_a_copy_and_a_function_that_stops() -> None:
    feedback = lesson11.check_5(Z, lambda z: of_book())
    assert not feedback.passed and "a copy" in feedback.message
    assert "KeyError" in lesson11.check_5(Z, lambda z: {}["no"]).message
