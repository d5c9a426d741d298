"""Checks of lesson 10, RNN Encoder-Decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from course_lib.checks.feedback import Feedback, tried, unsolved
from course_lib.music.datasets import chorale_phrases, chorales
from course_lib.music.encodings.phrases import BASS, FIRST, HOLD
from course_lib.music.measures.metrics import consonance, last_step, parallels, voice_crossings
from course_lib.music.piece import Piece
from course_lib.symbols import END, START

FINALS = (-7, -5, -2, -1, 1, 2, 5, 7)
"""Semitones into the last note of a cadence: a fifth, a fourth, or a step."""


def soprano_5() -> Piece:
    """The phrase of exercise 5: two full bars from the test side, with Bach's bass under it."""
    return next(
        p
        for p in chorale_phrases(chorales().test)
        if len(p) == 16 and p.time_signature == (4, 4) and len(set(p.pitch[:, 0])) >= 5 and p.onset[::2, 0].all()
    )


def check_1(said: object) -> Feedback:
    """What the teacher says."""
    if unsolved(said):
        return Feedback(False, "Replace ... by a list of six numbers. What has been said before the first number?")
    target = [20, 3, 22, 3, 24, END]
    try:
        given = [int(number) for number in said]
    except (TypeError, ValueError):
        return Feedback(False, f"You answered {said!r}; expected a list of six whole numbers.")
    if given == [START, *target[:-1]]:
        return Feedback(True, "START, then the true numbers, one step late; the decoder never hears what it must say.")
    if given == target:
        return Feedback(
            False, f"You answered {given}: then the decoder would hear, at each step, the very answer it must give."
        )
    if given == target[1:]:
        return Feedback(False, f"You answered {given}: that is the future; the teacher speaks of the past.")
    hint = "It has as many numbers as the target." if len(given) != len(target) else "Move the target one step later."
    return Feedback(False, f"You answered {given}. {hint} The first is START = {START}.")


def check_2(look: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Feedback:
    """Attention for one query."""
    memory = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    for query in (np.array([1.0, 2.0, 0.0]), np.array([-1.0, 0.0, 0.5]), np.array([0.0, 400.0, 400.0])):
        with np.errstate(all="ignore"):
            got, problem = tried(look, query, memory)
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : scores, softmax, mean. Return mean and weights.")
        try:
            mean, weights = (np.asarray(part, float) for part in got)
        except (TypeError, ValueError):
            return Feedback(False, f"It returns {got!r}; expected two arrays: the mean (d,) and the weights (m,).")
        score = memory @ query
        wanted = np.exp(score - score.max()) / np.exp(score - score.max()).sum()
        if weights.shape != (4,) or mean.shape != (3,):
            return Feedback(
                False,
                f"For a query (3,) and a memory (4, 3) it returns a mean of shape {mean.shape} and weights of shape "
                f"{weights.shape}; expected (3,) and (4,): one weight for each row of the memory.",
            )
        if not np.isfinite(weights).all():
            return Feedback(False, f"query {query}: weights {weights}. Subtract the largest score before exp().")
        if not np.isclose(weights.sum(), 1):
            return Feedback(False, f"query {query}: the weights add up to {weights.sum():.3f}, not 1.")
        if not np.allclose(weights, wanted):
            return Feedback(
                False,
                f"query {query}: weights {weights.round(3)}, expected {wanted.round(3)}. The score of a row is its "
                "product with the query.",
            )
        if not np.allclose(mean, wanted @ memory):
            return Feedback(
                False,
                f"The weights are right; mean {mean.round(3)}, expected {(wanted @ memory).round(3)} = Σ a_j m_j",
            )
    return Feedback(True, "A softmax over the memory, and the mean with these weights: that is all of attention.")


def check_3(weigh: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Feedback:
    """Weights that do not look at padding."""
    score = np.array([[2.0, 0.5, -1.0, 0.0, 0.0], [-3.0, -2.0, -4.0, -3.5, 0.0]])
    real = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
    got, problem = tried(weigh, score.copy(), real.copy())
    if problem:
        return Feedback(False, problem)
    if unsolved(got):
        return Feedback(False, "Your function returns ... : a softmax over the real places only.")
    got = np.asarray(got, float)
    if got.shape != score.shape:
        return Feedback(False, f"It returns the shape {got.shape}; expected {score.shape}, a weight for each place.")
    left = float((got * (1 - real)).sum(1).max())
    if left > 1e-6:
        more = " A score of 0 is no small score: exp(0) = 1." if left > 0.5 else ""
        return Feedback(False, f"Up to {left:.0%} of the attention falls on padding; it must be 0.{more}")
    if not np.allclose(got.sum(1), 1):
        return Feedback(
            False, f"The rows add up to {got.sum(1).round(3)}: what you took from the padding belongs to the others."
        )
    wanted = np.exp(score) * real / (np.exp(score) * real).sum(1, keepdims=True)
    if not np.allclose(got, wanted):
        return Feedback(False, f"It returns {got.round(3)}, expected {wanted.round(3)}.")
    return Feedback(True, "Nothing falls on padding, and every row adds up to 1.")


def check_4(search: Callable[[Callable, int, int], list[int]]) -> Feedback:
    """Beam search, against all answers."""

    def maze(said: list[int]) -> np.ndarray:
        """log p of three numbers: 0 is likeliest at first, but what follows it is uncertain."""
        if len(said) == 1:
            return np.log([(0.34, 0.33, 0.33), (0.05, 0.05, 0.9), (0.2, 0.5, 0.3)][said[0]])
        return np.log((0.2, 0.5, 0.3) if said else (0.5, 0.4, 0.1))

    def rough(said: list[int]) -> np.ndarray:
        """log p of three numbers that depend on all that was said."""
        logits = np.sin(1.0 + np.arange(3) * (2 + sum((i + 1) * n for i, n in enumerate(said))) + len(said)) * 2
        return logits - np.logaddexp.reduce(logits)

    def total(model: Callable, row: Sequence[int]) -> float:
        return float(sum(model(list(row[:i]))[number] for i, number in enumerate(row)))

    for model in (maze, rough):
        for width, steps in ((1, 3), (2, 3), (81, 4)):
            kept: list[tuple[float, list[int]]] = [(0.0, [])]
            for _ in range(steps):
                longer = [(s + p, [*row, n]) for s, row in kept for n, p in enumerate(model(row))]
                kept = sorted(longer, key=lambda one: -one[0])[:width]
            got, problem = tried(search, model, width, steps)
            if problem:
                return Feedback(False, problem)
            if unsolved(got):
                return Feedback(
                    False, "Your function returns ... : keep (log p, row); make each row longer, sort, cut."
                )
            if not isinstance(got, Sequence | np.ndarray) or len(got) != steps or any(n not in (0, 1, 2) for n in got):
                return Feedback(False, f"With steps={steps} it returns {got!r}; expected {steps} numbers 0..2.")
            mine, best = total(model, [int(n) for n in got]), kept[0][0]
            if abs(mine - best) > 1e-9:
                every = max(total(model, row) for row in product(range(3), repeat=steps))
                what = "greedy finds" if width == 1 else f"a beam of {width} finds"
                return Feedback(
                    False,
                    f"width {width}, {steps} steps: your row {list(map(int, got))} has log p {mine:.3f}; {what} "
                    f"{kept[0][1]} with {best:.3f} (the best of all answers has {every:.3f}). Add the log p of all "
                    "numbers, sort the longer rows of all kept ones together, the likeliest first.",
                )
    return Feedback(True, "Width 1 is greedy, and with room for all rows it finds the likeliest of all.")


def check_5(bass: object) -> Feedback:
    """A bass line: properties, not one right answer."""
    given = soprano_5()
    if unsolved(bass):
        return Feedback(False, f"Replace ... by {len(given)} numbers: a MIDI pitch where a note begins, 0 to hold.")
    try:
        line = [int(number) for number in bass]
    except (TypeError, ValueError):
        return Feedback(False, f"It is {bass!r}; expected a list of {len(given)} whole numbers.")
    if len(line) != len(given):
        return Feedback(False, f"{len(line)} numbers for {len(given)} eighths. Give each eighth one.")
    wrong = [number for number in line if number and not BASS.low <= number <= BASS.high]
    if not line[0] or wrong:
        return Feedback(
            False,
            f"{'The first eighth holds nothing yet' if not line[0] else f'{wrong[0]} is no bass note'}; write MIDI "
            f"pitches {BASS.low}..{BASS.high}, and 0 to hold.",
        )
    row = np.array([number - BASS.low + FIRST if number else HOLD for number in line])
    piece = BASS.join(given, row)
    if np.array_equal(piece.pitch[:, 1], given.pitch[:, 1]):
        return Feedback(False, "That is Bach's own bass. Write another one.")
    if voice_crossings(piece):
        return Feedback(False, f"The bass sounds above the soprano in {voice_crossings(piece):.0%} of the eighths.")
    together = consonance(piece)
    if together < 0.9:
        return Feedback(
            False, f"{together:.0%} of the beats are consonant; 90 % were asked (a fourth over the bass is dissonant)."
        )
    for interval, name in ((7, "fifths"), (0, "octaves")):
        found = parallels(piece, interval)
        if found:
            return Feedback(False, f"Parallel {name} into eighth {found[0].step} (from 0). Go the other way there.")
    pitches = {number for number in line if number}
    if len(pitches) < 5:
        return Feedback(False, f"{len(pitches)} different pitches; at least five were asked.")
    step = last_step(piece)
    if step not in FINALS:
        return Feedback(False, f"The bass ends with a move of {step:+} semitones; a step, fourth or fifth was asked.")
    return Feedback(
        True, f"{len(pitches)} pitches, {together:.0%} of the beats consonant, no parallels. Now hear it: listen(…)."
    )
