"""Checks of lesson 10, RNN Encoder-Decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, integers
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


@check
def check_1(previous: object) -> str:
    """The decoder's inputs under teacher forcing."""
    begun(previous, "Replace ... by a list of six numbers. What comes before the first number?")
    target = [20, 3, 22, 3, 24, END]
    given = integers(previous, 0, "a list of six whole numbers")
    if given == [START, *target[:-1]]:
        return "START, then the true numbers, one step late; no input is the number that has to be predicted."
    if given == target:
        raise NotYet(f"You answered {given}: then the input would be, at each step, the very answer.")
    if given == target[1:]:
        raise NotYet(f"You answered {given}: that is the future; teacher forcing gives the past.")
    hint = "It has as many numbers as the target." if len(given) != len(target) else "Move the target one step later."
    raise NotYet(f"You answered {given}. {hint} The first is START = {START}.")


@check
def check_2(look: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> str:
    """Attention for one query."""
    memory = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    for query in (np.array([1.0, 2.0, 0.0]), np.array([-1.0, 0.0, 0.5]), np.array([0.0, 400.0, 400.0])):
        got = call(look, query, memory, hint="scores, softmax, mean. Return mean and weights.")
        try:
            mean, weights = (np.asarray(part, float) for part in got)
        except (TypeError, ValueError) as error:
            raise NotYet(f"It returns {got!r}; expected two arrays: the mean (d,) and the weights (m,).") from error
        score = memory @ query
        wanted = np.exp(score - score.max()) / np.exp(score - score.max()).sum()
        if weights.shape != (4,) or mean.shape != (3,):
            raise NotYet(
                f"For a query (3,) and a memory (4, 3) it returns a mean of shape {mean.shape} and weights of shape "
                f"{weights.shape}; expected (3,) and (4,): one weight for each row of the memory."
            )
        if not np.isfinite(weights).all():
            raise NotYet(f"query {query}: weights {weights}. Subtract the largest score before exp().")
        if not np.isclose(weights.sum(), 1):
            raise NotYet(f"query {query}: the weights add up to {weights.sum():.3f}, not 1.")
        if not np.allclose(weights, wanted):
            raise NotYet(
                f"query {query}: weights {weights.round(3)}, expected {wanted.round(3)}. The score of a row is its "
                "product with the query."
            )
        if not np.allclose(mean, wanted @ memory):
            raise NotYet(
                f"The weights are right; mean {mean.round(3)}, expected {(wanted @ memory).round(3)} = Σ a_j m_j"
            )
    return "A softmax over the memory, and the mean with these weights: that is all of attention."


@check
def check_3(weigh: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> str:
    """Weights that do not look at padding."""
    score = np.array([[2.0, 0.5, -1.0, 0.0, 0.0], [-3.0, -2.0, -4.0, -3.5, 0.0]])
    real = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
    hint = "a softmax over the real places only."
    got = call(weigh, score.copy(), real.copy(), hint=hint, shape=score.shape, each="a weight for each place")
    left = float((got * (1 - real)).sum(1).max())
    if left > 1e-6:
        more = " A score of 0 is no small score: exp(0) = 1." if left > 0.5 else ""
        raise NotYet(f"Up to {left:.0%} of the attention falls on padding; it must be 0.{more}")
    if not np.allclose(got.sum(1), 1):
        raise NotYet(f"The rows add up to {got.sum(1).round(3)}: what you took from the padding belongs to the others.")
    wanted = np.exp(score) * real / (np.exp(score) * real).sum(1, keepdims=True)
    if not np.allclose(got, wanted):
        raise NotYet(f"It returns {got.round(3)}, expected {wanted.round(3)}.")
    return "Nothing falls on padding, and every row adds up to 1."


@check
def check_4(search: Callable[[Callable, int, int], list[int]]) -> str:
    """Beam search, against all answers."""

    def maze(row: list[int]) -> np.ndarray:
        """log p of three numbers: 0 is likeliest at first, but what follows it is uncertain."""
        if len(row) == 1:
            return np.log([(0.34, 0.33, 0.33), (0.05, 0.05, 0.9), (0.2, 0.5, 0.3)][row[0]])
        return np.log((0.2, 0.5, 0.3) if row else (0.5, 0.4, 0.1))

    def rough(row: list[int]) -> np.ndarray:
        """log p of three numbers that depend on all numbers before."""
        logits = np.sin(1.0 + np.arange(3) * (2 + sum((i + 1) * n for i, n in enumerate(row))) + len(row)) * 2
        return logits - np.logaddexp.reduce(logits)

    def total(model: Callable, row: Sequence[int]) -> float:
        return float(sum(model(list(row[:i]))[number] for i, number in enumerate(row)))

    for model in (maze, rough):
        for width, steps in ((1, 3), (2, 3), (81, 4)):
            kept: list[tuple[float, list[int]]] = [(0.0, [])]
            for _ in range(steps):
                longer = [(s + p, [*row, n]) for s, row in kept for n, p in enumerate(model(row))]
                kept = sorted(longer, key=lambda one: -one[0])[:width]
            hint = "keep (log p, row); make each row longer, sort, cut."
            got = call(search, model, width, steps, hint=hint, shape=(steps,), where=f"With steps={steps}: ")
            if not np.isin(got, (0, 1, 2)).all():
                raise NotYet(f"With steps={steps} it returns {got}; expected the numbers 0..2.")
            mine, best = total(model, got.astype(int)), kept[0][0]
            if abs(mine - best) > 1e-9:
                every = max(total(model, row) for row in product(range(3), repeat=steps))
                what = "greedy finds" if width == 1 else f"a beam of {width} finds"
                raise NotYet(
                    f"width {width}, {steps} steps: your row {got.astype(int).tolist()} has log p {mine:.3f}; {what} "
                    f"{kept[0][1]} with {best:.3f} (the best of all answers has {every:.3f}). Add the log p of all "
                    "numbers, sort the longer rows of all kept ones together, the likeliest first."
                )
    return "Width 1 is greedy, and with room for all rows it finds the likeliest of all."


@check
def check_5(bass: object) -> str:
    """A bass line: properties, not one right answer."""
    given = soprano_5()
    begun(bass, f"Replace ... by {len(given)} numbers: a MIDI pitch where a note begins, 0 to hold.")
    line = integers(bass, 0, f"a list of {len(given)} whole numbers")
    if len(line) != len(given):
        raise NotYet(f"{len(line)} numbers for {len(given)} eighths. Give each eighth one.")
    wrong = [number for number in line if number and not BASS.low <= number <= BASS.high]
    if not line[0] or wrong:
        raise NotYet(
            f"{'The first eighth holds nothing yet' if not line[0] else f'{wrong[0]} is no bass note'}; write MIDI "
            f"pitches {BASS.low}..{BASS.high}, and 0 to hold."
        )
    row = np.array([number - BASS.low + FIRST if number else HOLD for number in line])
    piece = BASS.join(given, row)
    if np.array_equal(piece.pitch[:, 1], given.pitch[:, 1]):
        raise NotYet("That is Bach's own bass. Write another one.")
    if voice_crossings(piece):
        raise NotYet(f"The bass sounds above the soprano in {voice_crossings(piece):.0%} of the eighths.")
    together = consonance(piece)
    if together < 0.9:
        raise NotYet(
            f"{together:.0%} of the beats are consonant; 90 % were asked (a fourth over the bass is dissonant)."
        )
    for interval, name in ((7, "fifths"), (0, "octaves")):
        found = parallels(piece, interval)
        if found:
            raise NotYet(f"Parallel {name} into eighth {found[0].step} (from 0). Go the other way there.")
    pitches = {number for number in line if number}
    if len(pitches) < 5:
        raise NotYet(f"{len(pitches)} different pitches; at least five were asked.")
    step = last_step(piece)
    if step not in FINALS:
        raise NotYet(f"The bass ends with a move of {step:+} semitones; a step, fourth or fifth was asked.")
    return f"{len(pitches)} pitches, {together:.0%} of the beats consonant, no parallels. Listen to it: listen(…)."
