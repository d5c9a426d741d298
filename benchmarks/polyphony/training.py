"""Training within a limit of time, chosen on the validation part, that goes on after an interrupt."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from course_lib.architectures.batches import padded_frames, with_transposition
from course_lib.music.encodings.frames import KEYS

SAVED_EVERY = 15.0  # seconds
SCORES = 40  # times in a training that the validation part is asked


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    rate: of AdamW, at its highest; it rises in ``warm`` steps and falls as half a cosine. decay: of the weights.
    epochs: at most. batch: sequences, or frames for a model without time. shift: semitones up and down by which
    sequences are transposed while it trains, and told so. window: longest part of a sequence in a batch, in frames.
    patience: validation scores without a better one before it stops.
    """

    rate: float
    epochs: int
    batch: int
    shift: int = 0
    window: int = 200
    decay: float = 0.0
    warm: int = 50
    patience: int = 12


class Frames:
    """Batches of single frames, without time: epoch → (batch, 88) each."""

    def __init__(self, sequences: Sequence[np.ndarray], plan: Plan, seed: int) -> None:
        self.frames, self.plan, self.seed = np.concatenate(sequences).astype(np.float32), plan, seed

    def __call__(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.frames))
        for start in range(0, len(order) - len(order) % self.plan.batch or 1, self.plan.batch):
            yield self.frames[order[start : start + self.plan.batch]], None


class Windows:
    """Batches of sequences of about one length, transposed at random: epoch → (frames, weights) each.

    Sequences longer than ``plan.window`` are cut at random places. A part that does not begin a sequence has
    ``before`` frames of the part before it in front, with weight 0: they are heard, not asked for.
    keys: (lowest, highest) within which transposed notes stay.
    """

    before = 24

    def __init__(self, sequences: Sequence[np.ndarray], plan: Plan, seed: int, keys: tuple[int, int]) -> None:
        self.sequences, self.plan, self.seed, self.keys = sequences, plan, seed, keys
        sounding = [np.flatnonzero(s.any(0)) for s in sequences]
        self.room = [
            (max(-plan.shift, keys[0] - on[0]), min(plan.shift, keys[1] - on[-1])) if len(on) else (0, 0)
            for on in sounding
        ]

    def __call__(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng((self.seed, epoch))
        parts: list[tuple[int, int, int, int]] = []  # sequence, first frame, end, semitones
        for i, (s, (down, up)) in enumerate(zip(self.sequences, self.room, strict=True)):
            semitones = int(rng.integers(down, up + 1)) if down <= up else 0
            cuts = [0, len(s)]
            if len(s) > self.plan.window:
                first = int(rng.integers(self.plan.window // 2, self.plan.window + 1))
                cuts = [0, *range(first, len(s), self.plan.window), len(s)]
            parts += [(i, start, end, semitones) for start, end in zip(cuts[:-1], cuts[1:], strict=True)]
        lengths = np.array([end - start for _, start, end, _ in parts])
        order = np.argsort(lengths * rng.uniform(0.8, 1.25, len(lengths)))
        batches = [order[start : start + self.plan.batch] for start in range(0, len(order), self.plan.batch)]
        for b in rng.permutation(len(batches)):
            chosen = [parts[p] for p in batches[b]]
            heard = [min(start, self.before) for _, start, _, _ in chosen]
            x = padded_frames(
                [
                    with_transposition(self.sequences[i][start - h : end], self.plan.shift, n)
                    for (i, start, end, n), h in zip(chosen, heard, strict=True)
                ]
            )
            weights = (np.arange(x.shape[1]) >= np.array(heard)[:, None]).astype(np.float32)
            yield x, weights


def by_length(sequences: Sequence[np.ndarray], frames: int) -> Iterator[list[int]]:
    """Indices of sequences of about one length, for batches of at most ``frames`` frames, or of one sequence."""
    batch: list[int] = []
    for i in np.argsort([len(s) for s in sequences], kind="stable").tolist():
        if batch and (len(batch) + 1) * len(sequences[i]) > frames:
            yield batch
            batch = []
        batch.append(i)
    yield batch


class Clock:
    """Seconds of the wall's clock and of the processor, those before an interrupt included.

    kind: by which of the two a limit is kept, "wall" or "cpu"."""

    def __init__(self, kind: str = "wall", wall: float = 0.0, cpu: float = 0.0) -> None:
        self.kind, self.start = kind, (time.perf_counter() - wall, time.process_time() - cpu)

    @property
    def wall(self) -> float:
        return time.perf_counter() - self.start[0]

    @property
    def cpu(self) -> float:
        return time.process_time() - self.start[1]

    @property
    def used(self) -> float:
        return self.cpu if self.kind == "cpu" else self.wall


def _write(path: Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part.npz")
    np.savez(beside, **arrays)
    os.replace(beside, path)


def train(
    model: keras.Model,
    batches: Callable[[int], Iterator[tuple[np.ndarray, np.ndarray | None]]],
    score: Callable[[], float],
    plan: Plan,
    path: Path,
    limit: float,
    seed: int,
    clock: str = "wall",
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, object]:
    """Train a model and leave its best weights in it and in ``path``; a training that ended is read from there.

    score: the smaller, the better; of the validation part. limit: seconds of ``clock``, scoring included.
    Returns what is known about the training: seconds, cpu, epochs, steps, score, ended. On KeyboardInterrupt the
    state is written and the interrupt goes on; so it is every 15 s.
    """
    keras.utils.set_random_seed(seed)
    first, weights = next(iter(batches(0)))
    model(keras.tree.map_structure(lambda part: part[:2], first))  # builds it
    optimizer = keras.optimizers.AdamW(plan.rate, weight_decay=plan.decay, global_clipnorm=1.0)
    model.compile(optimizer, jit_compile=False)
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    facts: dict[str, object] = {"epoch": 0, "batch": 0, "scores": [], "wall": 0.0, "cpu": 0.0, "ended": ""}
    best = model.get_weights()
    if path.exists():
        with np.load(path) as file:
            facts = json.loads(str(file["facts"]))
            best = [file[f"b{i}"] for i in range(len(best))]
            if not facts["ended"]:
                for i, variable in enumerate(variables):
                    variable.assign(file[f"v{i}"])
                say(f"going on after {facts['wall']:.0f} s, in epoch {facts['epoch'] + 1}")
    time_used = Clock(clock, facts["wall"], facts["cpu"])
    saved = time.monotonic()

    def save() -> None:
        facts.update(wall=time_used.wall, cpu=time_used.cpu)
        arrays = {f"b{i}": value for i, value in enumerate(best)}
        if not facts["ended"]:
            arrays |= {f"v{i}": np.asarray(variable) for i, variable in enumerate(variables)}
        _write(path, facts=np.array(json.dumps(facts)), **arrays)

    def ask(done: float) -> None:
        nonlocal best
        value = float(score())
        if value <= min((s for _, s in facts["scores"]), default=np.inf):
            best = model.get_weights()
        facts["scores"].append((round(done, 4), value))
        low = min(s for _, s in facts["scores"])
        say(f"epoch {facts['epoch'] + 1}, {time_used.wall:.0f} s: valid −{value:.3f}, best −{low:.3f}")

    try:
        while not facts["ended"]:
            total = max(facts.get("batches", 0), 1)
            for number, (x, weights) in enumerate(batches(facts["epoch"])):
                if number < facts["batch"]:
                    continue
                share = (facts["epoch"] + number / total) / plan.epochs if "batches" in facts else 0.0
                done = max(time_used.used / limit, share)
                if done >= 1:
                    facts["ended"] = "time"
                    break
                steps = int(optimizer.iterations)
                optimizer.learning_rate = (
                    plan.rate * min(1, (steps + 1) / plan.warm) * (np.cos(np.pi * done) + 1.01) / 2.01
                )
                if not np.isfinite(float(model.train_on_batch(x, sample_weight=weights))):
                    raise FloatingPointError(f"the loss is no number after {steps} steps of {path.stem}.")
                facts["batch"] = number + 1
                if done * SCORES >= (facts["scores"][-1][0] * SCORES + 1 if facts["scores"] else 0.5):
                    ask(done)
                    values = [s for _, s in facts["scores"]]
                    if len(values) - 1 - int(np.argmin(values)) >= plan.patience:
                        facts["ended"] = "no better on the validation part"
                        break
                if time.monotonic() - saved >= SAVED_EVERY:
                    save()
                    saved = time.monotonic()
            else:
                facts.update(epoch=facts["epoch"] + 1, batches=facts["batch"], batch=0)
                if facts["epoch"] >= plan.epochs:
                    facts["ended"] = "epochs"
            if facts["ended"]:
                ask(1.0)
                facts["steps"] = int(optimizer.iterations)
                save()
    except KeyboardInterrupt:
        save()
        raise
    model.set_weights(best)
    return {
        "seconds": round(facts["wall"], 1),
        "cpu seconds": round(facts["cpu"], 1),
        "epochs": facts["epoch"],
        "steps": facts["steps"],
        "ended by": facts["ended"],
        "validation scores": facts["scores"],
    }


def everything() -> tuple[int, int]:
    """All keys."""
    return 0, KEYS - 1
