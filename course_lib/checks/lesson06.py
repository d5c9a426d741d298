"""Checks of lesson 06, RBM."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, integers
from course_lib.music.baselines import ChordHistogram, NoteUnigram, conditional
from course_lib.music.datasets import chorale_frames
from course_lib.music.encodings.frames import ALL_SETS, pitch_sets, set_name


@cache
def _table() -> np.ndarray:
    """log p of every set, as the chorales have them."""
    train, valid = ([pitch_sets(frames) for frames in side] for side in chorale_frames()[:2])
    return -ChordHistogram(train, valid, NoteUnigram(train)).nats(ALL_SETS)


def _rbm(visible: int, hidden: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(visible, hidden)), rng.normal(size=visible), rng.normal(size=hidden)


@check
def check_1(counted: object) -> str:
    """Parameters of an RBM, and terms of the shortest exact sum for Z."""
    begun(counted, "Replace ... by two numbers. Which parts does an RBM have, and over what is summed?")
    parameters, terms = integers(counted, 2, "two whole numbers: (parameters, terms)")
    if (parameters, terms) == (88 * 30 + 88 + 30, 2**30):
        return "88 · 30 weights, 88 biases b and 30 biases c; and 2³⁰ terms, not 2⁸⁸ or 2¹¹⁸."
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
    raise NotYet(f"You answered ({parameters}, {terms}). {hint}")


@check
def check_2(free_energy: Callable) -> str:
    """F(v) in NumPy."""
    for visible, hidden, seed, scale in ((3, 2, 0, 1.0), (12, 5, 1, 1.0), (12, 5, 2, 300.0)):
        w, b, c = (scale * part for part in _rbm(visible, hidden, seed))
        v = (np.random.default_rng(seed).random((7, visible)) < 0.5).astype(float)
        hint = "return one number for each frame."
        got = call(free_energy, v.copy(), w, b, c, hint=hint, shape=(7,), each="one a frame")
        soft = np.logaddexp(0, v @ w + c)
        right = -v @ b - soft.sum(1)
        if not np.isfinite(got).all():
            raise NotYet(
                "With large weights it is not finite: exp(710) is too large. np.logaddexp(0, x) is log(1 + exp(x))."
            )
        if np.allclose(got, -right):
            raise NotYet(f"It returns {got[0]:.3f}, expected {right[0]:.3f}: the sign. Likely is *low* energy.")
        if np.allclose(got, -soft.sum(1)):
            raise NotYet("The biases b of the visible units are missing: −v·b.")
        if np.allclose(got, -v @ b - np.logaddexp(0, v @ w).sum(1)):
            raise NotYet("The biases c of the hidden units are missing.")
        if not np.allclose(got, right):
            raise NotYet(
                f"For the first frame it returns {got[0]:.3f}, expected {right[0]:.3f}. −v·b, then one log a unit."
            )
    return "Three RBMs, one with weights of 300: all energies are right."


@check
def check_3(step: Callable) -> str:
    """A Gibbs step that draws."""
    w, b, c = _rbm(3, 2, 5)
    every = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(float)
    p = np.exp(every @ b + np.logaddexp(0, every @ w + c).sum(1))
    p /= p.sum()
    rng, v = np.random.default_rng(0), np.zeros((4000, 3))
    for _ in range(20):
        got = call(
            step, v.copy(), w, b, c, rng, hint="return the next frames.", shape=v.shape, each="that of the frames"
        )
        if not np.isin(got, (0, 1)).all():
            raise NotYet(
                f"It returns {np.round(got[0], 2).tolist()}: probabilities. A frame is zeros and ones: draw them."
            )
        v = got
    found = np.bincount((v @ (1, 2, 4)).astype(int), minlength=8) / len(v)
    if found.max() > 0.999:
        raise NotYet(
            f"After 20 steps all chains stand at {v[0].astype(int).tolist()}. Draw: a unit is on *with* probability."
        )
    if np.abs(found - p).max() > 0.04:
        raise NotYet(
            f"After 20 steps the frames have the shares {found.round(2).tolist()}, expected {p.round(2).tolist()}. "
            "Are both the hidden and the visible units drawn, and the visible ones from W h + b?"
        )
    return "After 20 steps 4,000 chains stand where the energies say."


@check
def check_4(probabilities: Callable) -> str:
    """How probably each pitch class sounds, given some of them."""
    log_p = _table()
    for sounds, silent in (((), ()), ((0, 4), ()), ((7, 11), (2,)), ((2, 5, 9), (0,))):
        fixed = np.full(12, -1)
        fixed[list(sounds)], fixed[list(silent)] = 1, 0
        got = call(probabilities, log_p.copy(), fixed.copy(), hint="return twelve probabilities.", shape=(12,))
        right = conditional(log_p, fixed) @ ALL_SETS
        case = f"Fixed on {list(sounds)}, off {list(silent)}: "
        if np.allclose(got, right, atol=1e-6):
            continue
        if np.allclose(got, np.exp(log_p) @ ALL_SETS, atol=1e-6):
            raise NotYet(f"{case}you return the probabilities without regard to what is fixed.")
        agrees = ((ALL_SETS == fixed) | (fixed < 0)).all(1)
        if np.allclose(got, (np.exp(log_p) * agrees) @ ALL_SETS, atol=1e-6):
            raise NotYet(
                f"{case}the sets that agree are right, but their probabilities sum to "
                f"{np.exp(log_p)[agrees].sum():.3f}. Divide by that sum."
            )
        if got[list(sounds)].min(initial=1) < 0.999 or got[list(silent)].max(initial=0) > 0.001:
            raise NotYet(f"{case}you return {got.round(2).tolist()}; what is fixed must be 1 or 0.")
        raise NotYet(f"{case}you return {got.round(2).tolist()}, expected {right.round(2).tolist()}.")
    return "Four cases, from nothing fixed to all but the seventh of a chord."


@check
def check_5(energy: Callable) -> str:
    """An energy of one's own: properties, not one right answer."""
    hint = "return one number for each set, high where it should be rare."
    got = call(energy, ALL_SETS.copy(), hint=hint, shape=(4096,), each="one a set")
    if not np.isfinite(got).all():
        raise NotYet("Not all of its energies are finite.")
    if not np.allclose(got, call(energy, np.roll(ALL_SETS, 5, axis=1))):
        raise NotYet("Transposed by five semitones, a set has another energy. Look at distances between notes.")
    log_p = _table()
    after = log_p - got
    after -= np.logaddexp.reduce(after)
    p, q = np.exp(log_p), np.exp(after)
    moved = 0.5 * np.abs(p - q).sum()
    entropy = -(q * after).sum()
    top = int(ALL_SETS[q.argmax()].sum())
    found = f"It moves {moved:.2f} of the probability; what is left has an entropy of {entropy:.2f} nats"
    if moved < 0.1:
        raise NotYet(f"{found}. Less than 0.1 is hardly audible: make the energy larger.")
    if entropy < 2:
        raise NotYet(f"{found}: hardly more than seven chords. Make the energy smaller.")
    if top < 2:
        raise NotYet(f"{found}; the likeliest set has {top} notes. A chord has two at least.")
    return f"{found}; the likeliest set is now {set_name(ALL_SETS[q.argmax()])}. Listen to it."
