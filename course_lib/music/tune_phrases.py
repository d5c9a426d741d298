"""Phrases of folk tunes: a few full bars, with the tune's metre and mode, as tokens that are a tune by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import count

from course_lib.music.abc_tokens import bars, is_bar_line, metre_in
from course_lib.music.datasets import Tune
from course_lib.music.piece import MusicError


def phrases(tune: Tune, lengths: Sequence[int] = (4, 2, 2), longest: int = 64) -> list[Tune]:
    """The tune cut into phrases: of each run of full bars the first 4, the next 2, the next 2, again 4, and so on.

    lengths: bars of the phrases, in turn. longest: tokens at most (metre, mode and the last bar line included);
        longer phrases are left out.

    A run ends at every bar line but a simple one, and at a bar that is not full, such as a pickup; what is left of a
    run and too short for the next length is left out too. Each phrase begins with metre and mode and ends with
    ``|]``; its title says where it stands, its family is the tune's. Phrases of one tune belong on one side of a
    split: cut after splitting. Raises MusicError for a length below 1, NotATune for tokens that are none.
    Notebook: 11.
    """
    if not lengths or min(lengths) < 1:
        raise MusicError(f"lengths is {tuple(lengths)}; each must be 1 or more bars.")
    full = Fraction(*metre_in(tune.tokens))
    runs: list[list[tuple[int, list[str]]]] = [[]]  # (number of the bar, its tokens)
    for number, ((length, line), tokens) in enumerate(zip(bars(tune.tokens), _in_bars(tune.tokens), strict=True), 1):
        if length == full:
            runs[-1].append((number, tokens))
        if length != full or line != "|":
            runs.append([])
    found = []
    for run in runs:
        start = 0
        for i in count():
            size = lengths[i % len(lengths)]
            if start + size > len(run):
                break
            part = run[start : start + size]
            start += size
            body = [token for _, bar in part for token in (*bar, "|")][:-1]
            if body[-1] == "-":  # a tie to what follows the phrase
                body.pop()
            tokens = (*tune.tokens[:2], *body, "|]")
            if len(tokens) <= longest:
                place = f"bars {part[0][0]}–{part[-1][0]}" if size > 1 else f"bar {part[0][0]}"
                found.append(tune._replace(tokens=tokens, title=f"{tune.title}, {place}"))
    return found


def _in_bars(tokens: Sequence[str]) -> list[list[str]]:
    """What stands between the bar lines, bar by bar, as ``bars`` counts them."""
    found: list[list[str]] = [[]]
    for token in tokens[2:]:
        if not is_bar_line(token):
            found[-1].append(token)
        elif found[-1] or len(found) > 1:
            found.append([])
    return found[:-1]
