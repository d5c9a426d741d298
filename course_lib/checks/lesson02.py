"""Checks of lesson 02, feedforward."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.checks.feedback import Feedback, tried, unsolved
from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES
from course_lib.music.keys import note_name
from course_lib.music.measures.metrics import parallel_fifths, parallel_octaves
from course_lib.music.piece import Piece


def check_1(weights: object) -> Feedback:
    """Number of weights in MiniBach's second layer."""
    if unsolved(weights):
        return Feedback(False, "Replace ... by a number. Which two layers does the second matrix connect?")
    right = 200 * 64 * (21 + 21 + 28)
    if weights == right:
        return Feedback(True, "200 hidden units, each with a weight to each of 4,480 outputs: 896,000.")
    hints = {
        right + 4480: "You counted the 4,480 biases too. The question is about weights only.",
        1344 * 200: "That is the first layer, from soprano to hidden units.",
        200 * 91 * 64: "The soprano is given, not answered: the outputs are those of alto, tenor and bass.",
        1_169_480: "That is every parameter of both layers.",
    }
    text = hints.get(
        weights, "A dense layer from m to n units has m × n weights; here m is 200 and n = 64 × (21 + 21 + 28)."
    )
    return Feedback(False, f"You answered {weights}. {text}")


def check_2(accuracy: Callable[[np.ndarray, np.ndarray], float]) -> Feedback:
    """Accuracy on beats only."""
    real = np.random.default_rng(0).integers(40, 70, (6, 64, 3))
    perfect, problem = tried(accuracy, real, real)
    if problem:
        return Feedback(False, problem)
    if unsolved(perfect):
        return Feedback(False, "Your function returns ... : compare every fourth step and take the mean.")
    if not np.isscalar(perfect) or perfect != 1:
        return Feedback(False, f"For identical arrays it returns {perfect!r}; expected the one number 1.0.")
    off_beat = real.copy()
    off_beat[:, np.arange(64) % 4 != 0] += 1
    got = accuracy(off_beat, real)
    if got != 1:
        return Feedback(
            False,
            f"All beats right and all other steps wrong: it returns {got:.2f}, expected 1.0. Take the steps 0, 4, 8, …",
        )
    on_beat = real.copy()
    on_beat[:3, ::4, 0] += 1
    got = accuracy(on_beat, real)
    if abs(got - 5 / 6) > 1e-9:
        return Feedback(
            False, f"One voice of three wrong in half of the windows: it returns {got:.3f}, expected 0.833."
        )
    return Feedback(True, "It looks at the beats and at nothing else.")


def check_3(split: Callable[[list[str]], tuple[np.ndarray, np.ndarray]]) -> Feedback:
    """A split that keeps chorales together."""
    titles = [f"chorale {i // 20}" for i in range(1000)]
    result, problem = tried(split, titles)
    if problem:
        return Feedback(False, problem)
    if unsolved(result) or not isinstance(result, tuple) or len(result) != 2:
        return Feedback(False, "It must return two arrays of indices: (training, validation).")
    train, valid = (np.asarray(side, int) for side in result)
    if sorted([*train.tolist(), *valid.tolist()]) != list(range(1000)):
        return Feedback(
            False,
            f"{len(train)} and {len(valid)} indices; each of the 1,000 windows must be on one side, once.",
        )
    both = {titles[i] for i in train} & {titles[i] for i in valid}
    if both:
        return Feedback(
            False,
            f"{len(both)} of 50 chorales stand on both sides, for example {sorted(both)[0]!r}. "
            "Draw titles instead of windows; np.isin then finds the windows of the chosen titles.",
        )
    held = len({titles[i] for i in valid})
    if not 3 <= held <= 8:
        return Feedback(False, f"{held} of 50 chorales are held out; about a tenth was asked for, so about 5.")
    return Feedback(True, f"No chorale on both sides, {held} of 50 held out. (By melody would be better still: why?)")


def check_4(all_zero: Callable[[int, tuple[int, ...]], float]) -> Feedback:
    """Binary accuracy of an answer of only zeros."""
    for steps, sizes in ((64, (21, 21, 28)), (1, (2,)), (10, (5, 5))):
        got, problem = tried(all_zero, steps, sizes)
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : in each voice and step, how many outputs should be 1?")
        expected = 1 - len(sizes) / sum(sizes)
        if not np.isscalar(got) or abs(got - expected) > 1e-9:
            return Feedback(
                False,
                f"For steps={steps} and sizes={sizes} it returns {got}, expected {expected:.4f}. "
                "Each voice has one 1 in each step; all its other outputs are 0, and those the zeros get right.",
            )
    return Feedback(True, "For MiniBach's voices that is 0.957: the number by which nobody should be impressed.")


def check_5(harmony: Callable[[Piece], Piece]) -> Feedback:
    """A harmonisation by hand: properties, not one right answer."""
    low, high = np.array(MINIBACH_RANGES).T
    melodies = [w.select(0) for w in windows(chorales().train)[3::400] if w.pitch[:, 0].min() >= 62]
    for melody in melodies:
        made, problem = tried(harmony, melody)
        where = f"For the melody of {melody.title}: "
        if problem:
            return Feedback(False, where + problem)
        if unsolved(made):
            return Feedback(False, "Your function returns ... : build a Piece with four voices, the melody on top.")
        if not isinstance(made, Piece) or made.pitch.shape != (len(melody), 4):
            return Feedback(False, where + f"expected a Piece of {len(melody)} steps and 4 voices, got {made!r}.")
        if not np.array_equal(made.pitch[:, 0], melody.pitch[:, 0]):
            return Feedback(False, where + "the soprano was changed. Voice 0 must be the melody.")
        lower = made.pitch[:, 1:]
        wrong = (lower < low[1:]) | (lower > high[1:])
        if wrong.any():
            step, voice = np.argwhere(wrong)[0]
            pitch = int(lower[step, voice])
            return Feedback(
                False,
                where + f"{made.voices[voice + 1]} sings {'a rest' if pitch < 0 else note_name(pitch)} at step {step}; "
                f"its range is {note_name(low[voice + 1])}..{note_name(high[voice + 1])}.",
            )
        if (parallels := parallel_fifths(made) + parallel_octaves(made)) > 0:
            return Feedback(
                False,
                where + f"{parallels:.2f} parallel fifths or octaves a bar. metrics.parallels says where.",
            )
        chords = {frozenset((row % 12).tolist()) for row in lower}
        if len(chords) < 3:
            return Feedback(
                False, where + f"{len(chords)} different chords in the lower voices; at least three were asked for."
            )
    return Feedback(
        True,
        f"{len(melodies)} melodies: in range, no parallels, the chords change. Now hear it: listen(…).",
    )
