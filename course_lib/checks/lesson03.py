"""Checks of lesson 03, autoencoders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, wrong
from course_lib.music.encodings.voices import OneHot
from course_lib.music.measures.metrics import note_density, voice_crossings


@check
def check_1(answer: object) -> str:
    """Parameters of auto-bach's decoder."""
    begun(answer, "Replace ... by a whole number. The decoder is one layer from 64 numbers to 64 × 91.")
    hints = {
        64 * 91 * 64: "These are the weights; a layer also has one bias for each output.",
        64 * 91 * 64 + 64: "Your biases are those of the encoder's layer: one for each number of the code.",
        2 * 64 * 91 * 64 + 64 * 91 + 64: "That is the whole autoencoder; only the decoder was asked for.",
        64 * 91 + 64: "Every number of the code is connected to every output: multiply, then add the biases.",
    }
    expected = 64 * 91 * 64 + 64 * 91
    if answer == expected:
        return f"{expected:,}: about half of the autoencoder; the encoder has the other half."
    raise wrong(answer, hints, "A layer from m to n numbers has m × n + n.")


@check
def check_2(vote: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> str:
    """The k nearest windows vote in each cell."""
    window = np.array([[60, 48], [62, 50], [64, 52], [65, 53]])
    near = np.stack([window, window, window, window + 7])
    near[0, 0, 0] = 61  # wrong where both others are right
    near[1, 1, 1] = 51
    near[2, 3, 0] = 67
    settings = {"hint": "sort the windows by their number of equal cells first.", "shape": window.shape}
    made = call(vote, near.copy(), window, 3, each="one window", **settings)
    if not np.array_equal(made, window):
        raise NotYet(
            f"Three windows each have one wrong cell, a different one; k = 3. The vote is right in all "
            f"{window.size} cells, yours in {(made == window).sum()}. Is only the nearest one taken?"
        )
    if not np.array_equal(call(vote, near.copy(), window, 1, where="With k = 1: ", **settings), near[0]):
        raise NotYet("With k = 1 and three equally near windows, the first of them must come back.")
    tied = call(vote, np.stack([window + 1, window - 1]), window, 2, where="When two disagree: ", **settings)
    if not np.array_equal(tied, window - 1):
        raise NotYet("Two windows that disagree everywhere: the lower pitch must win in each cell.")
    return "The k nearest vote. Is the result a better reconstruction? Is it still a piece?"


@check
def check_3(sparsity: Callable[[np.ndarray, float], float]) -> str:
    """The KL penalty of a code."""
    code = np.column_stack([np.full(8, 0.05), np.full(8, 0.45)])
    for rho, example in ((0.25, code), (0.1, np.random.default_rng(0).uniform(0.05, 0.95, (50, 6)))):
        got = call(sparsity, example, rho, hint="return the sum over the units.", shape=())
        active = example.mean(axis=0)
        first, second = rho * np.log(rho / active), (1 - rho) * np.log((1 - rho) / (1 - active))
        expected = (first + second).sum()
        if not np.isclose(got, expected):
            hint = "Each unit needs its own mean: over which axis do you take it? And both terms are added."
            if np.isclose(got, (first - second).sum()):
                hint = "Each unit has its own mean by now; look at the sign between the two terms."
            raise NotYet(
                f"Units with means {np.round(active, 2).tolist()}, ρ = {rho}: it returns {got:.3f}, expected "
                f"{expected:.3f}. {hint}"
            )
    return "Never below zero, and zero only where each unit is active as often as it should."


@check
def check_4(gap: Callable[[np.ndarray], np.ndarray]) -> str:
    """The mask that frees bars 2 and 3."""
    symbols = np.random.default_rng(0).integers(0, 21, (3, 64, 4))
    given = symbols.copy()
    hint = "return the symbols, with −1 where the search is free."
    target = call(gap, given, hint=hint, shape=symbols.shape, each="that of the symbols")
    if not np.array_equal(given, symbols):
        raise NotYet("The symbols that were handed in have changed. Write into a copy.")
    free = target == -1
    wanted = np.zeros(symbols.shape, bool)
    wanted[:, 16:48] = True
    if (free & ~wanted).any():
        window, step, voice = np.argwhere(free & ~wanted)[0]
        raise NotYet(
            f"Voice {voice} is free at step {step}, in bar {step // 16 + 1}; bars 1 and 4 are given in all voices."
        )
    if (wanted & ~free).any():
        window, step, voice = np.argwhere(wanted & ~free)[0]
        raise NotYet(f"Voice {voice} is not free at step {step}, in bar {step // 16 + 1}. A bar has 16 steps.")
    if not np.array_equal(target[~wanted], symbols[~wanted]):
        raise NotYet("The symbols of bars 1 and 4 have changed; they are what the search has to find.")
    return "Now search with it: how do the free bars connect to the given ones?"


@check
def check_5(compose: Callable[[Callable, np.ndarray], np.ndarray], decode: Callable, real_codes: np.ndarray) -> str:
    """A code whose piece is new, busy enough and in order."""
    encoding = OneHot()
    hint = "return one code. Begin with the middle of two real ones."
    code = call(compose, decode, real_codes.copy(), hint=hint, shape=real_codes.shape[1:], each="one code")
    code = code.astype("float32")
    logits = np.asarray(decode(np.concatenate([code[None], real_codes]))).reshape(len(real_codes) + 1, -1)
    piece, *known = [encoding.decode(one) for one in logits]
    apart = [(piece.pitch != other.pitch).mean() for other in known]
    if min(apart) < 0.2:
        raise NotYet(
            f"Its piece differs from that of code {int(np.argmin(apart))} in {min(apart):.0%} of all cells; "
            "at least 20% was asked for. Go further away from single codes."
        )
    if not 0.5 <= (density := note_density(piece)) <= 2:
        raise NotYet(
            f"{density:.2f} notes a beat and voice; between 0.5 and 2 was asked for. "
            "Codes that are too near zero hold, codes that are too far out stammer."
        )
    if (crossings := voice_crossings(piece)) >= 0.1:
        raise NotYet(f"Voices cross in {crossings:.0%} of the steps; less than 10% was asked for.")
    return (
        f"At least {min(apart):.0%} away from every known piece, {density:.2f} notes a beat, "
        f"crossings in {crossings:.0%} of the steps. Listen to it: listen(played(stack, code[None])[0])."
    )
