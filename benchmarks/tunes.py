"""Writing tunes: one compiled loop beside a call of model.predict for each token."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import median

import numpy as np

from benchmarks._measure import Row, in_turn, own_process, ratios, seconds

QUICK = {"repeats": 3, "tokens": 10}
LONGEST = 200  # tokens of a tune
CONTEXT = 40  # tokens that model.predict is given: a short one, in its favour

_made: dict[str, object] = {}


def prepare() -> None:
    """The lesson's model, as shipped, and both ways to use it, compiled."""
    import keras

    from course_lib.architectures.decoding import Sampler
    from course_lib.symbols import END
    from course_lib.training import load

    model = load("05_lstm")
    bias = model.logits.bias
    bias.assign(keras.ops.where(np.arange(model.symbols) == END, -100.0, bias))  # no tune ends early
    _made.update(model=model, sampler=Sampler(model, jit=True))
    loop(1), calls(1)


def loop(count: int) -> float:
    """Seconds a token: a tune in one compiled loop, the median of ``count`` tunes."""
    write = partial(_made["sampler"].sample, longest=LONGEST)
    return median(seconds(partial(write, seed=seed)) for seed in range(count)) / (LONGEST - 1)


def calls(count: int, context: int | None = None) -> float:
    """Seconds a token: model.predict on tokens written before, and a draw from its softmax.

    context: how many of them; None: all that were written, with the ``count`` places evenly spread over the tune.
    """
    rng = np.random.default_rng(0)
    before = np.linspace(1, LONGEST - 1, count).astype(int) if context is None else np.full(count, context)

    def write() -> None:
        for length in before:
            written = np.full((1, length), 3)
            logits = _made["model"].predict(written, verbose=0)[0, -1].astype(float)
            p = np.exp(logits - logits.max())
            rng.choice(len(p), p=p / p.sum())

    return seconds(write) / count


def run(repeats: int = 10, tokens: int = 21, tunes: int = 5) -> Iterator[Row]:
    """repeats: turns. tokens: how many model.predict writes in each. tunes: how many the sampler writes in each."""
    last, whole, loops = f"model.predict on the last {CONTEXT}", "model.predict on the tune so far", "Sampler"
    with own_process() as call:
        call(prepare)
        peers = {
            last: lambda: call(calls, tokens, CONTEXT),
            whole: lambda: call(calls, tokens),
            loops: lambda: call(loop, tunes),
        }
        measured = in_turn(peers, repeats)
    for name, samples in measured.items():
        yield Row(f"{name}, a token", samples, note=f"a tune of {LONGEST} tokens" if name == loops else "")
    yield Row(f"{last} / {loops}", ratios(measured[last], measured[loops]), "×", at_least=500)
    yield Row(f"{whole} / {loops}", ratios(measured[whole], measured[loops]), "×", note="the same network, cut nowhere")
