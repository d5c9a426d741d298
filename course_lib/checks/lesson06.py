"""Checks of lesson 06, RBM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from course_lib.checks.feedback import Feedback, tried, unsolved
from course_lib.music.baselines import ChordHistogram, NoteUnigram, conditional
from course_lib.music.datasets import chorale_frames
from course_lib.music.encodings.frames import ALL_SETS, pitch_sets, set_name


@cache
def _table() -> np.ndarray:
    """log p of every set, as the chorales have them."""
    train, valid = ([pitch_sets(frames) for frames in side] for side in chorale_frames()[:2])
    return -ChordHistogram(train, valid, NoteUnigram(train)).nats(ALL_SETS)


def _machine(visible: int, hidden: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(visible, hidden)), rng.normal(size=visible), rng.normal(size=hidden)


def check_1(counted: object) -> Feedback:
    """Parameters of an RBM, and terms of the shortest exact sum for Z."""
    if unsolved(counted):
        return Feedback(
            False, "Replace ... by two numbers. Which parts does the machine have, and over what is summed?"
        )
    if not isinstance(counted, Sequence) or isinstance(counted, str) or len(counted) != 2:
        return Feedback(False, f"You answered {counted!r}; expected two whole numbers: (parameters, terms).")
    parameters, terms = counted
    if (parameters, terms) == (88 * 30 + 88 + 30, 2**30):
        return Feedback(True, "88 · 30 weights, 88 biases b and 30 biases c; and 2³⁰ terms, not 2⁸⁸ or 2¹¹⁸.")
    if parameters == 88 * 30:
        hint = "These are the weights. Each visible and each hidden unit has a bias besides."
    elif parameters != 88 * 30 + 88 + 30:
        hint = "Count W, then b, then c."
    elif terms == 2**118:
        hint = "That is every state of both sides. Given one side, the sum over the other one is a product."
    elif terms == 2**88:
        hint = "That sums over the frames. The hidden units may be summed instead: which side is shorter?"
    else:
        hint = "One term for each state of the smaller side, and a unit has two states."
    return Feedback(False, f"You answered ({parameters}, {terms}). {hint}")


def check_2(free_energy: Callable) -> Feedback:
    """F(v) in NumPy."""
    for visible, hidden, seed, scale in ((3, 2, 0, 1.0), (12, 5, 1, 1.0), (12, 5, 2, 300.0)):
        w, b, c = (scale * part for part in _machine(visible, hidden, seed))
        v = (np.random.default_rng(seed).random((7, visible)) < 0.5).astype(float)
        got, problem = tried(free_energy, v.copy(), w, b, c)
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : return one number for each frame.")
        got = np.asarray(got, float)
        if got.shape != (7,):
            return Feedback(False, f"For v (7, {visible}) it returns shape {got.shape}; expected (7,): one a frame.")
        soft = np.logaddexp(0, v @ w + c)
        right = -v @ b - soft.sum(1)
        if not np.isfinite(got).all():
            return Feedback(
                False,
                "With large weights it is not finite: exp(710) is too large. np.logaddexp(0, x) is log(1 + exp(x)).",
            )
        if np.allclose(got, -right):
            return Feedback(
                False, f"It returns {got[0]:.3f}, expected {right[0]:.3f}: the sign. Likely is *low* energy."
            )
        if np.allclose(got, -soft.sum(1)):
            return Feedback(False, "The biases b of the visible units are missing: −v·b.")
        if np.allclose(got, -v @ b - np.logaddexp(0, v @ w).sum(1)):
            return Feedback(False, "The biases c of the hidden units are missing.")
        if not np.allclose(got, right):
            return Feedback(
                False,
                f"For the first frame it returns {got[0]:.3f}, expected {right[0]:.3f}. −v·b, then one log a unit.",
            )
    return Feedback(True, "Three machines, one with weights of 300: all energies are right.")


def check_3(step: Callable) -> Feedback:
    """A Gibbs step that draws."""
    w, b, c = _machine(3, 2, 5)
    every = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(float)
    p = np.exp(every @ b + np.logaddexp(0, every @ w + c).sum(1))
    p /= p.sum()
    rng, v = np.random.default_rng(0), np.zeros((4000, 3))
    for _ in range(20):
        got, problem = tried(step, v.copy(), w, b, c, rng)
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : return the next frames.")
        got = np.asarray(got, float)
        if got.shape != v.shape:
            return Feedback(False, f"It returns shape {got.shape} for frames {v.shape}; they must be alike.")
        if not np.isin(got, (0, 1)).all():
            return Feedback(
                False,
                f"It returns {np.round(got[0], 2).tolist()}: probabilities. A frame is zeros and ones: draw them.",
            )
        v = got
    found = np.bincount((v @ (1, 2, 4)).astype(int), minlength=8) / len(v)
    if found.max() > 0.999:
        return Feedback(
            False,
            f"After 20 steps all chains stand at {v[0].astype(int).tolist()}. Draw: a unit is on *with* probability.",
        )
    if np.abs(found - p).max() > 0.04:
        return Feedback(
            False,
            f"After 20 steps the frames have the shares {found.round(2).tolist()}, expected {p.round(2).tolist()}. "
            "Are both the hidden and the visible units drawn, and the visible ones from W h + b?",
        )
    return Feedback(True, "After 20 steps 4,000 chains stand where the energies say.")


def check_4(chances: Callable) -> Feedback:
    """How probably each pitch class sounds, given some of them."""
    log_p = _table()
    for sounds, silent in (((), ()), ((0, 4), ()), ((7, 11), (2,)), ((2, 5, 9), (0,))):
        fixed = np.full(12, -1)
        fixed[list(sounds)], fixed[list(silent)] = 1, 0
        got, problem = tried(chances, log_p.copy(), fixed.copy())
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : return twelve probabilities.")
        got = np.asarray(got, float)
        if got.shape != (12,):
            return Feedback(False, f"It returns shape {got.shape}; expected (12,).")
        right = conditional(log_p, fixed) @ ALL_SETS
        case = f"Fixed on {list(sounds)}, off {list(silent)}: "
        if np.allclose(got, right, atol=1e-6):
            continue
        if np.allclose(got, np.exp(log_p) @ ALL_SETS, atol=1e-6):
            return Feedback(False, f"{case}you return the chances without regard to what is fixed.")
        agrees = ((ALL_SETS == fixed) | (fixed < 0)).all(1)
        if np.allclose(got, (np.exp(log_p) * agrees) @ ALL_SETS, atol=1e-6):
            return Feedback(
                False, f"{case}the sets that agree are right, but their probabilities sum to "
                f"{np.exp(log_p)[agrees].sum():.3f}. Divide by that sum."
            )  # fmt: skip
        if got[list(sounds)].min(initial=1) < 0.999 or got[list(silent)].max(initial=0) > 0.001:
            return Feedback(False, f"{case}you return {got.round(2).tolist()}; what is fixed must be 1 or 0.")
        return Feedback(False, f"{case}you return {got.round(2).tolist()}, expected {right.round(2).tolist()}.")
    return Feedback(True, "Four cases, from nothing fixed to all but the seventh of a chord.")


def check_5(energy: Callable) -> Feedback:
    """An energy of one's own: properties, not one right answer."""
    got, problem = tried(energy, ALL_SETS.copy())
    if problem:
        return Feedback(False, problem)
    if unsolved(got):
        return Feedback(
            False, "Your function returns ... : return one number for each set, high where it should be rare."
        )
    got = np.asarray(got, float)
    if got.shape != (4096,) or not np.isfinite(got).all():
        return Feedback(
            False, f"For sets (4096, 12) it returns shape {got.shape}; expected (4096,), all of them finite."
        )
    other, problem = tried(energy, np.roll(ALL_SETS, 5, axis=1))
    if problem or not np.allclose(got, other):
        return Feedback(
            False, "Transposed by five semitones, a set has another energy. Look at distances between notes."
        )
    log_p = _table()
    after = log_p - got
    after -= np.logaddexp.reduce(after)
    p, q = np.exp(log_p), np.exp(after)
    moved = 0.5 * np.abs(p - q).sum()
    entropy = -(q * after).sum()
    top = int(ALL_SETS[q.argmax()].sum())
    said = f"It moves {moved:.2f} of the probability; what is left has an entropy of {entropy:.2f} nats"
    if moved < 0.1:
        return Feedback(False, f"{said}. Nobody will hear less than 0.1: make the energy larger.")
    if entropy < 2:
        return Feedback(False, f"{said}: hardly more than seven chords. Make the energy smaller.")
    if top < 2:
        return Feedback(False, f"{said}; the likeliest set has {top} notes. A chord has two at least.")
    return Feedback(True, f"{said}; the likeliest set is now {set_name(ALL_SETS[q.argmax()])}. Listen to it.")
