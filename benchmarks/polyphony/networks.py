"""The networks of the table whose likelihood is exact: how each is built, trained and measured."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from course_lib.architectures.batches import FrameBatches
from course_lib.architectures.nade import NADE, Independent, UnitByUnit
from course_lib.architectures.over_time import OverTime, frame_nats
from course_lib.music.baselines.frames import mean_nats
from course_lib.music.datasets import Split
from course_lib.music.encodings.frames import KEYS, with_transposition
from course_lib.training import History, fit

CHOOSING = 12_000  # frames of the validation part that are asked while training
AT_ONCE = 4_000  # frames without time that are computed at once
LONGEST = 200  # frames of a sequence in training: longer ones are cut
SHIFT = 3  # semitones up and down by which sequences are transposed in training
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Measured(NamedTuple):
    """Nats a frame of a part, pooled: the value, the interval where it was estimated, and a remark."""

    nats: float
    interval: tuple[float, float] | None = None
    remark: str = ""


class Run(NamedTuple):
    """What every training is given. path: of the weights; limit: seconds of the clock, "wall" or "cpu"."""

    data: Split
    path: Path
    limit: float
    seed: int
    clock: str
    report: Callable[[str], None]


class Trained(NamedTuple):
    """A trained network: how to measure a part with it, its parameters, and facts of its training."""

    measure: Callable[[Sequence[np.ndarray]], Measured]
    parameters: int
    facts: dict[str, object]
    remark: str = ""


class Falling(keras.callbacks.Callback):
    """A learning rate that rises in 50 steps and falls as half a cosine, by the epochs or by the time that is left."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        done = min(1.0, max(self.progress.done / self.progress.epochs, self.progress.seconds / self.progress.limit))
        warm = min(1, (int(self.model.optimizer.iterations) + 1) / 50)
        self.model.optimizer.learning_rate = self.rate * warm * (np.cos(np.pi * done) + 1.01) / 2.01


class Score(keras.callbacks.Callback):
    """Adds ``val_loss`` to the logs: a score that is computed after each epoch."""

    def __init__(self, score: Callable[[], float]) -> None:
        super().__init__()
        self.score = score

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        logs["val_loss"] = float(self.score())


def train(
    model: keras.Model,
    batches: Any,  # noqa: ANN401 (whatever fit takes)
    run: Run,
    rate: float,
    epochs: int,
    decay: float = 0.0,
    score: Callable[[], float] | None = None,
    **how: Any,  # noqa: ANN401
) -> dict[str, object]:
    """Train a built model within ``run.limit``, and give the facts; one that was trained before is read from its file.

    score: what is minimised, when it is not the loss of validation_data. how: further arguments of ``fit``.
    """
    facts_of = run.path.with_suffix(".json")
    weights = run.path.with_suffix(".weights.h5")
    if facts_of.exists():
        model.load_weights(weights)
        return json.loads(facts_of.read_text(encoding="utf-8"))
    model.compile(keras.optimizers.AdamW(rate, weight_decay=decay, global_clipnorm=1.0), jit_compile=False)

    def watch(history: History, epoch: int, planned: int, left: float) -> None:
        values = history["val_loss"]
        run.report(f"epoch {epoch}: valid −{values[-1]:.3f}, best −{min(values):.3f}; {left:.0f} s left at most")

    trained = fit(
        model,
        batches,
        epochs=epochs,
        seed=run.seed,
        monitor="val_loss",
        watch=watch,
        limit=run.limit,
        clock=CLOCKS[run.clock],
        checkpoint=run.path,
        callbacks=[Falling(rate), *([Score(score)] if score else [])],
        **how,
    )
    scores = trained.history["val_loss"]
    facts = {
        "seconds": round(trained.seconds, 1),
        "epochs": len(scores),
        "steps": int(model.optimizer.iterations),
        "validation scores": [round(value, 4) for value in scores],
    }
    run.path.parent.mkdir(parents=True, exist_ok=True)
    model.save_weights(weights)
    beside = facts_of.with_name(f"{facts_of.name}.part")
    beside.write_text(json.dumps(facts), encoding="utf-8")
    os.replace(beside, facts_of)
    return facts


def few(sequences: Sequence[np.ndarray], frames: int, seed: int = 0) -> list[np.ndarray]:
    """Sequences drawn at random until they hold ``frames`` frames; the last one is cut."""
    kept, room = [], frames
    for i in np.random.default_rng(seed).permutation(len(sequences)):
        kept.append(sequences[i][:room])
        room -= len(kept[-1])
        if room <= 0:
            break
    return kept


def with_columns(sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Sequences (steps, 88) as a network that is trained with transposition takes them."""
    return [with_transposition(s, shift=SHIFT) for s in sequences]


def rnn(units: int, dropout: float) -> keras.Model:
    """One LSTM, with dropout of its input."""
    return keras.Sequential([layers.Dropout(dropout), layers.LSTM(units, return_sequences=True)])


def over_time(frames: keras.Model, run: Run) -> tuple[OverTime, dict[str, object]]:
    """An LSTM and a frame model whose likelihood is exact, trained, and the facts."""
    keras.utils.set_random_seed(run.seed)
    model = OverTime(rnn(256, 0.2), frames, 0.4)
    model.build((None, None, KEYS + 2 * SHIFT + 1))
    low, high = getattr(frames, "window", None) or (0, KEYS - 1)

    def transform(roll: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Transposed, within the keys that the model allows."""
        on = np.flatnonzero(roll.any(0))
        down, up = (max(-SHIFT, low - on[0]), min(SHIFT, high - on[-1])) if len(on) else (0, 0)
        return with_transposition(roll, int(random.integers(down, up + 1)), SHIFT)

    train_on = [part for s in run.data.train for part in np.array_split(s, -(-len(s) // LONGEST))]
    batches = FrameBatches(train_on, 16, transform, run.seed)
    valid = with_columns(few(run.data.valid, CHOOSING))
    # One batch holds all validation frames: their mean is the pooled one.
    facts = train(model, batches, run, 3e-3, 600, validation_data=FrameBatches(valid, len(valid)), patience=180)
    return model, facts


def train_over_time(run: Run, frames: Callable[[], keras.Model]) -> Trained:
    """An LSTM and a frame model."""
    model, facts = over_time(frames(), run)

    def measure(part: Sequence[np.ndarray]) -> Measured:
        nats = frame_nats(model, with_columns(part))
        one = np.concatenate(nats)
        broken = int((~np.isfinite(one)).sum())
        without = f"; without them {-one[np.isfinite(one)].mean():.2f}" if broken < len(one) else ""
        remark = f"{broken} of {len(one):,} frames are impossible to it{without}" if broken else ""
        return Measured(-mean_nats(nats), None, remark)

    return Trained(measure, model.count_params(), facts)


def bounds(sequences: Sequence[np.ndarray]) -> tuple[int, tuple[int, int]]:
    """The most notes of a frame, and the lowest and highest key."""
    sounding = np.flatnonzero(np.any([s.any(0) for s in sequences], axis=0))
    return int(max(s.sum(1).max() for s in sequences)), (int(sounding[0]), int(sounding[-1]))


def train_rnn_notes_bounded(run: Run) -> Trained:
    """Note by note with two assumptions: no more notes at once than in training, and no key beyond those of it."""
    return train_over_time(run, partial(UnitByUnit, KEYS, 256, "relu", *bounds(run.data.train)))


train_rnn = partial(train_over_time, frames=partial(Independent, KEYS))
train_rnn_nade = partial(train_over_time, frames=partial(NADE, KEYS, 256, "relu"))
train_rnn_notes = partial(train_over_time, frames=partial(UnitByUnit, KEYS, 256, "relu"))


def nats_of(model: keras.Model, sequences: Sequence[np.ndarray]) -> np.ndarray:
    """What a frame model gives for all frames, each by itself: −log p, or F."""
    v = np.concatenate(sequences).astype(np.float32)
    return np.concatenate([np.asarray(model(v[s : s + AT_ONCE]), np.float64) for s in range(0, len(v), AT_ONCE)])


def nade_of(run: Run) -> tuple[NADE, dict[str, object]]:
    """A NADE trained on single frames, and the facts of its training."""
    keras.utils.set_random_seed(run.seed)
    model, chosen = NADE(KEYS, 200, "relu"), few(run.data.valid, CHOOSING)
    x = np.concatenate(run.data.train).astype(np.float32)
    facts = train(model, x, run, 3e-3, 80, 1e-2, lambda: nats_of(model, chosen).mean(), batch_size=100, patience=24)
    return model, facts


def train_nade(run: Run) -> Trained:
    """NADE on single frames."""
    model, facts = nade_of(run)
    return Trained(lambda part: Measured(float(nats_of(model, part).mean())), model.count_params(), facts)
