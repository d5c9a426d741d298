"""What the checks of the exercises share: the feedback, and the reasons for "not yet"."""

from __future__ import annotations

import html
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np


class NotYet(Exception):
    """What an exercise still lacks: what was tried, what came back, what was expected, where to look."""


@dataclass(frozen=True)
class Feedback:
    """The answer of a check; shows itself in a notebook.

    passed: whether the exercise is solved. message: what was found.
    """

    passed: bool
    message: str

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return "✓ Solved." if self.passed else "○ Not yet."

    def __repr__(self) -> str:
        return f"{self.verdict} {self.message}"

    def _repr_html_(self) -> str:
        colour = "#009E73" if self.passed else "#0072B2"
        text = html.escape(self.message).replace("\n", "<br>")
        return (
            f'<div role="status" style="border-left: 4px solid {colour}; padding: .3em .8em">'
            f"<strong>{self.verdict}</strong> {text}</div>"
        )


def check(examine: Callable[..., str]) -> Callable[..., Feedback]:
    """Make a check of a function that returns what is solved, or raises ``NotYet``."""

    @wraps(examine)
    def checked(*answer: object) -> Feedback:
        try:
            return Feedback(True, examine(*answer))
        except NotYet as reason:
            return Feedback(False, str(reason))

    return checked


def begun(answer: object, hint: str) -> None:
    """Raise ``NotYet(hint)`` while the three dots of an exercise stand there."""
    if answer is ... or answer is None:
        raise NotYet(hint)


def integers(answer: object, count: int, expected: str) -> list[int]:
    """The whole numbers of an answer. Raises ``NotYet`` unless there are ``count`` of them (0: any number)."""
    try:
        numbers = [operator.index(number) for number in answer]  # type: ignore[attr-defined]
    except TypeError:
        numbers = None
    if numbers is None or count and len(numbers) != count:
        raise NotYet(f"You answered {answer!r}; expected {expected}.")
    return numbers


def wrong(answer: object, hints: dict[float, str], otherwise: str) -> NotYet:
    """``NotYet`` with the hint for this number, as it is or rounded to hundredths."""
    values = (answer, round(answer, 2)) if isinstance(answer, int | float | np.number) else ()
    hint = next((hint for value, hint in hints.items() if value in values), otherwise)
    return NotYet(f"You answered {answer}. {hint}")


def call(
    function: Callable, *arguments: object, hint: str = "", shape: tuple | None = None, each: str = "", where: str = ""
) -> Any:  # noqa: ANN401 (whatever a reader's function returns)
    """What the reader's function returns; with a ``shape`` as an array of floats of this shape, ``()`` as one number.

    hint: how to begin. each: what one number of the array stands for. where: the case that is tried.
    Raises ``NotYet`` when it stops, returns ``...`` or another shape.
    """
    go_on = str.lower if where.endswith(": ") else str  # behind a colon a sentence goes on in small letters
    try:
        with np.errstate(all="ignore"):
            returned = function(*arguments)
    except Exception as error:  # whatever a reader's code raises is shown to the reader
        raise NotYet(f"{where}{go_on('It')} stopped with {type(error).__name__}: {error}") from error
    begun(returned, f"{where}{go_on('Your')} function returns ... : {hint}")
    if shape is None:
        return returned
    try:
        numbers = np.asarray(returned, float)
    except (TypeError, ValueError):
        numbers = None
    if numbers is None or numbers.shape != shape:
        found = f"shape {np.shape(numbers)}" if np.ndim(numbers) else repr(returned)
        expected = f"{shape}{each and f', {each}'}" if shape else "one number"
        raise NotYet(f"{where}{go_on('It')} returns {found}; expected {expected}.")
    return numbers[()]
