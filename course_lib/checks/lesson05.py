"""Checks of lesson 05, LSTM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from course_lib.checks.feedback import Feedback, tried, unsolved
from course_lib.music.datasets import celtic_tunes
from course_lib.music.encodings.abc_tokens import NotATune, check_tokens, is_note, metre_in, tokens_to_piece
from course_lib.music.measures.tunes import (
    complete_bars,
    ends_on_tonic,
    is_aabb,
    longest_shared_runs,
    melody,
    sections,
)

LONGEST_RUN = 18
"""Notes in a row that a tune may share with one of the data: variants of one tune share more."""


def check_1(parameters: object) -> Feedback:
    """Number of parameters in an LSTM layer."""
    if unsolved(parameters):
        return Feedback(False, "Replace ... by a number. How many matrices does the formula of the LSTM have?")
    inputs, units = 93, 384
    right = 4 * (units * (inputs + units) + units)
    if parameters == right:
        return Feedback(True, "Four times (93 + 384) × 384 weights and 384 biases: 734,208.")
    hints = {
        right // 4: "That is a plain recurrent layer. An LSTM has three gates beside g.",
        4 * units * (inputs + units): "The weights are right. Each of the four parts has a bias too.",
        4 * (units * inputs + units): "The state is an input too: count the matrices U.",
        4 * (units * 2 * units + units): "That is the second layer, whose inputs are the 384 units of the first.",
        3 * (units * (inputs + units) + units): "You counted three gates. What is written, g, has weights of its own.",
    }
    text = hints.get(parameters, "Each of f, i, o and g sees the 93 inputs and the 384 numbers of the state.")
    return Feedback(False, f"You answered {parameters}. {text}")


def check_2(heated: Callable[[np.ndarray, float], np.ndarray]) -> Feedback:
    """The softmax with temperature."""
    logits = np.array([1.0, 3.0, 2.0, -1.0])
    for temperature in (1.0, 0.5, 2.0):
        p, problem = tried(heated, logits, temperature)
        if problem:
            return Feedback(False, problem)
        if unsolved(p):
            return Feedback(False, "Your function returns ... : divide the logits by the temperature, then softmax.")
        p = np.asarray(p)
        if p.shape != logits.shape or abs(p.sum() - 1) > 1e-6:
            return Feedback(False, f"For four logits it returns {p}; expected four numbers whose sum is 1.")
        wanted = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
        if not np.allclose(p, wanted):
            wrong = np.exp(logits * temperature) / np.exp(logits * temperature).sum()
            hint = "You multiply by the temperature; divide." if np.allclose(p, wrong) else "Divide before exp()."
            return Feedback(
                False, f"logits {logits}, temperature {temperature}: {p.round(3)}, expected {wanted.round(3)}. {hint}"
            )
    with np.errstate(all="ignore"):
        for large, temperature in ((logits + 1000, 1.0), (logits, 0.001)):
            p, problem = tried(heated, large, temperature)
            if problem or not np.isfinite(p).all():
                return Feedback(
                    False,
                    f"logits {large}, temperature {temperature}: {problem or np.asarray(p)}. exp() of a large number "
                    "is infinite: subtract the largest logit first. It changes no ratio.",
                )
    return Feedback(True, "It sums to one, sharpens below 1, flattens above, and never overflows.")


def check_3(honest: Callable[[np.ndarray, np.ndarray], float]) -> Feedback:
    """A perplexity that does not count padding."""
    targets = np.array([[5, 7, 2, 0, 0, 0], [4, 4, 5, 6, 8, 2]])
    nats = np.where(targets == 0, 0.001, np.log(4))
    nats[1, 0] = np.log(8)
    wanted = float(np.exp(nats[targets != 0].mean()))
    got, problem = tried(honest, targets, nats)
    if problem:
        return Feedback(False, problem)
    if unsolved(got):
        return Feedback(False, "Your function returns ... : choose the real tokens, then take the mean and exp().")
    if not np.isscalar(got):
        return Feedback(False, f"It returns {got!r}; expected one number.")
    if abs(got - np.exp(nats.mean())) < 1e-9:
        return Feedback(
            False,
            f"Eight tokens as hard as one of 4, one as hard as one of 8, three paddings: it returns {got:.2f}. That is "
            "less than 4, because paddings are counted. Which targets are 0?",
        )
    by_tune = np.exp(np.mean([row[t != 0].mean() for t, row in zip(targets, nats, strict=True)]))
    if abs(got - by_tune) < 1e-9 and abs(by_tune - wanted) > 1e-9:
        return Feedback(False, f"It returns {got:.3f}: the mean of two tunes' means. Every token counts the same.")
    if abs(got - wanted) > 1e-9:
        return Feedback(
            False, f"It returns {got:.3f}, expected {wanted:.3f}: exp of the mean over the nine real tokens."
        )
    return Feedback(True, "Only real tokens are counted. With the padding it had been flattering.")


def check_4(write: Callable[[Callable, int], list[int]]) -> Feedback:
    """Iterative feedforward with the likeliest number."""

    def counting(so_far: list[int]) -> np.ndarray:
        """3, 4, 5, then the end: it depends on the last number only."""
        after = {1: 3, 3: 4, 4: 5, 5: 2}
        return np.eye(7)[after.get(so_far[-1], 2)]

    def tempting(so_far: list[int]) -> np.ndarray:
        """Padding and start look likeliest, then a 6; never an end."""
        return np.array([9.0, 8.0, 0.0, 1.0, 1.0, 1.0, 5.0])

    def long_memory(so_far: list[int]) -> np.ndarray:
        """Depends on how many there are."""
        return np.eye(7)[3 + len(so_far) % 3]

    tests = (
        (counting, 20, [1, 3, 4, 5, 2], "After 2, the end, nothing follows."),
        (counting, 3, [1, 3, 4], "longest counts the start too."),
        (tempting, 5, [1, 6, 6, 6, 6], "Padding (0) and start (1) must never be chosen, however likely."),
        (long_memory, 6, [1, 4, 5, 3, 4, 5], "Give next_logits all numbers so far, not only the last."),
    )
    for model, longest, wanted, hint in tests:
        got, problem = tried(write, model, longest)
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : begin with [1] and append in a loop.")
        if not isinstance(got, Sequence | np.ndarray) or [int(i) for i in got] != wanted:
            return Feedback(False, f"With longest={longest} it returns {got}, expected {wanted}. {hint}")
    return Feedback(True, "The output becomes the next input: that is iterative feedforward.")


def check_5(tune: object) -> Feedback:
    """A jig: properties, not one right answer."""
    if unsolved(tune):
        return Feedback(False, "Replace ... by a list of tokens. Look at real.tokens for a model.")
    if not isinstance(tune, Sequence) or isinstance(tune, str) or not all(isinstance(token, str) for token in tune):
        return Feedback(False, f"It is a {type(tune).__name__}; expected a list of tokens. 'a b c'.split() makes one.")
    try:
        check_tokens(tune)
        tokens_to_piece(tune)
    except NotATune as error:
        return Feedback(False, f"It is no tune yet: {error}")
    if metre_in(tune) != (6, 8):
        return Feedback(False, f"Its metre is {tune[0]}; a jig has M:6/8.")
    complete, every = complete_bars(tune)
    if complete < every:
        return Feedback(False, f"{complete} of {every} bars are complete; a bar of 6/8 has six eighths.")
    if not is_aabb(tune):
        return Feedback(
            False,
            f"Its parts are {sections(tune)} (full bars, repeated); AABB needs two of one length, both repeated: "
            "'|:' or nothing at the beginning, '::' between them, ':|' at the end.",
        )
    pitches = {token for token in tune if is_note(token) and token != "z"}
    if len(pitches) < 6:
        return Feedback(
            False, f"{len(pitches)} different pitches: {', '.join(sorted(pitches))}; at least six were asked."
        )
    if not ends_on_tonic(tune):
        return Feedback(False, "Its last note is no C. The root of all tunes here is C, in any octave.")
    run = longest_shared_runs([melody(tune)], [melody(other.tokens) for other in celtic_tunes().train])[0]
    if run > LONGEST_RUN:
        return Feedback(False, f"{run} notes in a row stand in a training tune; up to {LONGEST_RUN} may.")
    return Feedback(
        True, f"A jig of {every} bars; its longest run from a book has {run} notes. Now hear it: listen(…)."
    )
