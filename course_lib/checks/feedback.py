"""What a check answers: passed or not yet, and why."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Feedback:
    """The answer of a check; shows itself in a notebook.

    passed: whether the exercise is solved.
    message: what was tried, what came back, what was expected, where to look.
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


def unsolved(answer: object) -> bool:
    """Whether an exercise's stub was left as it is."""
    return answer is ... or answer is None


def tried(function: Callable, *arguments: object) -> tuple[object, str]:
    """What the reader's function returns, and what went wrong, in words (empty if nothing)."""
    try:
        return function(*arguments), ""
    except Exception as error:  # whatever a reader's code raises is shown to the reader
        return None, f"It stopped with {type(error).__name__}: {error}"
