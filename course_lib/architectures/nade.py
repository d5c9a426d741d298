"""Exact distributions of frames: independent units, NADE, and a readout of one unit after another.

A frame is a vector of D zeros and ones, its units; they are decided from the last one, D − 1, down to 0. Each of these
models is trained alone by ``compile`` and ``fit(frames)``, or as a part of ``OverTime``.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from course_lib.architectures.tensors import Tensor, arguments


class ExactFrames(keras.Model):
    """Base of models whose ``model(v, visible, hidden)`` is −log p of each frame; the loss is its mean.

        v                 (frames, D)                zeros and ones
        visible, hidden   (frames, n), see ``sizes``  shifts, added to the biases b and c; None: no shift
        → −log p          (frames,)                  in nats, exact

    A subclass has ``visible``, D; ``sizes``, how many numbers the two shifts are, 0 for none; and ``sample``.
    Notebook: 12.
    """

    generator = staticmethod(np.random.default_rng)
    """seed → random numbers that ``sample`` goes on with."""

    def training_loss(self, v: Tensor, visible: Tensor | None = None, hidden: Tensor | None = None) -> Tensor:
        """−log p of each frame, (frames,)."""
        return self(v, visible, hidden)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Tensor:  # noqa: ANN001
        return ops.mean(y_pred)

    def get_config(self) -> dict:
        return arguments(self)


@keras.saving.register_keras_serializable("course")
class Independent(ExactFrames):
    """Independent units: p(v) = Π_i σ(b_i)^{v_i} (1 − σ(b_i))^{1 − v_i}; the readout of a plain RNN.

    visible: D. Tensors as in ``ExactFrames``. Notebook: 12.
    """

    def __init__(self, visible: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.visible, self.sizes = visible, (visible, 0)
        self.b = self.add_weight((visible,), "zeros", name="b")
        self.built = True

    def call(self, v: Tensor, visible: Tensor | None = None, hidden: Tensor | None = None) -> Tensor:
        logits = self.b if visible is None else self.b + visible
        return ops.sum(ops.softplus(logits) - ops.cast(v, "float32") * logits, axis=-1)

    def sample(
        self, n: int, visible: Tensor = None, hidden: Tensor = None, seed: int | np.random.Generator = 0
    ) -> np.ndarray:
        """bool (n, D). seed: or a generator, which goes on."""
        p = np.asarray(ops.sigmoid(self.b if visible is None else self.b + visible))
        return np.random.default_rng(seed).random((n, self.visible)) < p


class AutoregressiveFrames(ExactFrames):
    """Base of models that decide a frame from its last unit down, with a hidden state of the units that are on so far.

        h = f(c + Σ_{j on so far} W_j),    logits = b + V h

    h changes only where a unit is on: a frame with k units on has k + 1 different states, and ``call`` computes only
    these. A subclass turns logits into probabilities: ``nats`` for given frames, ``choices`` for the next unit.

        W (D, H), V (H, outputs)      weights          b (outputs,), c (H,)   biases
        visible (frames, outputs)     shift of b       hidden (frames, H)     shift of c

    visible: D. hidden: H. activation: f. outputs: numbers of the logits. Notebook: 12.
    """

    def __init__(self, visible: int, hidden: int, activation: str, outputs: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.visible, self.hidden, self.activation, self.sizes = visible, hidden, activation, (outputs, hidden)
        self.f = keras.activations.get(activation)
        self.w = self.add_weight((visible, hidden), "glorot_uniform", name="w")
        self.v = self.add_weight((hidden, outputs), "glorot_uniform", name="v")
        self.b = self.add_weight((outputs,), "zeros", name="b")
        self.c = self.add_weight((hidden,), "zeros", name="c")
        self.built = True

    def call(self, v: Tensor, visible: Tensor | None = None, hidden: Tensor | None = None) -> Tensor:
        v = ops.cast(v, "float32")
        on = ops.sum(v, axis=-1)
        above = on[:, None] - ops.cumsum(v, axis=-1)  # units on above each unit
        # One row for each state: the frame that it belongs to, and how many of its units are decided to be on.
        on = ops.cast(on, "int32")
        first = ops.cumsum(on + 1) - on - 1
        frame = ops.repeat(ops.arange(ops.size(on)), on + 1)
        k = ops.arange(ops.size(frame)) - ops.take(first, frame)
        # A unit is among those if it is on, with fewer than k units on above it.
        place = ops.cast(ops.where(v > 0, above, self.visible), "int16")
        so_far = ops.take(place, frame, axis=0) < ops.cast(k, "int16")[:, None]
        h = ops.matmul(ops.cast(so_far, "float32"), self.w) + self.c
        if hidden is not None:
            h = h + ops.take(hidden, frame, axis=0)
        logits = ops.matmul(self.f(h), self.v) + self.b
        if visible is not None:
            logits = logits + ops.take(visible, frame, axis=0)
        return self.nats(v, above, first, frame, k, logits)

    def nats(self, v: Tensor, above: Tensor, first: Tensor, frame: Tensor, k: Tensor, logits: Tensor) -> Tensor:
        """−log p of each frame, (frames,), from all its states.

        v, above         (frames, D)                frames; how many units are on above each unit
        first            (frames,)                  row of each frame's first state
        frame, k         (rows,)                    of each state: its frame, and how many units are on so far
        logits           (rows, outputs)
        """
        raise NotImplementedError

    def choices(self, logits: Tensor, below: Tensor, k: int) -> Tensor:
        """p that a unit is the next one on, and, last, that none is: (frames, outputs), (frames, D) → (frames, D + 1).

        below: 1 for the units that may come. k: units on so far.
        """
        raise NotImplementedError

    def next_unit(
        self,
        v: np.ndarray,
        last: np.ndarray,
        visible: np.ndarray | None = None,
        hidden: np.ndarray | None = None,
        temperature: float = 1.0,
    ) -> np.ndarray:
        """p that a unit is the next one on, and that none is (index D): (frames, D + 1), rows sum to 1.

        v: (frames, D), the units on so far, equally many in each row. last: int (frames,), the lowest of them, D where
        there is none. visible, hidden: shifts. temperature: p^(1/temperature), divided by its sum.
        """
        h = ops.matmul(v, self.w) + self.c
        logits = ops.matmul(self.f(h if hidden is None else h + hidden), self.v) + self.b
        logits = logits if visible is None else logits + visible
        below = (np.arange(self.visible) < last[:, None]).astype(np.float32)
        p = np.asarray(self.choices(logits, below, int(v[:1].sum())), np.float64) ** (1 / temperature)
        return p / p.sum(axis=1, keepdims=True)

    def sample(
        self,
        n: int,
        visible: np.ndarray | None = None,
        hidden: np.ndarray | None = None,
        seed: int | tuple | np.random.Generator = 0,
        first: int | None = None,
        temperature: float = 1.0,
    ) -> np.ndarray:
        """bool (n, D): sampled exactly, one unit after another, from the last down.

        visible, hidden: shifts. seed: or a generator, which goes on. first: the first unit that is on in all frames,
        if it is given (D: none is on); the rest is sampled below it. temperature: as in ``next_unit``.
        """
        rng = np.random.default_rng(seed)
        v = np.zeros((n, self.visible), np.float32)
        going, last = np.arange(n), np.full(n, self.visible)
        if first is not None:
            going = going[: n if first < self.visible else 0]
            v[going, first % self.visible], last[going] = 1, first
        while len(going):
            shifts = [None if part is None else np.asarray(part)[going] for part in (visible, hidden)]
            p = self.next_unit(v[going], last[going], *shifts, temperature)
            chosen = np.minimum((p.cumsum(1) <= rng.random((len(going), 1))).sum(1), self.visible)
            going, chosen = going[chosen < self.visible], chosen[chosen < self.visible]
            v[going, chosen], last[going] = 1, chosen
        return v.astype(bool)


@keras.saving.register_keras_serializable("course")
class NADE(AutoregressiveFrames):
    """Neural autoregressive distribution estimator: p(v) = Π_i p(v_i | the units above i), from the last unit down.

        h_i = f(c + Σ_{j above i} v_j W_j),    p(v_i = 1 | v above i) = σ(b_i + V_i · h_i)

    visible: D. hidden: H. activation: f, by its name in Keras; the paper has "sigmoid". Tensors as in
    ``AutoregressiveFrames``, with D outputs. Every one of the 2^D frames has its probability.

    Sources: Larochelle & Murray, AISTATS (2011); as part of an RNN-NADE, arXiv:1206.6392. Notebook: 12.
    """

    def __init__(self, visible: int, hidden: int, activation: str = "sigmoid", **kwargs: object) -> None:
        super().__init__(visible, hidden, activation, visible, **kwargs)

    def dense(self, v: Tensor, visible: Tensor | None = None, hidden: Tensor | None = None) -> Tensor:
        """−log p as the formula has it, with a hidden state for each unit. ``call`` gives the same, faster."""
        v = ops.cast(v, "float32")
        h = ops.broadcast_to(self.c, (ops.shape(v)[0], self.hidden))
        if hidden is not None:
            h = h + hidden
        nats = ops.zeros_like(v[:, 0])
        for i in reversed(range(self.visible)):
            logit = ops.matmul(self.f(h), self.v[:, i]) + self.b[i]
            if visible is not None:
                logit = logit + visible[:, i]
            nats = nats + ops.softplus(logit) - v[:, i] * logit
            h = h + v[:, i : i + 1] * self.w[i]
        return nats

    def nats(self, v: Tensor, above: Tensor, first: Tensor, frame: Tensor, k: Tensor, logits: Tensor) -> Tensor:
        """A unit is decided by the state in which all units above it are."""
        row = first[:, None] + ops.cast(above, "int32")
        decided = ops.take(ops.reshape(logits, (-1,)), row * self.visible + ops.arange(self.visible))
        return ops.sum(ops.softplus(decided) - v * decided, axis=-1)

    def choices(self, logits: Tensor, below: Tensor, k: int) -> Tensor:
        off = -ops.softplus(logits) * below
        lower = ops.cumsum(off[:, ::-1], axis=-1)[:, ::-1]  # log p that neither a unit nor any above it is on
        units = below * ops.exp(lower - off + ops.log_sigmoid(logits))
        return ops.concatenate([units, ops.exp(lower[:, :1])], axis=-1)


@keras.saving.register_keras_serializable("course")
class UnitByUnit(AutoregressiveFrames):
    """A frame as the list of its units that are on, from the last down: each step chooses the next one, or the end.

        p(v) = Π_k softmax(b + V h_k)[next unit or end],    over the units below the k-th that is on, and the end

    visible: D. hidden: H. activation: f, by its name in Keras. Tensors as in ``AutoregressiveFrames``, with D + 1
    outputs; the end is output D. Without the two assumptions, every one of the 2^D frames has its probability.

    most: assume at most so many units on: after them, the end is certain. window: (lowest, highest) unit that may be
    on. A frame that breaks an assumption is impossible: −log p = inf. Notebook: 12.
    """

    def __init__(
        self,
        visible: int,
        hidden: int,
        activation: str = "sigmoid",
        most: int | None = None,
        window: tuple[int, int] | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(visible, hidden, activation, visible + 1, **kwargs)
        self.most, self.window = most, window and tuple(window)

    def log_choices(self, logits: Tensor, below: Tensor, k: Tensor) -> Tensor:
        """log of ``choices``; −1e9 stands for what is impossible."""
        if self.window:
            units = np.arange(self.visible)
            below = below * ((units >= self.window[0]) & (units <= self.window[1])).astype("float32")
        if self.most is not None:
            below = below * ops.cast(k < self.most, "float32")
        possible = ops.concatenate([below, ops.ones_like(below[:, :1])], axis=-1)
        return ops.log_softmax(ops.where(possible > 0, logits, -1e9), axis=-1)

    def choices(self, logits: Tensor, below: Tensor, k: int) -> Tensor:
        return ops.exp(self.log_choices(logits, below, k))

    def nats(self, v: Tensor, above: Tensor, first: Tensor, frame: Tensor, k: Tensor, logits: Tensor) -> Tensor:
        """The sum over a frame's states of −log p of what is chosen in each."""
        frames, v, above = ops.size(first), ops.take(v, frame, axis=0), ops.take(above, frame, axis=0)
        k = ops.cast(k, "float32")[:, None]
        chosen = v * ops.cast(above == k, "float32")
        chosen = ops.concatenate([chosen, 1.0 - ops.sum(chosen, axis=-1, keepdims=True)], axis=-1)
        nats = -ops.sum(chosen * self.log_choices(logits, ops.cast(above >= k, "float32"), k), axis=-1)
        return ops.segment_sum(ops.where(nats > 1e8, np.inf, nats), frame, frames)
