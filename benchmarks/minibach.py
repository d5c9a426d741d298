"""MiniBach's training epoch: this library, plain NumPy, and PyTorch where it is installed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from statistics import median

import numpy as np

from benchmarks._measure import SLOWING, Row, in_turn, own_process, ratios
from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES, OneHot

QUICK = {"repeats": 3}
BATCH = 32
PEERS = ("this library", "NumPy", "PyTorch")


@cache
def data(every: int) -> tuple[np.ndarray, np.ndarray]:
    """The lesson's training windows, every n-th of them: float32 (windows, 1344) and (windows, 4480)."""
    low, high = np.array(MINIBACH_RANGES).T
    pieces = [w for w in windows(chorales().train) if ((w.pitch >= low) & (w.pitch <= high)).all()][::every]
    encoding = OneHot()
    both = np.stack([encoding.encode(piece) for piece in pieces])
    soprano, lower = np.split(both, encoding.sizes[:1], axis=-1)
    return soprano.reshape(len(both), -1), lower.reshape(len(both), -1)


def first_weights() -> list[np.ndarray]:
    """Weights to begin with, Glorot's: the same for all."""
    rng = np.random.default_rng(0)
    bound = np.sqrt(6 / (1344 + 200)), np.sqrt(6 / (200 + 4480))
    w1, w2 = rng.uniform(-bound[0], bound[0], (1344, 200)), rng.uniform(-bound[1], bound[1], (200, 4480))
    return [np.asarray(w, np.float32) for w in (w1, np.zeros(200), w2, np.zeros(4480))]


def compiled() -> object:
    """MiniBach as the lesson compiles it, with ``first_weights``."""
    import keras

    from course_lib.architectures.feedforward import minibach

    model = minibach()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss, jit_compile=True, steps_per_execution=32)
    model.set_weights(first_weights())
    return model


@cache
def trainer(peer: str, every: int) -> Callable[[int], list[float]]:
    """Trains for a number of epochs and gives the seconds of each. It goes on where it stopped."""
    x, y = data(every)
    if peer == "this library":
        from course_lib.training import fit

        model = compiled()

        def train(epochs: int) -> list[float]:
            times = [time.perf_counter()]
            fit(model, x, y, epochs=epochs, batch_size=BATCH, watch=lambda *_: times.append(time.perf_counter()))
            return np.diff(times).tolist()

        return train
    if peer == "NumPy":
        from benchmarks.peers.numpy_minibach import Minibach
    else:
        from benchmarks.peers.torch_minibach import Minibach
    network, rng = Minibach(first_weights()), np.random.default_rng(0)

    def train(epochs: int) -> list[float]:
        times = [time.perf_counter()]
        for _ in range(epochs):
            network.epoch(x, y, BATCH, rng)
            times.append(time.perf_counter())
        return np.diff(times).tolist()

    return train


def epochs(peer: str, every: int, count: int) -> list[float]:
    """Seconds of each of ``count`` epochs; runs in the peer's own process."""
    return trainer(peer, every)(count)


def run(repeats: int = 11, every: int = 1) -> Iterator[Row]:
    """repeats: turns of four epochs, of which the first, with what ``fit`` sets up, is not counted.

    every: train with every n-th window only.
    """
    present = [peer for peer in PEERS if peer != "PyTorch" or find_spec("torch")]
    with ExitStack() as stack:
        calls = {peer: stack.enter_context(own_process(without=SLOWING)) for peer in present}
        first = {peer: call(epochs, peer, every, 1)[0] for peer, call in calls.items()}
        peers = {
            peer: lambda peer=peer, call=call: median(call(epochs, peer, every, 4)[1:]) for peer, call in calls.items()
        }
        times = in_turn(peers, repeats)
    count = len(data(every)[0])
    about = f"an epoch of {count:,} windows, {-(-count // BATCH)} steps"
    for peer, samples in times.items():
        yield Row(peer, samples, note=about if peer == "this library" else "")
    ours = times["this library"]
    yield Row("this library, the first epoch", [first["this library"]], note="XLA compiles")
    for peer in present[1:]:
        yield Row(f"this library / {peer}", ratios(ours, times[peer]), "×", at_most=1.5 if peer == "NumPy" else None)
