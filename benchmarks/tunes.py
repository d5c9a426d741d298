"""Writing tunes: one compiled loop beside a call of model.predict for each token."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks._measure import Row, in_turn, own_process, ratios, seconds
from course_lib.music.datasets import celtic_tunes

QUICK = {"repeats": 3, "tokens": 10}
UNITS = 384  # of the two layers of lesson 05
LONGEST = 200  # tokens of a tune

_made: dict[str, object] = {}


def prepare(symbols: int) -> None:
    """The lesson's model, as it begins, and both ways to use it, compiled."""
    import keras

    from course_lib.architectures.recurrent import END, Generator, recurrent

    keras.utils.set_random_seed(0)
    model = recurrent(symbols, [keras.layers.LSTMCell(UNITS), keras.layers.LSTMCell(UNITS)])
    model.layers[-1].bias.assign(-100.0 * (np.arange(symbols) == END))  # no tune ends early
    _made.update(model=model, generator=Generator(model))
    loop(0), calls(1)


def loop(seed: int) -> float:
    """Seconds a token: one tune in one compiled loop."""
    return seconds(lambda: _made["generator"].generate(1, longest=LONGEST, seed=seed)) / (LONGEST - 1)


def calls(count: int) -> float:
    """Seconds a token: model.predict on all that was written so far, and a draw from its softmax.

    count: how many of the LONGEST tokens are written, evenly spread over the tune.
    """
    rng = np.random.default_rng(0)
    far = np.linspace(1, LONGEST - 1, count).astype(int)

    def write() -> None:
        for upto in far:
            so_far = np.full((1, upto), 3)
            logits = _made["model"].predict(so_far, verbose=0)[0, -1].astype(float)
            p = np.exp(logits - logits.max())
            rng.choice(len(p), p=p / p.sum())

    return seconds(write) / count


def run(repeats: int = 10, tokens: int = 21) -> Iterator[Row]:
    """repeats: turns. tokens: how many model.predict writes in each, evenly spread over a tune."""
    with own_process() as call:
        call(prepare, len(celtic_tunes().vocabulary))
        measured = in_turn(
            {"model.predict": lambda: call(calls, tokens), "loop": lambda: call(loop, 1)},
            repeats,
        )
    yield Row("model.predict on the tune so far, a token", measured["model.predict"])
    yield Row(f"Generator, a tune of {LONGEST} tokens, a token", measured["loop"])
    yield Row("model.predict / Generator", ratios(measured["model.predict"], measured["loop"]), "×", at_least=500)
