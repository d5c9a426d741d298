"""Checks of lesson 11, VRAE."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, wrong
from course_lib.music.datasets import celtic_tunes
from course_lib.music.encodings.abc_tokens import NotATune, check_tokens, metre_in, tune_pitches
from course_lib.music.errors import MusicError
from course_lib.music.measures.tunes import complete_bars, ends_on_tonic, longest_shared_runs, melody, parses

FARTHEST = 1.5
"""A code may lie so many times as far from the centre as a typical one, √d."""


@check
def check_1(beta: object) -> str:
    """The β that a factor of 0.005 amounts to."""
    begun(beta, "Replace ... by a number: 0.005 · (1 + log σ² − …) stands where ½ · (…) should.")
    if not np.isscalar(beta) or isinstance(beta, str):
        raise NotYet(f"You answered {beta!r}; one number was asked for.")
    if np.isclose(float(beta), 0.01):
        return "0.005 / ½ = 0.01: the KL counts a hundredth."
    hints = {
        0.005: "That is the number in the code. The formula itself has a factor ½: divide by it.",
        0.0025: "You multiplied by ½. β is what stands there, divided by what should.",
        100.0: "That is 1 / β: by how much the KL counts too little.",
        0.5: "That is the factor of the formula, which belongs to β = 1.",
    }
    raise wrong(beta, hints, "β = what stands there / what should.")


@check
def check_2(previous: Callable[[np.ndarray, np.ndarray, float], np.ndarray]) -> str:
    """The previous numbers, with word dropout."""
    x = np.array([[5, 8, 7, 2, 0], [4, 4, 9, 6, 2]])
    shifted = np.array([[1, 5, 8, 7, 2], [1, 4, 4, 9, 6]])
    chance = np.array([[0.9, 0.1, 0.5, 0.3, 0.8], [0.2, 0.7, 0.29, 0.31, 0.6]])
    for share, wanted, hint in (
        (0.0, shifted, "Nothing is dropped at a share of 0."),
        (0.3, np.where(chance < 0.3, 0, shifted), "Dropped is where chance < share."),
        (1.0, np.zeros_like(x), "At a share of 1 all is dropped, the start too."),
    ):
        given = x.copy()
        form = "first the start (1), then x without its last number, with 0 where dropped"
        got = call(previous, given, chance, share, hint=form, shape=x.shape, each=form).astype(int)
        if (given != x).any():
            raise NotYet("It changes x itself, which is still needed as the target. Make a new array.")
        if (got != wanted).any():
            if share == 0 and (got == x).all():
                hint = "That is x itself: the answer would be the decoder's input. Shift it by one step."
            elif share == 0.3 and (got == np.where(chance < share, shifted, 0)).all():
                hint = "It keeps what should be dropped, and drops the rest."
            raise NotYet(f"share {share}: it returns {got.tolist()}, expected {wanted.tolist()}. {hint}")
    return "One step later, with START in front, and dropped where the random number is below the share."


@check
def check_3(bound: Callable[[np.ndarray, np.ndarray, np.ndarray], float]) -> str:
    """The honest −ELBO."""
    rng = np.random.default_rng(0)
    reconstruction, mean, log_var = rng.uniform(20, 50, 40), rng.normal(size=(40, 6)), rng.normal(-2, 1, (40, 6))
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    got = call(bound, reconstruction, mean, log_var, hint="return the −ELBO in nats a phrase.", shape=())
    right = float(np.mean(reconstruction + kl))
    if np.isclose(got, right):
        return f"With the whole KL: {right:.2f} nats, where the colleague reported less."
    hints = {
        float(np.mean(reconstruction + 0.01 * kl)): "The KL still counts a hundredth. β is a matter of training.",
        float(np.mean(reconstruction - kl)): "−ELBO = reconstruction + KL. Look at the sign.",
        -right: "That is the ELBO. −ELBO was asked for.",
        float(np.mean(reconstruction) + 0.5 * np.mean(mean**2 + np.exp(log_var) - 1 - log_var)): (
            "The KL is a sum over the dimensions of z and a mean over the phrases; you took a mean of both."
        ),
    }
    hint = next((text for value, text in hints.items() if np.isclose(got, value)), "The factor of the KL is ½.")
    raise NotYet(f"For 40 phrases it returns {got:.2f}, expected {right:.2f}. {hint}")


@check
def check_4(weight: Callable[[int, int], float]) -> str:
    """Cyclical annealing."""
    for period in (10, 400):
        for step in (0, period // 4, period // 2, period - 1, period, period + period // 4, 7 * period + period // 2):
            got = call(weight, step, period, hint="return a weight from 0 to 1.", shape=())
            right = min(1.0, 2 * (step % period) / period)
            if not np.isclose(got, right):
                hint = "Within a period: from 0 to 1 in its first half, then 1."
                if step >= period and np.isclose(got, 1):
                    hint = "The next period begins at 0 again: step % period."
                elif got > 1:
                    hint = "The weight is never above 1: min(1, …)."
                raise NotYet(f"Step {step}, period {period}: {got:.3f}, expected {right:.3f}. {hint}")
    return "Up to the full weight, and again from nothing: the code gets a second chance in each period."


@check
def check_5(code: object, tokens_at: Callable[[np.ndarray], Sequence[str]]) -> str:
    """A point of the space: properties of its phrase, not one right answer."""
    begun(code, "Replace ... by a code, float (32,). Draw many, and keep one that fits.")
    z = np.asarray(code, float)
    if z.shape != (32,):
        raise NotYet(f"A code has the shape (32,); yours has {z.shape}.")
    far = float(np.linalg.norm(z) / np.sqrt(z.size))
    if not far <= FARTHEST:
        raise NotYet(
            f"It lies {far:.1f} times as far from the centre as a typical code; up to {FARTHEST} are allowed. Out "
            "there no phrase ever was."
        )
    found = call(tokens_at, z)
    try:
        check_tokens(found)
    except (NotATune, MusicError) as error:
        raise NotYet(f"What is written there is no phrase: {error}") from error
    complete, every = complete_bars(found)
    if metre_in(found) != (6, 8) or (complete, every) != (4, 4) or not parses(found):
        raise NotYet(
            f"There stands {found[0]} with {complete} of {every} bars complete; four bars of 6/8 were asked for."
        )
    if not ends_on_tonic(found):
        raise NotYet("Its last note is no C. The root of all phrases here is C, in any octave.")
    many = len(set(tune_pitches(found).tolist()))
    if many < 6:
        raise NotYet(f"It has {many} different pitches; at least six were asked for.")
    tune = melody(found)
    run = longest_shared_runs([tune], [melody(one.tokens) for one in celtic_tunes().train])[0]
    if run > len(tune):
        raise NotYet(f"All its {run} notes stand in one training tune: a copy. Look on.")
    return f"Four bars of a jig that end on the root, {many} pitches; the longest run from a book: {run} notes."
