"""Checks of lesson 03, autoencoders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.checks.feedback import Feedback, tried, unsolved
from course_lib.music.encodings.voices import OneHot
from course_lib.music.measures.metrics import note_density, voice_crossings


def check_1(answer: object) -> Feedback:
    """Parameters of auto-bach's decoder."""
    if unsolved(answer):
        return Feedback(False, "Replace ... by a whole number. The decoder is one layer from 64 numbers to 64 × 91.")
    hints = {
        64 * 91 * 64: "These are the weights; a layer also has one bias for each output.",
        64 * 91 * 64 + 64: "Your biases are those of the encoder's layer: one for each number of the code.",
        2 * 64 * 91 * 64 + 64 * 91 + 64: "That is the whole autoencoder; only the decoder was asked for.",
        64 * 91 + 64: "Every number of the code is connected to every output: multiply, then add the biases.",
    }
    expected = 64 * 91 * 64 + 64 * 91
    if answer == expected:
        return Feedback(True, f"{expected:,}: about half of the autoencoder; the encoder has the other half.")
    return Feedback(False, hints.get(answer, f"You answered {answer}. A layer from m to n numbers has m × n + n."))


def check_2(vote: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> Feedback:
    """The k nearest windows vote in each cell."""
    window = np.array([[60, 48], [62, 50], [64, 52], [65, 53]])
    near = np.stack([window, window, window, window + 7])
    near[0, 0, 0] = 61  # wrong where both others are right
    near[1, 1, 1] = 51
    near[2, 3, 0] = 67
    made, problem = tried(vote, near.copy(), window, 3)
    if problem:
        return Feedback(False, problem)
    if unsolved(made):
        return Feedback(False, "Your function returns ... : sort the windows by their number of equal cells first.")
    made = np.asarray(made)
    if made.shape != window.shape:
        return Feedback(False, f"It returns the shape {made.shape}; expected one window, {window.shape}.")
    if not np.array_equal(made, window):
        return Feedback(
            False,
            f"Three windows each have one wrong cell, a different one; k = 3. The vote is right in all "
            f"{window.size} cells, yours in {(made == window).sum()}. Is only the nearest one taken?",
        )
    one, problem = tried(vote, near.copy(), window, 1)
    if problem:
        return Feedback(False, f"With k = 1: {problem}")
    if not np.array_equal(one, near[0]):
        return Feedback(False, "With k = 1 and three equally near windows, the first of them must come back.")
    tied, problem = tried(vote, np.stack([window + 1, window - 1]), window, 2)
    if problem:
        return Feedback(False, f"When two windows disagree: {problem}")
    if not np.array_equal(tied, window - 1):
        return Feedback(False, "Two windows that disagree everywhere: the lower pitch must win in each cell.")
    return Feedback(True, "The k nearest vote. Is the result a better reconstruction? Is it still a piece?")


def check_3(sparsity: Callable[[np.ndarray, float], float]) -> Feedback:
    """The KL price of a code."""
    code = np.column_stack([np.full(8, 0.05), np.full(8, 0.45)])
    for rho, example in ((0.25, code), (0.1, np.random.default_rng(0).uniform(0.05, 0.95, (50, 6)))):
        got, problem = tried(sparsity, example, rho)
        if problem:
            return Feedback(False, problem)
        if unsolved(got) or not np.isscalar(got):
            return Feedback(False, f"It returns {got!r}; expected one number: the sum over the units.")
        active = example.mean(axis=0)
        first, second = rho * np.log(rho / active), (1 - rho) * np.log((1 - rho) / (1 - active))
        expected = (first + second).sum()
        if not np.isclose(got, expected):
            where = (
                "Each unit has its own mean by now; look at the sign between the two terms."
                if np.isclose(got, (first - second).sum())
                else "Each unit needs its own mean: over which axis do you take it? And both terms are added."
            )
            return Feedback(
                False,
                f"Units with means {np.round(active, 2).tolist()}, ρ = {rho}: it returns {got:.3f}, expected "
                f"{expected:.3f}. {where}",
            )
    return Feedback(True, "Never below zero, and zero only where each unit is active as often as it should.")


def check_4(gap: Callable[[np.ndarray], np.ndarray]) -> Feedback:
    """The mask that frees bars 2 and 3."""
    symbols = np.random.default_rng(0).integers(0, 21, (3, 64, 4))
    given = symbols.copy()
    target, problem = tried(gap, given)
    if problem:
        return Feedback(False, problem)
    if unsolved(target):
        return Feedback(False, "Your function returns ... : return the symbols, with −1 where the search is free.")
    target = np.asarray(target)
    if not np.array_equal(given, symbols):
        return Feedback(False, "The symbols that were handed in have changed. Write into a copy.")
    if target.shape != symbols.shape:
        return Feedback(False, f"It returns the shape {target.shape}; expected that of the symbols, {symbols.shape}.")
    free = target == -1
    wanted = np.zeros(symbols.shape, bool)
    wanted[:, 16:48] = True
    if (free & ~wanted).any():
        window, step, voice = np.argwhere(free & ~wanted)[0]
        return Feedback(
            False,
            f"Voice {voice} is free at step {step}, in bar {step // 16 + 1}; bars 1 and 4 are given in all voices.",
        )
    if (wanted & ~free).any():
        window, step, voice = np.argwhere(wanted & ~free)[0]
        return Feedback(
            False, f"Voice {voice} is not free at step {step}, in bar {step // 16 + 1}. A bar has 16 steps."
        )
    if not np.array_equal(target[~wanted], symbols[~wanted]):
        return Feedback(False, "The symbols of bars 1 and 4 have changed; they are what the search has to find.")
    return Feedback(True, "Now search with it: how do the free bars connect to the given ones?")


def check_5(
    compose: Callable[[Callable, np.ndarray], np.ndarray], decode: Callable, real_codes: np.ndarray
) -> Feedback:
    """A code whose piece is new, busy enough and in order."""
    encoding = OneHot()
    code, problem = tried(compose, decode, real_codes.copy())
    if problem:
        return Feedback(False, problem)
    if unsolved(code):
        return Feedback(False, "Your function returns ... : return one code. Begin with the middle of two real ones.")
    code = np.asarray(code, "float32")
    size = real_codes.shape[1]
    if code.shape != (size,):
        return Feedback(False, f"It returns the shape {code.shape}; expected one code, ({size},).")
    logits = np.asarray(decode(np.concatenate([code[None], real_codes]))).reshape(len(real_codes) + 1, -1)
    piece, *known = [encoding.decode(one) for one in logits]
    apart = [(piece.pitch != other.pitch).mean() for other in known]
    if min(apart) < 0.2:
        return Feedback(
            False,
            f"Its piece differs from that of code {int(np.argmin(apart))} in {min(apart):.0%} of all cells; "
            "at least 20% was asked for. Go further away from single codes.",
        )
    if not 0.5 <= (density := note_density(piece)) <= 2:
        return Feedback(
            False,
            f"{density:.2f} notes a beat and voice; between 0.5 and 2 was asked for. "
            "Codes that are too near zero hold, codes that are too far out stammer.",
        )
    if (crossings := voice_crossings(piece)) >= 0.1:
        return Feedback(False, f"Voices cross in {crossings:.0%} of the steps; less than 10% was asked for.")
    return Feedback(
        True,
        f"At least {min(apart):.0%} away from every known piece, {density:.2f} notes a beat, "
        f"crossings in {crossings:.0%} of the steps. Hear it: listen(played(stack, code[None])[0]).",
    )
