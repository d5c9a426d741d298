"""Contrastive divergence beside NumPy and PyTorch, and the sparse NADE likelihood beside the dense one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from importlib.util import find_spec
from statistics import median

import numpy as np

from benchmarks._measure import SLOWING, Row, in_turn, own_process, ratios, seconds

QUICK = {"repeats": 3, "frames": 2_000}
KEYS, HIDDEN, BATCH, UNITS, AT_ONCE = 88, 150, 100, 256, 4_000
PEERS = ("this library", "NumPy", "PyTorch")


@cache
def data(frames: int) -> np.ndarray:
    """float32 (frames, 88): the first frames of the course's chorales, quarter by quarter."""
    from course_lib.music.datasets import chorale_frames

    return np.concatenate(chorale_frames().train)[:frames].astype(np.float32)


def first_weights() -> list[np.ndarray]:
    """W, b and c to begin with: the same for all."""
    w = np.random.default_rng(0).normal(0, 0.1, (KEYS, HIDDEN)).astype(np.float32)
    return [w, np.full(KEYS, -2, np.float32), np.zeros(HIDDEN, np.float32)]


@cache
def network(peer: str, k: int) -> object:
    """The peer's RBM with ``first_weights``. One peer a process: TensorFlow and PyTorch do not mix."""
    if peer == "this library":
        import keras

        from course_lib.architectures.boltzmann import RBM

        model = RBM(KEYS, HIDDEN, k)
        for weight, value in zip((model.w, model.b, model.c), first_weights(), strict=True):
            weight.assign(value)
        model.compile(keras.optimizers.SGD(0.01), jit_compile=True, steps_per_execution=20)
        return model
    if peer == "NumPy":
        from benchmarks.peers.numpy_rbm import RBM
    else:
        from benchmarks.peers.torch_rbm import RBM
    return RBM(first_weights(), k)


def train(peer: str, k: int, frames: int, epochs: int) -> list[float]:
    """Trains for a number of epochs and gives the seconds of each. It goes on where it stopped."""
    v, model = data(frames), network(peer, k)
    if peer != "this library":
        return [seconds(lambda: model.epoch(v, BATCH)) for _ in range(epochs)]
    import keras

    times = [time.perf_counter()]
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: times.append(time.perf_counter()))
    model.fit(v, epochs=epochs, batch_size=BATCH, callbacks=[watch], verbose=0)
    return np.diff(times).tolist()


def learnt(peer: str, k: int, frames: int, epochs: int) -> list[np.ndarray]:
    """W, b and c after so many epochs."""
    train(peer, k, frames, epochs)
    model = network(peer, k)
    detached = (part.detach() if peer == "PyTorch" else part for part in (model.w, model.b, model.c))
    return [np.array(np.asarray(part), np.float64) for part in detached]


def epoch(peer: str, k: int, frames: int, count: int = 4) -> float:
    """Seconds of an epoch, the median of all but the first, in which ``fit`` sets up; in the peer's own process."""
    return median(train(peer, k, frames, count)[1:])


@cache
def likelihood(form: str, frames: int) -> Callable[[], np.ndarray]:
    """−log p of so many frames under a NADE of 256 units, compiled, in batches as a whole part is measured."""
    import keras

    from course_lib.architectures.nade import NADE

    keras.utils.set_random_seed(0)
    model, v = NADE(KEYS, UNITS), data(frames)
    if form == "dense":
        model.call = model.dense
    model.compile(jit_compile=False)
    batches = np.split(v, range(AT_ONCE, len(v), AT_ONCE))
    return lambda: np.concatenate([model.predict_on_batch(batch) for batch in batches])


def nats(form: str, frames: int) -> np.ndarray:
    """What the form computes."""
    return likelihood(form, frames)()


def likelihoods(form: str, frames: int) -> float:
    """Seconds for all frames, the mean of three times in a row: a part of a public set has so many."""
    return seconds(lambda: [likelihood(form, frames)() for _ in range(3)]) / 3


def run(repeats: int = 11, frames: int = 10_000) -> Iterator[Row]:
    """repeats: turns of four epochs, of which the first is not counted. frames: of an epoch, in multiples of 2,000."""
    present = [peer for peer in PEERS if peer != "PyTorch" or find_spec("torch")]
    with ExitStack() as stack:
        calls = {peer: stack.enter_context(own_process(without=SLOWING)) for peer in present}
        for k in (10, 25):
            times = in_turn({peer: partial(call, epoch, peer, k, frames) for peer, call in calls.items()}, repeats)
            for peer, samples in times.items():
                yield Row(f"{peer}, CD-{k}", [frames / s for s in samples], "frames/s")
            for peer in present[1:]:
                speed = ratios(times[peer], times["this library"])
                at_least = 0.85 if peer == "NumPy" else 1.0
                yield Row(f"speed of this library / {peer}, CD-{k}", speed, "×", at_least=at_least)
    with own_process(without=SLOWING) as call:
        apart = np.abs(call(nats, "sparse", frames) - call(nats, "dense", frames)).max()
        forms = {form: partial(call, likelihoods, form, frames) for form in ("dense", "sparse")}
        times = in_turn(forms, repeats)
        for form, samples in times.items():
            yield Row(f"NADE, {form}", samples, note=f"{frames:,} frames of four notes, {AT_ONCE:,} at once")
        yield Row("dense / sparse", ratios(times["dense"], times["sparse"]), "×", at_least=5.0)
        yield Row("dense − sparse, at most", [float(apart)], "nats", at_most=1e-4)
