"""The networks of the table: how each is built, trained and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from benchmarks.polyphony.training import Frames, Plan, Windows, by_length, everything, train
from course_lib.architectures.batches import padded_frames, with_transposition
from course_lib.architectures.nade import NADE, Independent, NoteByNote
from course_lib.architectures.over_time import RNNNADE, OverTime
from course_lib.music.datasets import Split
from course_lib.music.encodings.frames import KEYS

CHOOSING = 12_000  # frames of the validation part that are asked while training
AT_ONCE = 4_000  # frames whose readout is computed at once


class Measured(NamedTuple):
    """Nats a frame of a part, pooled: the value, the interval where it was estimated, and a remark."""

    nats: float
    interval: tuple[float, float] | None = None
    remark: str = ""


class Likelihood(keras.Model):
    """Frames without time: trains a layer that gives −log p of each frame."""

    def __init__(self, frames: layers.Layer) -> None:
        super().__init__()
        self.frames = frames

    def call(self, v: object) -> object:
        return self.frames(v)

    def compute_loss(self, x: object, y: object, y_pred: object, sample_weight: object = None, **_: object) -> object:
        return ops.mean(y_pred)


class Run(NamedTuple):
    """What every training is given."""

    data: Split[np.ndarray]
    path: Path
    limit: float
    seed: int
    clock: str
    say: Callable[[str], None]


def few(sequences: Sequence[np.ndarray], frames: int, seed: int = 0) -> list[np.ndarray]:
    """Sequences drawn at random until they hold ``frames`` frames; the last one is cut."""
    kept, room = [], frames
    for i in np.random.default_rng(seed).permutation(len(sequences)):
        kept.append(sequences[i][:room])
        room -= len(kept[-1])
        if room <= 0:
            break
    return kept


class Past(keras.Model):
    """What the RNN of a model knows before each frame, compiled."""

    def __init__(self, model: OverTime) -> None:
        super().__init__()
        self.model = model

    def call(self, v: object) -> object:
        return self.model.past(v)


def past(listener: Past, sequences: Sequence[np.ndarray], plan: Plan) -> Iterator[tuple[int, np.ndarray]]:
    """Index of a sequence, and what the RNN knows before each of its frames, (steps, units)."""
    for part in by_length(sequences, 16_000):
        h = listener.predict_on_batch(padded_frames([with_transposition(sequences[i], plan.shift) for i in part]))
        for i, row in zip(part, h, strict=True):
            yield i, row[: len(sequences[i])]


def exact(listener: Past, sequences: Sequence[np.ndarray], plan: Plan) -> list[np.ndarray]:
    """−log p of every frame, (steps,) for each sequence."""
    model, result = listener.model, [np.empty(0)] * len(sequences)
    for i, h in past(listener, sequences, plan):
        pieces = [
            np.asarray(model.frames(sequences[i][s : s + AT_ONCE].astype(np.float32), *model.moved(h[s : s + AT_ONCE])))
            for s in range(0, len(h), AT_ONCE)
        ]
        result[i] = np.concatenate(pieces)
    return result


def pooled(nats: Sequence[np.ndarray]) -> float:
    """Mean over all frames of all sequences."""
    return float(np.concatenate(nats).astype(np.float64).mean())


class Trained(NamedTuple):
    """A trained network: how to measure a part with it, its parameters, and what is known about its training."""

    measure: Callable[[Sequence[np.ndarray]], Measured]
    parameters: int
    facts: dict[str, object]
    remark: str = ""


def rnn(units: int, dropout: float) -> keras.Model:
    """One LSTM; some of what it is told is dropped, so that it learns to do without."""
    return keras.Sequential([layers.Dropout(dropout), layers.LSTM(units, return_sequences=True)])


def over_time(model: OverTime, plan: Plan, run: Run, keys: tuple[int, int] | None = None) -> Trained:
    """Trains a composition whose likelihood is exact."""
    listener, chosen = Past(model), few(run.data.valid, CHOOSING)
    batches = Windows(run.data.train, plan, run.seed, keys or everything())

    def score() -> float:
        return pooled(exact(listener, chosen, plan))

    facts = train(model, batches, score, plan, run.path, run.limit, run.seed, run.clock, run.say)

    def measure(part: Sequence[np.ndarray]) -> Measured:
        nats = np.concatenate(exact(listener, part, plan))
        broken = int((~np.isfinite(nats)).sum())
        without = f"; without them {-nats[np.isfinite(nats)].mean():.2f}" if broken < len(nats) else ""
        remark = f"{broken} of {len(nats):,} frames are impossible to it{without}" if broken else ""
        return Measured(float(nats.astype(np.float64).mean()), None, remark)

    return Trained(measure, model.count_params(), facts)


def train_rnn(run: Run) -> Trained:
    """LSTM with independent keys."""
    keras.utils.set_random_seed(run.seed)
    plan = Plan(rate=3e-3, epochs=600, batch=16, shift=3)
    return over_time(OverTime(rnn(256, 0.2), Independent(KEYS), (KEYS, 0), 0.4), plan, run)


def train_rnn_nade(run: Run) -> Trained:
    """LSTM and NADE."""
    keras.utils.set_random_seed(run.seed)
    plan = Plan(rate=3e-3, epochs=600, batch=16, shift=3)
    return over_time(RNNNADE(rnn(256, 0.2), NADE(KEYS, 256, "relu"), 0.4), plan, run)


def train_rnn_notes(run: Run) -> Trained:
    """LSTM and a readout note by note, for any frame."""
    keras.utils.set_random_seed(run.seed)
    plan = Plan(rate=3e-3, epochs=600, batch=16, shift=3)
    return over_time(RNNNADE(rnn(256, 0.2), NoteByNote(KEYS, 256, "relu"), 0.4), plan, run)


def bounds(sequences: Sequence[np.ndarray]) -> tuple[int, tuple[int, int]]:
    """The most notes of a frame, and the lowest and highest key."""
    sounding = np.flatnonzero(np.any([s.any(0) for s in sequences], axis=0))
    return int(max(s.sum(1).max() for s in sequences)), (int(sounding[0]), int(sounding[-1]))


def train_rnn_notes_bounded(run: Run) -> Trained:
    """The same with two assumptions: no more notes at once than in training, and no key beyond those heard there."""
    keras.utils.set_random_seed(run.seed)
    plan = Plan(rate=3e-3, epochs=600, batch=16, shift=3)
    most, window = bounds(run.data.train)
    model = RNNNADE(rnn(256, 0.2), NoteByNote(KEYS, 256, "relu", most, window), 0.4)
    return over_time(model, plan, run, window)


def nade_of(run: Run, path: Path, limit: float) -> tuple[dict[str, object], Likelihood]:
    """A NADE trained on single frames, and the facts of its training."""
    keras.utils.set_random_seed(run.seed)
    plan = Plan(rate=3e-3, epochs=80, batch=100, decay=1e-2)
    model, chosen = Likelihood(NADE(KEYS, 200, "relu")), few(run.data.valid, CHOOSING)
    batches = Frames(run.data.train, plan, run.seed)
    facts = train(
        model, batches, lambda: frame_nats(model, chosen).mean(), plan, path, limit, run.seed, run.clock, run.say
    )
    return facts, model


def frame_nats(model: Likelihood, sequences: Sequence[np.ndarray]) -> np.ndarray:
    """−log p of all frames."""
    v = np.concatenate(sequences).astype(np.float32)
    return np.concatenate([np.asarray(model.frames(v[s : s + AT_ONCE])) for s in range(0, len(v), AT_ONCE)])


def train_nade(run: Run) -> Trained:
    """NADE on single frames."""
    facts, model = nade_of(run, run.path, run.limit)
    return Trained(
        lambda part: Measured(float(frame_nats(model, part).mean(dtype=np.float64))), model.count_params(), facts
    )
