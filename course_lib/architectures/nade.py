"""Exact distributions of frames: NADE, a readout note by note, and their composition with a recurrent network.

A frame is a vector of zeros and ones, one for each key; 1 is a note. Sequences of different length are filled up with
frames of ``NOTHING``, which count nowhere.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("course")
class NADE(layers.Layer):
    """Neural autoregressive distribution estimator: p(v) = Π_i p(v_i | the notes above i), from high to low.

    visible: D, keys of a frame. hidden: H, units.

        h_i = σ(c + Σ_{j above i} v_j W_j),    p(v_i = 1 | v above i) = σ(b_i + V_i · h_i)

    Written so, a frame needs D hidden states. But h changes only where a note is: a frame of n notes has n + 1
    different ones, and ``call`` computes those alone (``sparse``); the sums are the same.

    ``nade(v)``: 0/1 (frames, D) → −log p, (frames,), exact, for every one of the 2^D frames.
    ``nade(v, visible, hidden)``: with b and c moved by visible (frames, D) and hidden (frames, H), as a network that
    knows the past may want them.

    Sources: Larochelle & Murray, AISTATS (2011); as part of an RNN-NADE, arXiv:1206.6392. Notebook: 12.
    """

    def __init__(self, visible: int, hidden: int, activation: str = "sigmoid", **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.visible, self.hidden = visible, hidden
        self.activation = keras.activations.get(activation)
        self.w = self.add_weight((visible, hidden), "glorot_uniform", name="w")
        self.v = self.add_weight((hidden, self.sizes[0]), "glorot_uniform", name="v")
        self.b = self.add_weight((self.sizes[0],), "zeros", name="b")
        self.c = self.add_weight((hidden,), "zeros", name="c")

    @property
    def sizes(self) -> tuple[int, int]:
        """How many numbers ``visible`` and ``hidden`` are, for the network that moves b and c."""
        return self.visible, self.hidden

    def call(self, v: object, visible: object = None, hidden: object = None) -> object:
        v = ops.cast(v, "float32")
        n = ops.sum(v, axis=-1)
        above = n[:, None] - ops.cumsum(v, axis=-1)  # notes above each key
        # One row for each state: the frame that it belongs to, and how many notes it has heard.
        n = ops.cast(n, "int32")
        first = ops.cumsum(n + 1) - n - 1
        frame = ops.repeat(ops.arange(ops.size(n)), n + 1)
        seen = ops.arange(ops.size(frame)) - ops.take(first, frame)
        # Its notes among those: a key that sounds, with fewer notes above it than have been heard.
        place = ops.cast(ops.where(v > 0, above, self.visible), "int16")
        notes = ops.take(place, frame, axis=0) < ops.cast(seen, "int16")[:, None]
        heard = ops.matmul(ops.cast(notes, "float32"), self.w) + self.c
        if hidden is not None:
            heard = heard + ops.take(hidden, frame, axis=0)
        logits = ops.matmul(self.activation(heard), self.v) + self.b
        if visible is not None:
            logits = logits + ops.take(visible, frame, axis=0)
        return self.nats(v, n, above, frame, seen, logits)

    def nats(self, v: object, n: object, above: object, frame: object, seen: object, logits: object) -> object:
        """−log p of each frame, from the logits of its states: a key is decided by the state that heard all above."""
        row = (ops.cumsum(n + 1) - n - 1)[:, None] + ops.cast(above, "int32")
        decided = ops.take(ops.reshape(logits, (-1,)), row * self.visible + ops.arange(self.visible))
        return ops.sum(ops.softplus(decided) - v * decided, axis=-1)

    def choices(self, logits: object, below: object, k: int) -> object:
        """p of the next lower note and, last, of the end, (frames, D + 1), after k notes; below: keys that may come."""
        stays = -ops.softplus(logits) * below
        lower = ops.cumsum(stays[:, ::-1], axis=-1)[:, ::-1]  # log p that neither a key nor any above it sounds
        notes = below * ops.exp(lower - stays + ops.log_sigmoid(logits))
        return ops.concatenate([notes, ops.exp(lower[:, :1])], axis=-1)

    def next_note(
        self,
        made: np.ndarray,
        last: np.ndarray,
        visible: np.ndarray | None = None,
        hidden: np.ndarray | None = None,
        temperature: float = 1.0,
    ) -> np.ndarray:
        """p of the next lower note, and of the end (index D): (frames, D + 1), rows sum to 1.

        made: (frames, D), the notes so far, equally many in each row. last: int (frames,), the lowest of them, D where
        there is none. visible, hidden: as in a call. temperature: p^(1/temperature), divided by its sum.
        """
        heard = ops.matmul(made, self.w) + self.c
        logits = ops.matmul(self.activation(heard if hidden is None else heard + hidden), self.v) + self.b
        logits = logits if visible is None else logits + visible
        below = (np.arange(self.visible) < last[:, None]).astype(np.float32)
        p = np.asarray(self.choices(logits, below, int(made[:1].sum())), np.float64) ** (1 / temperature)
        return p / p.sum(axis=1, keepdims=True)

    def sample(
        self,
        frames: int,
        visible: np.ndarray | None = None,
        hidden: np.ndarray | None = None,
        seed: int | tuple | np.random.Generator = 0,
        highest: int | None = None,
        temperature: float = 1.0,
    ) -> np.ndarray:
        """bool (frames, D): drawn exactly, note by note from high to low.

        visible, hidden: as in a call. seed: or a generator, which goes on. highest: the highest note of all frames, if
        it is given (D: silence); the others are drawn below it. temperature: as in ``next_note``.
        """
        rng = np.random.default_rng(seed)
        made = np.zeros((frames, self.visible), np.float32)
        going, last = np.arange(frames), np.full(frames, self.visible)
        if highest is not None:
            going = going[: frames if highest < self.visible else 0]
            made[going, highest % self.visible], last[going] = 1, highest
        while len(going):
            moved = [None if part is None else np.asarray(part)[going] for part in (visible, hidden)]
            p = self.next_note(made[going], last[going], *moved, temperature)
            chosen = np.minimum((p.cumsum(1) <= rng.random((len(going), 1))).sum(1), self.visible)
            going, chosen = going[chosen < self.visible], chosen[chosen < self.visible]
            made[going, chosen], last[going] = 1, chosen
        return made.astype(bool)

    def dense(self, v: object, visible: object = None, hidden: object = None) -> object:
        """The same as ``call``, as the formula has it: a hidden state for each key."""
        v = ops.cast(v, "float32")
        heard = ops.broadcast_to(self.c, (ops.shape(v)[0], self.hidden))
        if hidden is not None:
            heard = heard + hidden
        nats = ops.zeros_like(v[:, 0])
        for i in reversed(range(self.visible)):
            logit = ops.matmul(self.activation(heard), self.v[:, i]) + self.b[i]
            if visible is not None:
                logit = logit + visible[:, i]
            nats = nats + ops.softplus(logit) - v[:, i] * logit
            heard = heard + v[:, i : i + 1] * self.w[i]
        return nats

    def get_config(self) -> dict:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "visible": self.visible, "hidden": self.hidden, "activation": activation}


@keras.saving.register_keras_serializable("course")
class Independent(layers.Layer):
    """Keys that know nothing of each other: p(v) = Π_i σ(b_i)^{v_i} (1 − σ(b_i))^{1 − v_i}; the readout of a plain RNN.

    visible: D. ``layer(v, visible)``: 0/1 (frames, D), moved biases (frames, D) → −log p, (frames,). Notebook: 12.
    """

    def __init__(self, visible: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.visible, self.sizes = visible, (visible, 0)
        self.b = self.add_weight((visible,), "zeros", name="b")

    def call(self, v: object, visible: object = None, hidden: object = None) -> object:
        logits = self.b if visible is None else self.b + visible
        return ops.sum(ops.softplus(logits) - ops.cast(v, "float32") * logits, axis=-1)

    def get_config(self) -> dict:
        return {**super().get_config(), "visible": self.visible}


@keras.saving.register_keras_serializable("course")
class NoteByNote(NADE):
    """A frame as its notes, from high to low: each step chooses the next lower note, or the end.

    p(v) = Π_k softmax(b + V h_k)[next note or end], over the keys below the k-th note, and the end (index D).
    h_k as in ``NADE``. Without the two assumptions, every one of the 2^D frames has its probability.

    most: assume at most so many notes: after them, the end is certain. window: (lowest, highest) key that may sound.
    A frame that breaks an assumption is impossible: −log p = inf.
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
        super().__init__(visible, hidden, activation, **kwargs)
        self.most, self.window = most, window and tuple(window)

    @property
    def sizes(self) -> tuple[int, int]:
        return self.visible + 1, self.hidden

    def log_choices(self, logits: object, below: object, k: object) -> object:
        """log of ``choices``; −1e9 stands for what is impossible."""
        if self.window:
            keys = np.arange(self.visible)
            below = below * ((keys >= self.window[0]) & (keys <= self.window[1])).astype("float32")
        if self.most is not None:
            below = below * ops.cast(k < self.most, "float32")
        possible = ops.concatenate([below, ops.ones_like(below[:, :1])], axis=-1)
        return ops.log_softmax(ops.where(possible > 0, logits, -1e9), axis=-1)

    def choices(self, logits: object, below: object, k: int) -> object:
        return ops.exp(self.log_choices(logits, below, k))

    def nats(self, v: object, n: object, above: object, frame: object, seen: object, logits: object) -> object:
        v, above = ops.take(v, frame, axis=0), ops.take(above, frame, axis=0)
        k = ops.cast(seen, "float32")[:, None]
        chosen = v * ops.cast(above == k, "float32")
        chosen = ops.concatenate([chosen, 1.0 - ops.sum(chosen, axis=-1, keepdims=True)], axis=-1)
        nats = -ops.sum(chosen * self.log_choices(logits, ops.cast(above >= k, "float32"), k), axis=-1)
        return ops.segment_sum(ops.where(nats > 1e8, np.inf, nats), frame, ops.size(n))

    def dense(self, v: object, visible: object = None, hidden: object = None) -> object:
        raise NotImplementedError("a softmax has no form key by key; compare it with the sum over all frames.")

    def get_config(self) -> dict:
        return {**super().get_config(), "most": self.most, "window": self.window}
