"""Checks of lesson 02, feedforward."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, wrong
from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES
from course_lib.music.keys import note_name
from course_lib.music.measures.metrics import parallel_fifths, parallel_octaves
from course_lib.music.piece import Piece


@check
def check_1(weights: object) -> str:
    """Number of weights in MiniBach's second layer."""
    begun(weights, "Replace ... by a number. Which two layers does the second matrix connect?")
    right = 200 * 64 * (21 + 21 + 28)
    if weights == right:
        return "200 hidden units, each with a weight to each of 4,480 outputs: 896,000."
    hints = {
        right + 4480: "You counted the 4,480 biases too. The question is about weights only.",
        1344 * 200: "That is the first layer, from soprano to hidden units.",
        200 * 91 * 64: "The soprano is given, not answered: the outputs are those of alto, tenor and bass.",
        1_169_480: "That is every parameter of both layers.",
    }
    otherwise = "A dense layer from m to n units has m × n weights; here m is 200 and n = 64 × (21 + 21 + 28)."
    raise wrong(weights, hints, otherwise)


@check
def check_2(accuracy: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """Accuracy on beats only."""
    real = np.random.default_rng(0).integers(40, 70, (6, 64, 3))
    off_beat, on_beat = real.copy(), real.copy()
    off_beat[:, np.arange(64) % 4 != 0] += 1
    on_beat[:3, ::4, 0] += 1
    for made, expected, case, hint in (
        (real, 1, "Identical arrays", ""),
        (off_beat, 1, "All beats right and all other steps wrong", " Take the steps 0, 4, 8, …"),
        (on_beat, 5 / 6, "One voice of three wrong in half of the windows", ""),
    ):
        got = call(accuracy, made, real, hint="compare every fourth step and take the mean.", shape=())
        if abs(got - expected) > 1e-9:
            raise NotYet(f"{case}: it returns {got:.3f}, expected {expected:.3f}.{hint}")
    return "It looks at the beats and at nothing else."


@check
def check_3(split: Callable[[list[str]], tuple[np.ndarray, np.ndarray]]) -> str:
    """A split that keeps chorales together."""
    titles = [f"chorale {i // 20}" for i in range(1000)]
    result = call(split, titles, hint="return two arrays of indices.")
    if not isinstance(result, tuple) or len(result) != 2:
        raise NotYet("It must return two arrays of indices: (training, validation).")
    train, valid = (np.asarray(side, int) for side in result)
    if sorted([*train.tolist(), *valid.tolist()]) != list(range(1000)):
        raise NotYet(f"{len(train)} and {len(valid)} indices; each of the 1,000 windows must be on one side, once.")
    both = {titles[i] for i in train} & {titles[i] for i in valid}
    if both:
        raise NotYet(
            f"{len(both)} of 50 chorales stand on both sides, for example {sorted(both)[0]!r}. "
            "Draw titles instead of windows; np.isin then finds the windows of the chosen titles."
        )
    held = len({titles[i] for i in valid})
    if not 3 <= held <= 8:
        raise NotYet(f"{held} of 50 chorales are held out; about a tenth was asked for, so about 5.")
    return f"No chorale on both sides, {held} of 50 held out. (By melody would be better still: why?)"


@check
def check_4(all_zero: Callable[[int, tuple[int, ...]], float]) -> str:
    """Binary accuracy of an answer of only zeros."""
    for steps, sizes in ((64, (21, 21, 28)), (1, (2,)), (10, (5, 5))):
        got = call(all_zero, steps, sizes, hint="in each voice and step, how many outputs should be 1?", shape=())
        expected = 1 - len(sizes) / sum(sizes)
        if abs(got - expected) > 1e-9:
            raise NotYet(
                f"For steps={steps} and sizes={sizes} it returns {got}, expected {expected:.4f}. "
                "Each voice has one 1 in each step; all its other outputs are 0, and those the zeros get right."
            )
    return "For MiniBach's voices that is 0.957: the number by which nobody should be impressed."


@check
def check_5(harmony: Callable[[Piece], Piece]) -> str:
    """A harmonisation by hand: properties, not one right answer."""
    low, high = np.array(MINIBACH_RANGES).T
    melodies = [w.select(0) for w in windows(chorales().train)[3::400] if w.pitch[:, 0].min() >= 62]
    for melody in melodies:
        where = f"For the melody of {melody.title}: "
        made = call(harmony, melody, hint="build a Piece with four voices, the melody on top.", where=where)
        if not isinstance(made, Piece) or made.pitch.shape != (len(melody), 4):
            raise NotYet(where + f"expected a Piece of {len(melody)} steps and 4 voices, got {made!r}.")
        if not np.array_equal(made.pitch[:, 0], melody.pitch[:, 0]):
            raise NotYet(where + "the soprano was changed. Voice 0 must be the melody.")
        lower = made.pitch[:, 1:]
        outside = (lower < low[1:]) | (lower > high[1:])
        if outside.any():
            step, voice = np.argwhere(outside)[0]
            pitch = int(lower[step, voice])
            raise NotYet(
                where + f"{made.voices[voice + 1]} sings {'a rest' if pitch < 0 else note_name(pitch)} at step {step}; "
                f"its range is {note_name(low[voice + 1])}..{note_name(high[voice + 1])}."
            )
        if (parallels := parallel_fifths(made) + parallel_octaves(made)) > 0:
            raise NotYet(where + f"{parallels:.2f} parallel fifths or octaves a bar. metrics.parallels lists them.")
        chords = {frozenset((row % 12).tolist()) for row in lower}
        if len(chords) < 3:
            raise NotYet(where + f"{len(chords)} different chords in the lower voices; at least three were asked for.")
    return f"{len(melodies)} melodies: in range, no parallels, the chords change. Listen to it: listen(…)."
