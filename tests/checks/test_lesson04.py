"""Each check passes its solution, refuses the stub, and explains a wrong answer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from course_lib.checks import lesson04

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "04_variational_autoencoder.ipynb"
CHECKS = {f"{number}": getattr(lesson04, f"check_{number}") for number in range(1, 6)}


def defined(tag: str) -> dict[str, object]:
    """What the cells of the notebook with this tag define."""
    scope: dict[str, object] = {"np": np, "lesson04": lesson04}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and tag in cell["metadata"].get("tags", ()):
            exec("".join(cell["source"]), scope)
    return scope


@pytest.mark.parametrize("number", CHECKS)
def test_the_solution_passes(number: str) -> None:
    feedback = CHECKS[number](defined("solution")[f"solution_{number}"])
    assert feedback.passed, feedback.message


STUBS = {"1": "answer_1", "2": "my_kl", "3": "sampled", "4": "active_dimensions", "5": "my_path"}


@pytest.mark.parametrize("number", CHECKS)
def test_the_stub_is_not_yet_solved(number: str) -> None:
    assert not CHECKS[number](defined("exercise")[STUBS[number]]).passed


def broken(*_: object) -> None:
    raise ZeroDivisionError("oh")


def half(mean: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    return 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)


WRONG = [
    ("1", 1.0, "factor ½"),
    ("1", 0.0, "the mean is 1"),
    ("1", [1], "one number"),
    ("1", 3, "term by term"),
    ("2", broken, "ZeroDivisionError: oh"),
    ("2", half, r"\(3, 5\); expected \(3,\)"),
    ("2", lambda m, s: half(m, s).sum(-1) + 1, "expected 0"),
    ("2", lambda m, s: 2 * half(m, s).sum(-1), "expected 2.000 = μ²/2"),
    ("2", lambda m, s: half(m, 2 * s).sum(-1), "log_var is log σ²"),
    ("3", broken, "ZeroDivisionError"),
    ("3", lambda m, s, e: m + np.exp(s) * e, "standard deviation of 4.0"),
    ("3", lambda m, s, e: np.exp(0.5 * s) * e, "the mean itself"),
    ("3", lambda m, s, e: m + np.exp(0.5 * s) * e[::-1], "used as it is"),
    ("3", lambda m, s, e: ..., r"returns \.\.\. :"),
    ("4", lambda m, s: m.shape[1], "Of 8 dimensions 0 carry news"),
    ("4", lambda m, s: (half(m, s).mean(0) > 10).sum(), "Of 32 dimensions 5 .* returns 0, expected 5"),
    ("4", broken, "ZeroDivisionError"),
    ("5", lambda a, b, n: np.linspace(a, b, n + 1), r"returns shape \(3, 32\); expected \(2, 32\)"),
    ("5", lambda a, b, n: np.linspace(b, a, n), "begin at a"),
    ("5", lambda a, b, n: np.concatenate([np.tile(a, (n - 1, 1)), b[None]]), "steps of about one length|centre"),
    ("5", broken, "ZeroDivisionError"),
]


@pytest.mark.parametrize("number, answer, hint", WRONG)
def test_a_wrong_answer_is_explained(number: str, answer: object, hint: str) -> None:
    feedback = CHECKS[number](answer)
    assert not feedback.passed
    assert re.search(hint, feedback.message), feedback.message
