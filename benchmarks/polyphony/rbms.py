"""The RBMs of the table, alone and over time: trained by chains that an exact network helps to jump, and measured."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from benchmarks.polyphony.networks import (
    AT_ONCE,
    CHOOSING,
    CLOCKS,
    SHIFT,
    Measured,
    Run,
    Trained,
    few,
    nade_of,
    nats_of,
    over_time,
    train,
    with_columns,
)
from course_lib.architectures.boltzmann import RBM
from course_lib.architectures.nade import NADE, UnitByUnit
from course_lib.architectures.over_time import Estimated, OverTime, estimated_nats, rnn_outputs
from course_lib.architectures.partition import Estimate, annealed_importance
from course_lib.architectures.tensors import Tensor
from course_lib.music.baselines.frames import NoteUnigram
from course_lib.music.encodings.frames import KEYS

STEPS = 1000  # after which an RBM is scored
MEASURED = 6_000  # frames whose Z is estimated, at most
CHAINS = 5_000  # whose ends stand for what an RBM draws


def odds(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """(88,): log odds of each key."""
    p = NoteUnigram(sequences).p
    return np.log(p / (1 - p))


def jump(
    rbm: RBM, v: Tensor, nats: Tensor, other: Tensor, other_nats: Tensor, shifts: tuple = (), seed: object = None
) -> Tensor:
    """A step of Metropolis & Hastings that may leave a mode at once, where Gibbs steps seldom would.

    v, other: (batch, D), where the chains are and what is proposed instead. nats, other_nats: (batch,), −log q of both,
    q being the exact distribution that ``other`` was sampled from, such as a NADE's. With the probability
    min(1, p(other) q(v) / p(v) q(other)) a chain goes there. Source: Hastings, Biometrika 57 (1970).
    """
    gain = rbm(v, *shifts) - rbm(other, *shifts) + other_nats - nats
    goes = ops.log(keras.random.uniform(ops.shape(gain), seed=rbm.seed_generator)) < gain
    return ops.where(goes[:, None], other, v)


class Taught(keras.Model):
    """Trains an RBM, or that of an RNN-RBM whose RNN stands, by chains that a teacher helps to jump.

    F(v) − F(v′) as in contrastive divergence, with persistent chains: k Gibbs steps, perhaps a jump to a frame sampled
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
        self.built = True

    def call(self, x: tuple, training: bool | None = None) -> Tensor:
        at, v, proposed, nats, u = x
        at, v, proposed = ops.cast(at, "int32"), ops.cast(v, "float32"), ops.cast(proposed, "float32")
        rbm = self.student.frames
        shifts = self.student.shifts(self.student.drop(u, training=training))
        end = ops.cast(ops.take(self.chains, at, axis=0), "float32")
        end = rbm.gibbs(end, rbm.k, *shifts)
        end = jump(rbm, end, self.master.frames(end, *self.master.shifts(u)), proposed, nats, shifts)
        end = ops.stop_gradient(rbm.gibbs(end, rbm.k, *shifts))
        if training:
            self.chains.assign(ops.scatter_update(self.chains, at[:, None], ops.cast(end, "int8")))
        return rbm(v, *shifts) - rbm(end, *shifts)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Tensor:  # noqa: ANN001
        return ops.mean(y_pred)


class TeacherBatches(keras.utils.PyDataset):
    """Batches for ``Taught``: number of each chain, a frame, one of the teacher's for it, −log q of that, and u.

    v: (frames, 88). proposed, nats: (frames, many, 88) and (frames, many). u: (frames, units).
    Each frame has a chain of its own; ``shared``: all batches have the same ones, for an RBM without time.
    An epoch is 1,000 steps; the next one goes on where it ended, until every frame was there.
    """

    def __init__(
        self,
        v: np.ndarray,
        proposed: np.ndarray,
        nats: np.ndarray,
        u: np.ndarray,
        batch: int,
        seed: int,
        shared: bool = False,
    ) -> None:
        super().__init__()
        self.v, self.proposed, self.nats, self.u, self.shared = v, proposed, nats, u, shared
        self.batch = min(batch, len(v))  # a small set has fewer frames than a batch
        self.random, self.order, self.shape = np.random.default_rng(seed), np.empty(0, np.int32), v.shape
        self.on_epoch_end()

    def __len__(self) -> int:
        return STEPS

    def on_epoch_end(self) -> None:
        """Draws frames and proposals for the next steps."""
        while len(self.order) < STEPS * self.batch:
            whole = len(self.v) - len(self.v) % self.batch  # so that no chain is in a batch twice
            self.order = np.concatenate([self.order, self.random.permutation(len(self.v))[:whole].astype(np.int32)])
        self.now, self.order = np.split(self.order, [STEPS * self.batch])
        self.which = self.random.integers(0, self.proposed.shape[1], len(self.now))

    def __getitem__(self, index: int) -> tuple[tuple, np.ndarray]:
        part = slice(index * self.batch, (index + 1) * self.batch)
        at, which = self.now[part], self.which[part]
        chain = np.arange(len(at), dtype=np.int32) if self.shared else at
        u = self.u[at].astype(np.float32)
        return (chain, self.v[at], self.proposed[at, which], self.nats[at, which], u), np.zeros(len(at), np.float32)


def each(frames: int) -> int:
    """How many frames a teacher draws for each of so many."""
    return min(12, max(2, 500_000 // frames))


def from_teacher(teacher: NADE, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames sampled from a network without time, bool (count, 88), and −log q of each."""
    parts = [teacher.sample(min(AT_ONCE, count - s), seed=(seed, s)) for s in range(0, count, AT_ONCE)]
    drawn = np.concatenate(parts)
    return drawn, nats_of(teacher, [drawn]).astype(np.float32)


def timeless(frames: keras.Model) -> OverTime:
    """A model of frames whose biases no past shifts."""
    model = OverTime(layers.Identity(), frames)
    model.to_visible = model.to_hidden = None
    return model


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


def interval(mean: float, z: Estimate) -> str:
    """The likelihood by an estimate of log Z, if F is ``mean``."""
    return " … ".join(f"{-mean - log_z:.2f}" for log_z in (z.high, z.low)).replace("-", "−")


def train_rbm(run: Run) -> Trained:
    """RBM on single frames, taught by a NADE that is trained first; log Z by a bridge between the two, or by AIS."""
    teacher, taught_by = nade_of(beside(run, 0.2))
    v, began = np.concatenate(run.data.train), CLOCKS[run.clock]()
    count = len(v) * each(len(v))
    drawn, nats = from_teacher(teacher, count, run.seed)
    taught_by |= {"seconds": taught_by["seconds"] + CLOCKS[run.clock]() - began}
    model, base = RBM(KEYS, 200, k=1, seed=run.seed), odds(run.data.train)
    model.b.assign(base)
    proposed = drawn.reshape(len(v), -1, KEYS), nats.reshape(len(v), -1)
    batches = TeacherBatches(v, *proposed, np.empty((len(v), 0)), 100, run.seed, shared=True)
    chosen = few(run.data.valid, CHOOSING)

    def score() -> float:
        """log Z by importance sampling: quick, and good enough to choose by."""
        log_w = nats[:50_000] - nats_of(model, [drawn[:50_000]])
        return nats_of(model, chosen).mean() + np.logaddexp.reduce(log_w) - np.log(len(log_w))

    taught = Taught(timeless(model), timeless(teacher), v[: batches.batch])
    epochs = -(-3000 * len(v) // (batches.batch * STEPS))
    facts = train(taught, batches, run._replace(limit=run.limit * 0.75), 5e-3, epochs, 1e-2, score)

    def measure(part: Sequence[np.ndarray]) -> Measured:
        chains = drawn[:CHAINS].astype(np.float32)
        for turn in range(100):
            at = (turn * CHAINS + np.arange(len(chains))) % count
            chains = model.gibbs(chains, 5)
            chains = np.asarray(jump(model, chains, teacher(chains), drawn[at].astype(np.float32), nats[at]))
        new, new_nats = from_teacher(teacher, 50_000, run.seed + 1)
        drawn_ratio, chained_ratio = (
            new_nats - nats_of(model, [new]),
            nats_of(teacher, [chains]) - nats_of(model, [chains]),
        )
        groups = [bridged(drawn_ratio[i::20], chained_ratio[i::20]) for i in range(20)]
        z, error = bridged(drawn_ratio, chained_ratio), 1.96 * np.std(groups, ddof=1) / np.sqrt(20)
        bridge, ais = Estimate(z, z - error, z + error), annealed_importance(*model.parts, base, 500, 10_000, seed=1)
        # Whatever part of Z an estimate does not find flatters the model: AIS counts where it surely finds more.
        found, mean = ais if ais.low > bridge.high else bridge, nats_of(model, part).mean()
        how = f"AIS; a bridge to its NADE gives {interval(mean, bridge)}"
        if found is bridge:
            how = f"a bridge to its NADE; AIS, 500 runs of 10,000 steps, gives {interval(mean, ais)}"
        return Measured(mean + found.value, (mean + found.low, mean + found.high), f"log Z by {how}")

    facts, remark = with_teacher(facts, taught_by), "its chains' jumps: NADE"
    return Trained(measure, sum(int(np.prod(part.shape)) for part in model.parts), facts, remark)


def beside(run: Run, share: float) -> Run:
    """For a teacher: a share of the time, and a file of its own."""
    return run._replace(path=run.path.with_name(f"{run.path.stem}-teacher.npz"), limit=run.limit * share)


def with_teacher(facts: dict[str, object], teacher: dict[str, object]) -> dict[str, object]:
    """Training facts in which the teacher's seconds count, too."""
    seconds = round(facts["seconds"] + teacher["seconds"], 1)
    return facts | {"seconds": seconds, "of these for the teacher": round(teacher["seconds"], 1)}


def proposals(model: OverTime, u: np.ndarray, many: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """For frames with these outputs u of the RNN: others sampled, bool (frames, many, 88), −log q (frames, many)."""
    drawn, nats = np.empty((len(u), many, KEYS), bool), np.empty((len(u), many), np.float32)
    for s in range(0, len(u), AT_ONCE // many):
        part = slice(s, s + AT_ONCE // many)
        shifts = [np.repeat(np.asarray(shift), many, axis=0) for shift in model.shifts(u[part].astype(np.float32))]
        made = model.frames.sample(len(shifts[0]), *shifts, seed=(seed, s))
        drawn[part] = made.reshape(-1, many, KEYS)
        nats[part] = np.asarray(model.frames(made.astype(np.float32), *shifts)).reshape(-1, many)
    return drawn, nats


def train_rnn_rbm(run: Run) -> Trained:
    """LSTM and RBM. The LSTM is that of an RNN that reads out note by note, trained first; its readout proposes jumps.

    The LSTM and its outputs for the training part then stand, so that an RBM's training step costs no LSTM.
    """
    master, taught_by = over_time(UnitByUnit(KEYS, 256, "relu"), beside(run, 0.6))
    frames, began = np.concatenate(run.data.train), CLOCKS[run.clock]()
    u = rnn_outputs(master, with_columns(run.data.train)).astype(np.float16)
    proposed, nats = proposals(master, u, each(len(frames)), run.seed)
    taught_by |= {"seconds": taught_by["seconds"] + CLOCKS[run.clock]() - began}
    model = OverTime(master.rnn, RBM(KEYS, 256, k=1, seed=run.seed), 0.5)
    model.build((None, None, KEYS + 2 * SHIFT + 1))
    base = odds(run.data.train)
    model.frames.b.assign(base)
    batches = TeacherBatches(frames, proposed, nats, u, 200, run.seed)

    def estimated(v: np.ndarray, u: np.ndarray, runs: int, steps: int, seed: int) -> Estimated:
        """Each frame's annealing begins where the teacher's samples for it are."""
        drawn, _ = proposals(master, u, 12, seed)
        p = (drawn.sum(1) + 2 / (1 + np.exp(-base))) / (drawn.shape[1] + 2)
        return estimated_nats(model, v.astype(np.float32), u, np.log(p / (1 - p)), runs, steps, seed)

    few_valid = few(run.data.valid, CHOOSING)
    asked = np.sort(np.random.default_rng(0).permutation(sum(map(len, few_valid)))[:400])
    v_few, u_few = np.concatenate(few_valid)[asked], rnn_outputs(master, with_columns(few_valid))[asked]
    taught = Taught(model, master, frames)
    epochs = -(-300 * len(frames) // (batches.batch * STEPS))
    facts = train(
        taught,
        batches,
        run._replace(limit=run.limit * 0.33),
        3e-3,
        epochs,
        1e-3,
        lambda: estimated(v_few, u_few, 2, 200, 1).nats.mean(),
    )

    def measure(part: Sequence[np.ndarray]) -> Measured:
        v, u = np.concatenate(part), rnn_outputs(master, with_columns(part))
        at = np.sort(np.random.default_rng(1).permutation(len(v))[:MEASURED])
        found = estimated(v[at], u[at], 4, 4000, 3)
        value, low = found.nats.mean(), found.low
        error = 1.96 * np.sqrt(2 * low.sum()) / len(at)  # low: half of the variance
        remark = f"log Z_t by AIS, 4 runs of 4,000 steps for each of {len(at):,} frames"
        if len(at) < len(v):
            error = 1.96 * np.sqrt(found.nats.var() / len(at))
            remark += f" drawn from {len(v):,}"
        # The mean of log Z is too low by about ``low``: the interval reaches as far as twice that.
        return Measured(value, (value - error, value + error + 2 * low.mean()), remark)

    weights = {id(weight): weight for weight in [*model.rnn.weights, *model.frames.weights, *taught.trainable_weights]}
    parameters = sum(int(np.prod(weight.shape)) for weight in weights.values())
    return Trained(measure, parameters, with_teacher(facts, taught_by), "its RNN and its chains' jumps: note by note")
