"""Checks of lesson 05, LSTM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, wrong
from course_lib.music.datasets import celtic_tunes
from course_lib.music.encodings.abc_tokens import NotATune, check_tokens, is_note, metre_in, tokens_to_piece
from course_lib.music.measures.tunes import complete_bars, ends_on_tonic, is_aabb, longest_shared_runs, melody, sections

LONGEST_RUN = 18
"""Notes in a row that a tune may share with one of the data: variants of one tune share more."""


@check
def check_1(parameters: object) -> str:
    """Number of parameters in an LSTM layer."""
    begun(parameters, "Replace ... by a number. How many matrices does the formula of the LSTM have?")
    inputs, units = 93, 384
    right = 4 * (units * (inputs + units) + units)
    if parameters == right:
        return "Four times (93 + 384) × 384 weights and 384 biases: 734,208."
    hints = {
        right // 4: "That is a plain recurrent layer. An LSTM has three gates beside g.",
        4 * units * (inputs + units): "The weights are right. Each of the four parts has a bias too.",
        4 * (units * inputs + units): "The state is an input too: count the matrices U.",
        4 * (units * 2 * units + units): "That is the second layer, whose inputs are the 384 units of the first.",
        3 * (units * (inputs + units) + units): "You counted three gates. What is written, g, has weights of its own.",
    }
    raise wrong(parameters, hints, "Each of f, i, o and g sees the 93 inputs and the 384 numbers of the state.")


@check
def check_2(heated: Callable[[np.ndarray, float], np.ndarray]) -> str:
    """The softmax with temperature."""
    logits = np.array([1.0, 3.0, 2.0, -1.0])
    for temperature in (1.0, 0.5, 2.0):
        hint = "divide the logits by the temperature, then softmax."
        p = call(heated, logits, temperature, hint=hint, shape=logits.shape, each="a probability for each logit")
        if abs(p.sum() - 1) > 1e-6:
            raise NotYet(f"For four logits it returns {p}; expected four numbers whose sum is 1.")
        wanted = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
        if not np.allclose(p, wanted):
            multiplied = np.exp(logits * temperature) / np.exp(logits * temperature).sum()
            hint = "You multiply by the temperature; divide." if np.allclose(p, multiplied) else "Divide before exp()."
            raise NotYet(
                f"logits {logits}, temperature {temperature}: {p.round(3)}, expected {wanted.round(3)}. {hint}"
            )
    for large, temperature in ((logits + 1000, 1.0), (logits, 0.001)):
        case = f"logits {large}, temperature {temperature}: "
        p = call(heated, large, temperature, shape=logits.shape, where=case)
        if not np.isfinite(p).all():
            raise NotYet(
                f"{case}{p}. exp() of a large number is infinite: subtract the largest logit first. It changes no "
                "ratio."
            )
    return "It sums to one, sharpens below 1, flattens above, and never overflows."


@check
def check_3(honest: Callable[[np.ndarray, np.ndarray], float]) -> str:
    """A perplexity that does not count padding."""
    targets = np.array([[5, 7, 2, 0, 0, 0], [4, 4, 5, 6, 8, 2]])
    nats = np.where(targets == 0, 0.001, np.log(4))
    nats[1, 0] = np.log(8)
    wanted = float(np.exp(nats[targets != 0].mean()))
    got = call(honest, targets, nats, hint="choose the real tokens, then take the mean and exp().", shape=())
    if abs(got - np.exp(nats.mean())) < 1e-9:
        raise NotYet(
            f"Eight tokens as hard as one of 4, one as hard as one of 8, three paddings: it returns {got:.2f}. That is "
            "less than 4, because paddings are counted. Which targets are 0?"
        )
    by_tune = np.exp(np.mean([row[t != 0].mean() for t, row in zip(targets, nats, strict=True)]))
    if abs(got - by_tune) < 1e-9 and abs(by_tune - wanted) > 1e-9:
        raise NotYet(f"It returns {got:.3f}: the mean of two tunes' means. Every token counts the same.")
    if abs(got - wanted) > 1e-9:
        raise NotYet(f"It returns {got:.3f}, expected {wanted:.3f}: exp of the mean over the nine real tokens.")
    return "Only real tokens are counted. With the padding it had been flattering."


@check
def check_4(write: Callable[[Callable, int], list[int]]) -> str:
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
        got = call(write, model, longest, hint="begin with [1] and append in a loop.")
        if not isinstance(got, Sequence | np.ndarray) or [int(i) for i in got] != wanted:
            raise NotYet(f"With longest={longest} it returns {got}, expected {wanted}. {hint}")
    return "The output becomes the next input: that is iterative feedforward."


@check
def check_5(tune: object) -> str:
    """A jig: properties, not one right answer."""
    begun(tune, "Replace ... by a list of tokens. Look at real.tokens for a model.")
    if not isinstance(tune, Sequence) or isinstance(tune, str) or not all(isinstance(token, str) for token in tune):
        raise NotYet(f"It is a {type(tune).__name__}; expected a list of tokens. 'a b c'.split() makes one.")
    try:
        check_tokens(tune)
        tokens_to_piece(tune)
    except NotATune as error:
        raise NotYet(f"It is no tune yet: {error}") from error
    if metre_in(tune) != (6, 8):
        raise NotYet(f"Its metre is {tune[0]}; a jig has M:6/8.")
    complete, every = complete_bars(tune)
    if complete < every:
        raise NotYet(f"{complete} of {every} bars are complete; a bar of 6/8 has six eighths.")
    if not is_aabb(tune):
        raise NotYet(
            f"Its parts are {sections(tune)} (full bars, repeated); AABB needs two of one length, both repeated: "
            "'|:' or nothing at the beginning, '::' between them, ':|' at the end."
        )
    pitches = {token for token in tune if is_note(token) and token != "z"}
    if len(pitches) < 6:
        raise NotYet(f"{len(pitches)} different pitches: {', '.join(sorted(pitches))}; at least six were asked.")
    if not ends_on_tonic(tune):
        raise NotYet("Its last note is no C. The root of all tunes here is C, in any octave.")
    run = longest_shared_runs([melody(tune)], [melody(other.tokens) for other in celtic_tunes().train])[0]
    if run > LONGEST_RUN:
        raise NotYet(f"{run} notes in a row stand in a training tune; up to {LONGEST_RUN} may.")
    return f"A jig of {every} bars; its longest run from a book has {run} notes. Listen to it: listen(…)."
