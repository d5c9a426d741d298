"""The networks of the table: how each is built, trained and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from benchmarks.polyphony.training import Clock, Frames, Plan, Windows, by_length, everything, train
from course_lib.architectures.boltzmann import RBM, RNNRBM, annealed_importance
from course_lib.architectures.nade import NADE, RNNNADE, Independent, NoteByNote, OverTime
from course_lib.architectures.over_time import Estimated, estimated_nats, told
from course_lib.architectures.over_time import filled_up as filled
from course_lib.music.polyphony import KEYS, PolyphonySet

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

    data: PolyphonySet
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
        h = listener.predict_on_batch(filled([told(sequences[i], plan.shift) for i in part]))
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


def odds(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """(88,): log odds of each key."""
    p = (np.concatenate(sequences).sum(0) + 0.5) / (sum(map(len, sequences)) + 1)
    return np.log(p / (1 - p))


class Taught(keras.Model):
    """Trains an RBM, or that of an RNN-RBM whose RNN stands, by chains that a teacher helps to jump.

    F(v) − F(v′) as in contrastive divergence, with persistent chains: k Gibbs steps, perhaps a jump to a frame drawn
    from the teacher, and k Gibbs steps again. Each of these steps leaves the RBM's own distribution unchanged; the
    jumps bring the chain to where it would not come in time.

    student: the RNN-RBM. master: the RNN-NADE with the same RNN. frames: bool (chains, 88), where the chains begin.
    """

    def __init__(self, student: OverTime, master: OverTime, frames: np.ndarray) -> None:
        super().__init__()
        self.student, self.master = student, master
        self.chains = self.add_weight(frames.shape, "zeros", "int8", trainable=False, name="chains")
        self.chains.assign(frames.astype(np.int8))
        master.trainable = False  # and with it the RNN of both

    def call(self, x: tuple, training: bool | None = None) -> object:
        at, v, proposed, nats, h = x
        v, proposed = ops.cast(v, "float32"), ops.cast(proposed, "float32")
        rbm = self.student.frames
        moved = self.student.moved(self.student.dropout(h, training=training))
        end = ops.cast(ops.take(self.chains, at, axis=0), "float32")
        end = rbm.gibbs(end, rbm.k, *moved)
        end = rbm.jump(end, self.master.frames(end, *self.master.moved(h)), proposed, nats, *moved)
        end = ops.stop_gradient(rbm.gibbs(end, rbm.k, *moved))
        if training:
            self.chains.assign(ops.scatter_update(self.chains, at[:, None], ops.cast(end, "int8")))
        return rbm(v, *moved) - rbm(end, *moved)

    def compute_loss(self, x: object, y: object, y_pred: object, sample_weight: object = None, **_: object) -> object:
        return ops.mean(y_pred)


class Lessons:
    """Batches for ``Taught``: number of each chain, a frame, one of the teacher's for it, −log q of that, and h.

    Each frame has a chain of its own; without time (``chains``) frames are as good as each other, and share so many.
    """

    def __init__(
        self,
        v: np.ndarray,
        proposed: np.ndarray,
        nats: np.ndarray,
        h: np.ndarray,
        plan: Plan,
        seed: int,
        chains: int = 0,
    ) -> None:
        self.v, self.proposed, self.nats, self.h, self.plan, self.seed = v, proposed, nats, h, plan, seed
        self.chains = chains

    def __call__(self, epoch: int) -> Iterator[tuple[tuple, None]]:
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.v)).astype(np.int32)
        for start in range(0, len(order) - len(order) % self.plan.batch or 1, self.plan.batch):
            at = order[start : start + self.plan.batch]
            which = rng.integers(0, self.proposed.shape[1], len(at))
            chain = np.arange(len(at), dtype=np.int32) if self.chains else at
            h = self.h[at].astype(np.float32)
            yield (chain, self.v[at], self.proposed[at, which], self.nats[at, which], h), None


def each(frames: int) -> int:
    """How many frames a teacher draws for each of so many."""
    return min(12, max(2, 500_000 // frames))


def timeless(frames: layers.Layer) -> OverTime:
    """A model of frames whose biases no past moves."""
    return OverTime(layers.Identity(), frames, (0, 0))


def train_rbm(run: Run) -> Trained:
    """RBM on single frames, taught by a NADE that is trained first; log Z by annealed importance sampling."""
    path = run.path.with_name(f"{run.path.stem}-teacher.npz")
    taught_by, teacher = nade_of(run, path, run.limit * 0.2)
    v, clock = np.concatenate(run.data.train), Clock()
    shape = (len(v), each(len(v)))
    drawn = np.concatenate(
        [teacher.frames.sample(AT_ONCE, seed=(run.seed, s)) for s in range(0, np.prod(shape), AT_ONCE)]
    )
    nats = frame_nats(teacher, [drawn])
    taught_by = with_teacher(taught_by, {"seconds": clock.wall, "cpu seconds": clock.cpu})
    model, base = RBM(KEYS, 200, k=1, seed=run.seed), odds(run.data.train)
    model.b.assign(base)
    plan = Plan(rate=5e-3, epochs=3000, batch=100, decay=1e-2, patience=SCORES_NEVER)
    proposed = drawn[: np.prod(shape)].reshape(*shape, KEYS), nats[: np.prod(shape)].reshape(shape)
    batches = Lessons(v, *proposed, np.empty((len(v), 0)), plan, run.seed, chains=plan.batch)
    bank, bank_nats = drawn[:50_000], nats[:50_000]
    chosen = few(run.data.valid, CHOOSING)

    def energy(sequences: Sequence[np.ndarray]) -> np.ndarray:
        v = np.concatenate(sequences).astype(np.float32)
        return np.concatenate([np.asarray(model(v[s : s + AT_ONCE]), np.float64) for s in range(0, len(v), AT_ONCE)])

    def by_teacher() -> tuple[float, float]:
        """log Z by importance sampling, the teacher's frames being near the RBM's own, and its standard error."""
        log_w = bank_nats - energy([bank])
        top = log_w.max()
        weights = np.exp(log_w - top)
        return top + np.log(weights.mean()), weights.std() / weights.mean() / np.sqrt(len(weights))

    taught = Taught(timeless(model), timeless(teacher.frames), v[: plan.batch])
    facts = train(
        taught,
        batches,
        lambda: energy(chosen).mean() + by_teacher()[0],
        plan,
        run.path,
        run.limit * 0.75,
        run.seed,
        run.clock,
        run.say,
    )

    def measure(part: Sequence[np.ndarray]) -> Measured:
        mean, z = energy(part).mean(), annealed_importance(*model.parts, base, runs=500, steps=10_000, seed=1)
        other, error = by_teacher()
        remark = (
            f"log Z by AIS, 500 runs of 10,000 steps; by its NADE's frames {-mean - other:.2f} ± {1.96 * error:.2f}"
        )
        return Measured(mean + z.value, (mean + z.low, mean + z.high), remark.replace("-", "−"))

    facts, remark = with_teacher(facts, taught_by), "its chains' jumps: NADE"
    return Trained(measure, sum(int(np.prod(part.shape)) for part in model.parts), facts, remark)


def with_teacher(facts: dict[str, object], teacher: dict[str, object]) -> dict[str, object]:
    """Training facts in which the teacher's seconds count, too."""
    both = {name: round(facts[name] + teacher[name], 1) for name in ("seconds", "cpu seconds")}
    return facts | both | {"of these for the teacher": teacher["seconds"]}


def proposals(
    listener: Past, sequences: Sequence[np.ndarray], plan: Plan, many: int, seed: int, asked: np.ndarray | None = None
) -> tuple:
    """For all frames in their order: frames drawn (frames, many, 88), −log q (frames, many), h.

    asked: sorted numbers of the frames that are wanted, counted through all sequences.
    """
    model, first = listener.model, np.cumsum([0, *map(len, sequences)])
    asked = np.arange(first[-1]) if asked is None else asked
    drawn, nats, known = ([np.empty(0)] * len(sequences) for _ in range(3))
    for i, h in past(listener, sequences, plan):
        h = h[asked[(first[i] <= asked) & (asked < first[i + 1])] - first[i]]
        if not len(h):
            continue
        moved = [np.repeat(np.asarray(part), many, axis=0) for part in model.moved(h)]
        made, cost = [], []
        for s in range(0, len(moved[0]), AT_ONCE):
            some = [part[s : s + AT_ONCE] for part in moved]
            made.append(model.frames.sample(len(some[0]), *some, seed=(seed, i, s)))
            cost.append(np.asarray(model.frames(made[-1].astype(np.float32), *some)))
        drawn[i] = np.concatenate(made).reshape(len(h), many, KEYS)
        nats[i] = np.concatenate(cost).reshape(len(h), many)
        known[i] = h.astype(np.float16)
    return tuple(np.concatenate([part for part in parts if len(part)]) for parts in (drawn, nats, known))


def train_rnn_rbm(run: Run) -> Trained:
    """LSTM and RBM. The LSTM is that of an RNN that reads out note by note, trained first; its readout proposes jumps.

    The LSTM and what it hears of the training part then stand, so that an RBM's training step costs no LSTM.
    """
    keras.utils.set_random_seed(run.seed)
    teach = Plan(rate=3e-3, epochs=600, batch=16, shift=3)
    master = RNNNADE(rnn(256, 0.2), NoteByNote(KEYS, 256, "relu"), 0.4)
    path = run.path.with_name(f"{run.path.stem}-teacher.npz")
    taught_by = over_time(master, teach, run._replace(path=path, limit=run.limit * 0.6)).facts
    listener = Past(master)
    frames = np.concatenate(run.data.train)
    clock = Clock()
    proposed, nats, h = proposals(listener, run.data.train, teach, each(len(frames)), run.seed)
    taught_by = with_teacher(taught_by, {"seconds": clock.wall, "cpu seconds": clock.cpu})
    model = RNNRBM(master.rnn, RBM(KEYS, 256, k=1, seed=run.seed), 0.5)
    base = odds(run.data.train)
    model.frames.b.assign(base)
    plan = Plan(rate=3e-3, epochs=300, batch=200, decay=1e-3, patience=SCORES_NEVER)
    batches = Lessons(frames, proposed, nats, h, plan, run.seed)

    def estimated(v: np.ndarray, drawn: np.ndarray, h: np.ndarray, runs: int, steps: int, seed: int) -> Estimated:
        """Each frame's annealing begins where the teacher's draws for it say."""
        p = (drawn.sum(1) + 2 / (1 + np.exp(-base))) / (drawn.shape[1] + 2)
        return estimated_nats(model, v.astype(np.float32), h.astype(np.float32), np.log(p / (1 - p)), runs, steps, seed)

    few_valid = few(run.data.valid, CHOOSING)
    asked = np.sort(np.random.default_rng(0).permutation(sum(map(len, few_valid)))[:400])
    v_few = np.concatenate(few_valid)[asked]
    drawn_few, _, h_few = proposals(listener, few_valid, teach, 12, 1, asked)

    def score() -> float:
        return float(estimated(v_few, drawn_few, h_few, 2, 200, 0).nats.mean())

    taught, limit = Taught(model, master, frames), run.limit * 0.33
    facts = train(taught, batches, score, plan, run.path, limit, run.seed, run.clock, run.say)

    def measure(part: Sequence[np.ndarray]) -> Measured:
        v = np.concatenate(part)
        at = np.sort(np.random.default_rng(1).permutation(len(v))[:MEASURED])
        drawn, _, h = proposals(listener, part, teach, 12, 2, at)
        found = estimated(v[at], drawn, h, 4, 4000, 3)
        value, low = found.nats.mean(), found.low
        error = 1.96 * np.sqrt(2 * low.sum()) / len(at)  # low: half of the variance
        remark = f"log Z_t by AIS, 4 runs of 4,000 steps for each of {len(at):,} frames"
        if len(at) < len(v):
            error = 1.96 * np.sqrt(found.nats.var() / len(at))
            remark += f" drawn from {len(v):,}"
        # The mean of log Z is too low by about ``low``: the interval reaches as far as twice that.
        return Measured(value, (value - error, value + error + 2 * low.mean()), remark)

    weights = {id(weight): weight for weight in [*model.rnn.weights, *model.frames.weights, *taught.trainable_weights]}
    parameters = sum(int(np.prod(weight.shape)) for weight in weights.values() if weight.dtype == "float32")
    return Trained(measure, parameters, with_teacher(facts, taught_by), "its RNN and its chains' jumps: note by note")


SCORES_NEVER = 10**6
MEASURED = 6_000  # frames whose Z is estimated, at most
