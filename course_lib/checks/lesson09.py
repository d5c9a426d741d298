"""Checks of lesson 09, bidirectional RNN."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from course_lib.checks.feedback import Feedback, tried, unsolved
from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES
from course_lib.music.measures.voice_leading import voice_leading_violations
from course_lib.music.piece import REST


def check_1(seen: object) -> Feedback:
    """How far each network sees."""
    if unsolved(seen):
        return Feedback(False, "Replace ... by two numbers. Which states does each answer depend on?")
    if not isinstance(seen, Sequence) or isinstance(seen, str) or len(seen) != 2:
        return Feedback(False, f"You answered {seen!r}; expected two whole numbers: (forward, bidirectional).")
    first, second = seen
    if (first, second) == (10, 64):
        return Feedback(True, "The forward network knows half bars 1 to 10; the other one knows the whole melody.")
    if first in (9, 11):
        hint = "The half bar that is asked is heard too; the next one is not."
    elif first != 10:
        hint = "A forward state depends on all half bars up to its own."
    elif second in (54, 55):
        hint = "That is the backward network alone. Its answer is joined with the forward one."
    else:
        hint = "From the left it knows half bars 1 to 10, from the right 64 down to 10."
    return Feedback(False, f"You answered ({first}, {second}). {hint}")


def check_2(selected: Callable[[int, int, list[int]], np.ndarray]) -> Feedback:
    """The region of bars and voices."""
    for first, last, voices in ((2, 3, [1, 2]), (1, 4, [0, 1, 2, 3]), (4, 4, [3]), (1, 1, [0, 3])):
        free, problem = tried(selected, first, last, voices)
        if problem:
            return Feedback(False, problem)
        if unsolved(free):
            return Feedback(False, "Your function returns ... : begin with np.zeros((32, 4), bool).")
        free = np.asarray(free)
        if free.shape != (32, 4) or free.dtype != bool:
            return Feedback(False, f"It returns shape {free.shape}, type {free.dtype}; expected (32, 4), bool.")
        wanted = np.zeros((32, 4), bool)
        wanted[(first - 1) * 8 : last * 8, voices] = True
        if not np.array_equal(free, wanted):
            steps = np.flatnonzero(free.any(axis=1))
            said = f"steps {steps[0]} to {steps[-1]}" if len(steps) else "no step"
            said += f" in voices {np.flatnonzero(free.any(axis=0)).tolist()}"
            return Feedback(
                False,
                f"Bars {first} to {last}, voices {voices}: {said}, "
                f"expected steps {(first - 1) * 8} to {last * 8 - 1} in voices {voices}. The first bar is 1, a bar has "
                "eight eighths, and both bars are included.",
            )
    return Feedback(True, "Four regions, from one voice of one bar to everything.")


def check_3(join: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Feedback:
    """The two directions meet at the same step."""
    for steps in (4, 7):
        past = np.arange(steps)[:, None] * np.ones((1, 2))
        future = np.arange(steps)[::-1, None] * np.ones((1, 3))  # as it was read: the last step first
        got, problem = tried(join, past.copy(), future.copy())
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : return one array (steps, a + b).")
        got = np.asarray(got)
        if got.shape != (steps, 5):
            return Feedback(
                False, f"For past {past.shape} and future {future.shape} it returns {got.shape}; expected ({steps}, 5)."
            )
        if np.array_equal(got, np.concatenate([past, future], axis=1)):
            return Feedback(
                False,
                f"Of {steps} steps, the state that was read at the last one stands beside the first one: what the "
                "network hears as the future of step 0 is only the end of the piece. In which order did it read?",
            )
        if np.array_equal(got[:, :2], past[::-1]):
            return Feedback(False, "You turned the past around. The forward network has read in the right order.")
        if not np.array_equal(got, np.arange(steps)[:, None] * np.ones((1, 5))):
            return Feedback(False, f"It returns {got.tolist()}; in row t all states should be those of step t.")
    return Feedback(True, "At each step the past up to it and the future down to it stand side by side.")


def check_4(walk: Callable[[np.ndarray, int, np.random.Generator], np.ndarray]) -> Feedback:
    """Gibbs sampling of two voices."""
    for p in (np.array([[0.4, 0.1], [0.1, 0.4]]), np.array([[0.30, 0.05, 0.05], [0.05, 0.25, 0.30]])):
        steps = 4000
        visited, problem = tried(walk, p.copy(), steps, np.random.default_rng(0))
        if problem:
            return Feedback(False, problem)
        if unsolved(visited):
            return Feedback(False, "Your function returns ... : begin with counts of zeros and both voices at 0.")
        visited = np.asarray(visited)
        if visited.shape != p.shape or visited.sum() != steps:
            return Feedback(
                False,
                f"It returns counts of shape {visited.shape} with the sum {visited.sum()}; expected {p.shape} and "
                f"{steps}: one count after each step.",
            )
        share = visited / steps
        if np.abs(share - np.outer(p.sum(1), p.sum(0))).max() < 0.03:
            return Feedback(
                False,
                f"Shares {share.round(2).tolist()}: the voices know nothing of each other. Draw each given the "
                "other *as it stands now*: its column or row of the table, divided by the sum.",
            )
        if (share > 0).sum() <= max(p.shape) and (p > 0).all():
            return Feedback(
                False, f"Shares {share.round(2).tolist()}: it visits few places. Draw; do not take the likeliest."
            )
        if np.abs(share - p).max() > 0.05:
            return Feedback(
                False,
                f"Shares {share.round(2).tolist()}, expected about {p.tolist()}. Begin each step with the first "
                "voice; count after both were drawn.",
            )
    return Feedback(True, "The shares of the places visited are the table: the walk draws from it.")


def check_5(rule: Callable[[np.ndarray], np.ndarray]) -> Feedback:
    """A second expert: properties, not one right answer."""
    low, high = np.array(MINIBACH_RANGES).T
    real = np.stack([w.regrid(2).pitch for w in windows(chorales().test)[::8] if (w.pitch != REST).all()]).astype(int)
    rng = np.random.default_rng(0)
    wild = rng.integers(low, high + 1, (len(real), 16, 4)).repeat(2, axis=1)
    found = []
    for pitch in (real, wild, wild + 2):
        got, problem = tried(rule, pitch.copy())
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : return one number for each piece.")
        got = np.asarray(got, float)
        if got.shape != (len(real),):
            return Feedback(
                False, f"For pitches {pitch.shape} it returns shape {got.shape}; expected ({len(real)},): one a piece."
            )
        if not np.isfinite(got).all() or (got < 0).any():
            return Feedback(False, f"It returns {got.min()} to {got.max()}; faults are finite and at least 0.")
        found.append(got)
    bach, chance, moved = found
    if not np.allclose(chance, moved):
        return Feedback(False, "Two semitones higher a piece gets other faults. Look at intervals, not at pitches.")
    if np.allclose(chance, voice_leading_violations(wild)):
        return Feedback(False, "That is the lesson's own rule. Find another one.")
    if not chance.any() or chance.mean() < 3 * bach.mean():
        return Feedback(
            False,
            f"Bach has {bach.mean():.2f} faults a piece, random pitches {chance.mean():.2f}; asked was three times as "
            "many at least. What does Bach hardly ever do?",
        )
    return Feedback(
        True,
        f"Bach has {bach.mean():.2f} faults a piece, random pitches {chance.mean():.2f}. Now let Gibbs hear of it.",
    )
