"""The machines of the table, RBM and RNN-RBM: trained by chains that an exact network helps to jump, and measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import layers, ops

from benchmarks.polyphony.networks import (
    AT_ONCE,
    CHOOSING,
    Likelihood,
    Measured,
    Past,
    Run,
    Trained,
    few,
    frame_nats,
    nade_of,
    over_time,
    past,
    rnn,
)
from benchmarks.polyphony.training import Clock, Plan, train
from course_lib.architectures.boltzmann import RBM
from course_lib.architectures.nade import NoteByNote
from course_lib.architectures.over_time import RNNNADE, RNNRBM, Estimated, OverTime, estimated_nats
from course_lib.architectures.partition import Estimate, annealed_importance
from course_lib.music.baselines.frames import NoteUnigram
from course_lib.music.encodings.frames import KEYS

NEVER = 10**6
MEASURED = 6_000  # frames whose Z is estimated, at most
CHAINS = 5_000  # whose ends stand for what an RBM draws


def odds(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """(88,): log odds of each key."""
    p = NoteUnigram(sequences).p
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

    Each frame has a chain of its own; ``shared``: all batches have the same ones, for a machine without time.
    """

    def __init__(
        self,
        v: np.ndarray,
        proposed: np.ndarray,
        nats: np.ndarray,
        h: np.ndarray,
        plan: Plan,
        seed: int,
        shared: bool = False,
    ) -> None:
        self.v, self.proposed, self.nats, self.h, self.plan, self.seed = v, proposed, nats, h, plan, seed
        self.shared = shared

    def __call__(self, epoch: int) -> Iterator[tuple[tuple, None]]:
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.v)).astype(np.int32)
        for start in range(0, len(order) - len(order) % self.plan.batch or 1, self.plan.batch):
            at = order[start : start + self.plan.batch]
            which = rng.integers(0, self.proposed.shape[1], len(at))
            chain = np.arange(len(at), dtype=np.int32) if self.shared else at
            h = self.h[at].astype(np.float32)
            yield (chain, self.v[at], self.proposed[at, which], self.nats[at, which], h), None


def each(frames: int) -> int:
    """How many frames a teacher draws for each of so many."""
    return min(12, max(2, 500_000 // frames))


def from_teacher(teacher: Likelihood, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames drawn from a network without time, bool (count, 88), and −log q of each."""
    parts = [teacher.frames.sample(min(AT_ONCE, count - s), seed=(seed, s)) for s in range(0, count, AT_ONCE)]
    drawn = np.concatenate(parts)
    return drawn, frame_nats(teacher, [drawn])


def timeless(frames: layers.Layer) -> OverTime:
    """A model of frames whose biases no past moves."""
    return OverTime(layers.Identity(), frames, (0, 0))


def bridged(drawn: np.ndarray, chained: np.ndarray) -> float:
    """log Z, from log p̃/q of frames drawn from q, and of frames of p's chains, where p = p̃/Z.

    Importance sampling knows only of what q draws; where p has frames that q seldom draws, Z comes out too small.
    This bridge counts them. Source: Meng & Wong, Statistica Sinica 6 (1996).
    """
    share = len(chained) / (len(chained) + len(drawn))

    def mean(log_x: np.ndarray) -> float:
        return float(np.logaddexp.reduce(log_x) - np.log(len(log_x)))

    log_z = mean(drawn)
    for _ in range(100):
        over = [np.logaddexp(np.log(share) + ratio, np.log1p(-share) + log_z) for ratio in (drawn, chained)]
        log_z = mean(drawn - over[0]) - mean(-over[1])
    return log_z


def said(mean: float, z: Estimate) -> str:
    """What an estimate of log Z says of the likelihood, if F is ``mean``."""
    return " … ".join(f"{-mean - log_z:.2f}" for log_z in (z.high, z.low)).replace("-", "−")


def train_rbm(run: Run) -> Trained:
    """RBM on single frames, taught by a NADE that is trained first; log Z by a bridge between the two, or by AIS."""
    path = run.path.with_name(f"{run.path.stem}-teacher.npz")
    taught_by, teacher = nade_of(run, path, run.limit * 0.2)
    v, clock = np.concatenate(run.data.train), Clock()
    count = len(v) * each(len(v))
    drawn, nats = from_teacher(teacher, count, run.seed)
    taught_by = with_teacher(taught_by, {"seconds": clock.wall, "cpu seconds": clock.cpu})
    model, base = RBM(KEYS, 200, k=1, seed=run.seed), odds(run.data.train)
    model.b.assign(base)
    plan = Plan(rate=5e-3, epochs=3000, batch=100, decay=1e-2, patience=NEVER)
    proposed = drawn.reshape(len(v), -1, KEYS), nats.reshape(len(v), -1)
    batches = Lessons(v, *proposed, np.empty((len(v), 0)), plan, run.seed, shared=True)
    chosen = few(run.data.valid, CHOOSING)

    def energy(sequences: Sequence[np.ndarray]) -> np.ndarray:
        v = np.concatenate(sequences).astype(np.float32)
        return np.concatenate([np.asarray(model(v[s : s + AT_ONCE]), np.float64) for s in range(0, len(v), AT_ONCE)])

    def score() -> float:
        """log Z by importance sampling: quick, and good enough to choose by."""
        log_w = nats[:50_000] - energy([drawn[:50_000]])
        return energy(chosen).mean() + np.logaddexp.reduce(log_w) - np.log(len(log_w))

    taught, limit = Taught(timeless(model), timeless(teacher.frames), v[: plan.batch]), run.limit * 0.75
    facts = train(taught, batches, score, plan, run.path, limit, run.seed, run.clock, run.say)

    def measure(part: Sequence[np.ndarray]) -> Measured:
        chains = drawn[:CHAINS].astype(np.float32)
        for turn in range(100):
            at = (turn * CHAINS + np.arange(len(chains))) % count
            chains = model.gibbs(chains, 5)
            chains = np.asarray(model.jump(chains, teacher.frames(chains), drawn[at].astype(np.float32), nats[at]))
        new, new_nats = from_teacher(teacher, 50_000, run.seed + 1)
        drawn_ratio, chained_ratio = new_nats - energy([new]), frame_nats(teacher, [chains]) - energy([chains])
        groups = [bridged(drawn_ratio[i::20], chained_ratio[i::20]) for i in range(20)]
        z, error = bridged(drawn_ratio, chained_ratio), 1.96 * np.std(groups, ddof=1) / np.sqrt(20)
        bridge, ais = Estimate(z, z - error, z + error), annealed_importance(*model.parts, base, 500, 10_000, seed=1)
        # Whatever part of Z an estimate does not find flatters the model: AIS counts where it surely finds more.
        found, mean = ais if ais.low > bridge.high else bridge, energy(part).mean()
        how = f"AIS; a bridge to its NADE says {said(mean, bridge)}"
        if found is bridge:
            how = f"a bridge to its NADE; AIS, 500 runs of 10,000 steps, says {said(mean, ais)}"
        remark = f"log Z by {how}"
        return Measured(mean + found.value, (mean + found.low, mean + found.high), remark)

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
    plan = Plan(rate=3e-3, epochs=300, batch=200, decay=1e-3, patience=NEVER)
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
