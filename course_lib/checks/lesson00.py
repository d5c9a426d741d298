"""Check of notebook 00: which one is Bach?"""

from __future__ import annotations

from collections.abc import Sequence

from course_lib.checks.feedback import NotYet, begun, check

ABOUT = {
    "random": "every note of it was drawn at random. Only the rhythm is by Bach, so nothing fits together",
    "shuffled": "every chord of it is by Bach, but the beats stand in random order. Nothing leads to anything",
    "table": "its melody is by Bach. A table wrote the other voices: under each melody note the pitches that are most "
    "frequent there, whatever came before. So the lower voices leap about, or do not move at all",
}
"""What gives the pieces away that are not by Bach."""


@check
def check_1(answer: object, makers: Sequence[str]) -> str:
    """Which of the pieces is by Bach?

    answer: the number under which it stood, from 1 on.
    makers: who made the pieces, in the order in which they stood: a key of ``ABOUT`` or ``"Bach"`` each.
    """
    bach = list(makers).index("Bach") + 1
    begun(answer, f"Listen, then replace the three dots by a number from 1 to {len(makers)}.")
    if not isinstance(answer, int) or isinstance(answer, bool) or not 1 <= answer <= len(makers):
        raise NotYet(f"You wrote {answer!r}. Write one whole number from 1 to {len(makers)}.")
    if answer == bach:
        return f"Piece {answer} is by Bach. Now say why: what did your ear notice in the other pieces?"
    raise NotYet(f"You chose piece {answer}: {ABOUT[makers[answer - 1]]}. Listen again and choose.")
