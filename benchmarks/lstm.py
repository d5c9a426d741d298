"""A training step of lesson 05's network: this library, and torch.nn.LSTM where PyTorch is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from importlib.util import find_spec
from statistics import median

import numpy as np

from benchmarks._measure import SLOWING, Row, in_turn, own_process, ratios, seconds

QUICK = {"repeats": 3}
SYMBOLS, UNITS, DROPOUT = 93, 384, 0.3
RATE, DECAY = 3e-3, 0.02
SHAPES = ((64, 158),)
"""Sequences and steps of a batch: folk-rnn's 64, and with it about 10,000 numbers, as the lesson makes them."""
PEERS = ("this library", "PyTorch")


def batch(sequences: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """int32 (sequences, steps) each: what is given, and the same a step later. No padding."""
    numbers = np.random.default_rng(0).integers(3, SYMBOLS, (sequences, steps + 1), dtype=np.int32)
    return numbers[:, :-1], numbers[:, 1:]


def first_weights() -> list[np.ndarray]:
    """Small weights to begin with, in Keras' order: of each layer input, state and bias, then the softmax's."""
    rng = np.random.default_rng(0)
    gates = 4 * UNITS
    shapes = [(SYMBOLS, gates), (UNITS, gates), (gates,), (UNITS, gates), (UNITS, gates), (gates,)]
    return [rng.uniform(-0.05, 0.05, shape).astype(np.float32) for shape in [*shapes, (UNITS, SYMBOLS), (SYMBOLS,)]]


@cache
def trainer(peer: str, dropout: float = DROPOUT) -> Callable[[np.ndarray, np.ndarray], float]:
    """A training step of the peer, from ``first_weights``. One peer a process: TensorFlow and PyTorch do not mix."""
    if peer == "PyTorch":
        from benchmarks.peers.torch_lstm import LanguageModel

        return LanguageModel(first_weights(), RATE, DECAY, dropout).step
    import keras

    from course_lib.architectures.losses import TokenCrossEntropy
    from course_lib.architectures.recurrent import RecurrentModel

    model = RecurrentModel(SYMBOLS, [keras.layers.LSTMCell(UNITS), keras.layers.LSTMCell(UNITS)], dropout)
    model.set_weights(first_weights())
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=DECAY, clipnorm=1.0)
    model.compile(optimizer, TokenCrossEntropy(), jit_compile=False)  # as the lesson does
    return lambda x, y: float(model.train_on_batch(x, y))


def losses(peer: str, shape: tuple[int, int], count: int) -> list[float]:
    """The loss before each of ``count`` steps on one batch, without dropout."""
    return [trainer(peer, dropout=0.0)(*batch(*shape)) for _ in range(count)]


def steps(peer: str, shape: tuple[int, int], count: int) -> float:
    """Seconds of a step, the median of ``count``; runs in the peer's own process."""
    x, y = batch(*shape)
    return median(seconds(lambda: trainer(peer)(x, y)) for _ in range(count))


def run(repeats: int = 7, shapes: tuple[tuple[int, int], ...] = SHAPES) -> Iterator[Row]:
    """repeats: turns of three steps. shapes: of the batches, (sequences, steps)."""
    present = [peer for peer in PEERS if peer != "PyTorch" or find_spec("torch")]
    with ExitStack() as stack:
        calls = {peer: stack.enter_context(own_process(without=SLOWING)) for peer in present}
        for shape in shapes:
            peers = {peer: partial(call, steps, peer, shape, 3) for peer, call in calls.items()}
            times = in_turn(peers, repeats)
            about = f"{shape[0]} × {shape[1]}"
            for peer, samples in times.items():
                yield Row(f"{peer}, a step of {about}", samples)
            if "PyTorch" in times:
                speed = ratios(times["PyTorch"], times["this library"])
                yield Row(f"speed of this library / PyTorch, {about}", speed, "×", at_least=0.7)
