"""Checks of lesson 09, bidirectional RNN."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, integers
from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES
from course_lib.music.measures.voice_leading import voice_leading_violations
from course_lib.music.piece import REST


@check
def check_1(seen: object) -> str:
    """How far each network sees."""
    begun(seen, "Replace ... by two numbers. Which states does each answer depend on?")
    first, second = integers(seen, 2, "two whole numbers: (forward, bidirectional)")
    if (first, second) == (10, 64):
        return "The forward network knows half bars 1 to 10; the other one knows the whole melody."
    if first in (9, 11):
        hint = "The half bar that is asked is an input too; the next one is not."
    elif first != 10:
        hint = "A forward state depends on all half bars up to its own."
    elif second in (54, 55):
        hint = "That is the backward network alone. Its answer is joined with the forward one."
    else:
        hint = "From the left it knows half bars 1 to 10, from the right 64 down to 10."
    raise NotYet(f"You answered ({first}, {second}). {hint}")


@check
def check_2(selected: Callable[[int, int, list[int]], np.ndarray]) -> str:
    """The region of bars and voices."""
    for first, last, voices in ((2, 3, [1, 2]), (1, 4, [0, 1, 2, 3]), (4, 4, [3]), (1, 1, [0, 3])):
        free = np.asarray(call(selected, first, last, voices, hint="begin with np.zeros((32, 4), bool)."))
        if free.shape != (32, 4) or free.dtype != bool:
            raise NotYet(f"It returns shape {free.shape}, type {free.dtype}; expected (32, 4), bool.")
        wanted = np.zeros((32, 4), bool)
        wanted[(first - 1) * 8 : last * 8, voices] = True
        if not np.array_equal(free, wanted):
            steps = np.flatnonzero(free.any(axis=1))
            found = f"steps {steps[0]} to {steps[-1]}" if len(steps) else "no step"
            raise NotYet(
                f"Bars {first} to {last}, voices {voices}: {found} in voices "
                f"{np.flatnonzero(free.any(axis=0)).tolist()}, expected steps {(first - 1) * 8} to {last * 8 - 1} in "
                f"voices {voices}. The first bar is 1, a bar has eight eighths, and both bars are included."
            )
    return "Four regions, from one voice of one bar to everything."


@check
def check_3(join: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> str:
    """The two directions meet at the same step."""
    for steps in (4, 7):
        past = np.arange(steps)[:, None] * np.ones((1, 2))
        future = np.arange(steps)[::-1, None] * np.ones((1, 3))  # as it was read: the last step first
        where = f"For past {past.shape} and future {future.shape}: "
        got = call(join, past, future, hint="return one array (steps, a + b).", shape=(steps, 5), where=where)
        if np.array_equal(got, np.concatenate([past, future], axis=1)):
            raise NotYet(
                f"Of {steps} steps, the state that was read at the last one stands beside the first one: the network "
                "gets as the future of step 0 only the end of the piece. In which order did it read?"
            )
        if np.array_equal(got[:, :2], past[::-1]):
            raise NotYet("You turned the past around. The forward network has read in the right order.")
        if not np.array_equal(got, np.arange(steps)[:, None] * np.ones((1, 5))):
            raise NotYet(f"It returns {got.tolist()}; in row t all states should be those of step t.")
    return "At each step the past up to it and the future down to it stand side by side."


@check
def check_4(gibbs: Callable[[np.ndarray, int, np.random.Generator], np.ndarray]) -> str:
    """Gibbs sampling of two voices."""
    for p in (np.array([[0.4, 0.1], [0.1, 0.4]]), np.array([[0.30, 0.05, 0.05], [0.05, 0.25, 0.30]])):
        steps = 4000
        rng, hint = np.random.default_rng(0), "begin with counts of zeros and both voices at 0."
        visited = call(gibbs, p.copy(), steps, rng, hint=hint, shape=p.shape, each="a count for each pair")
        if visited.sum() != steps:
            raise NotYet(f"It returns counts with the sum {visited.sum():g}; expected {steps}, one after each step.")
        share = visited / steps
        if np.abs(share - np.outer(p.sum(1), p.sum(0))).max() < 0.03:
            raise NotYet(
                f"Shares {share.round(2).tolist()}: the voices know nothing of each other. Draw each given the "
                "other *as it stands now*: its column or row of the table, divided by the sum."
            )
        if (share > 0).sum() <= max(p.shape) and (p > 0).all():
            raise NotYet(f"Shares {share.round(2).tolist()}: it visits few places. Draw; do not take the likeliest.")
        if np.abs(share - p).max() > 0.05:
            raise NotYet(
                f"Shares {share.round(2).tolist()}, expected about {p.tolist()}. Begin each step with the first "
                "voice; count after both were drawn."
            )
    return "The shares of the places visited are the table: the chain draws from it."


@check
def check_5(rule: Callable[[np.ndarray], np.ndarray]) -> str:
    """A second expert: properties, not one right answer."""
    low, high = np.array(MINIBACH_RANGES).T
    real = np.stack([w.regrid(2).pitch for w in windows(chorales().test)[::8] if (w.pitch != REST).all()]).astype(int)
    rng = np.random.default_rng(0)
    wild = rng.integers(low, high + 1, (len(real), 16, 4)).repeat(2, axis=1)
    found = []
    for pitch in (real, wild, wild + 2):
        got = call(rule, pitch.copy(), hint="return one number for each piece.", shape=(len(real),), each="one a piece")
        if not np.isfinite(got).all() or (got < 0).any():
            raise NotYet(f"It returns {got.min()} to {got.max()}; faults are finite and at least 0.")
        found.append(got)
    bach, chance, moved = found
    if not np.allclose(chance, moved):
        raise NotYet("Two semitones higher a piece gets other faults. Look at intervals, not at pitches.")
    if np.allclose(chance, voice_leading_violations(wild)):
        raise NotYet("That is the lesson's own rule. Find another one.")
    if not chance.any() or chance.mean() < 3 * bach.mean():
        raise NotYet(
            f"Bach has {bach.mean():.2f} faults a piece, random pitches {chance.mean():.2f}; asked was three times as "
            "many at least. What does Bach hardly ever do?"
        )
    return f"Bach has {bach.mean():.2f} faults a piece, random pitches {chance.mean():.2f}. Now give it to Gibbs."
