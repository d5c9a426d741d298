"""Everything that writes step by step: one sampler, one beam search, Gibbs sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from course_lib.architectures.batches import padded
from course_lib.architectures.recurrent import StepByStep
from course_lib.architectures.tensors import Tensor
from course_lib.symbols import END, PAD, START


class Sampler(keras.Model):
    """Iterative feedforward with sampling: the number sampled is the next input, in one compiled loop.

    part: what has ``start`` and ``step``, see ``StepByStep``. It is read, not copied: after more training its new
        weights are used. jit: whether XLA compiles the loop, which pays for a few long sequences.

    Notebooks: 05, 10.
    """

    def __init__(self, part: StepByStep, jit: bool = False) -> None:
        super().__init__()
        self.part, self.symbols, self.built = part, part.symbols, True
        self.compile(jit_compile=jit)

    def call(self, inputs: tuple) -> Tensor:
        """prompt int, chance (n, steps), temperature (n, 1), [top_k int (n, 1)] or [], condition → int (n, steps)."""
        prompt, chance, temperature, top_k, condition = inputs
        n, steps = ops.shape(prompt)
        heat, random = ops.maximum(temperature, 1e-4), temperature[:, 0] > 0
        symbols = np.arange(self.symbols)
        never = np.where(np.isin(symbols, (PAD, START)), -1e9, 0.0).astype("float32")
        end_is_given = ops.any(prompt == END, axis=1, keepdims=True)
        never = never + ops.where(end_is_given, np.where(symbols == END, -1e9, 0.0).astype("float32"), 0.0)

        def going_on(t: Tensor, number: Tensor, made: Tensor, ended: Tensor, states: list) -> Tensor:
            return ops.logical_and(t < steps, ops.logical_not(ops.all(ended)))

        def draw(t: Tensor, number: Tensor, made: Tensor, ended: Tensor, states: list) -> tuple:
            logits, states = self.part.step(number, states, condition)
            logits = logits + never
            for kept in top_k:
                least = ops.take_along_axis(ops.sort(logits, axis=-1), self.symbols - kept, axis=-1)
                logits = ops.where(logits < least, -1e9, logits)
            up_to = ops.cumsum(ops.softmax(logits / heat, axis=-1), axis=-1)
            # The first symbol whose share of 0..1 reaches beyond the random number.
            drawn = ops.sum(ops.cast(up_to <= ops.take(chance, t, axis=1)[:, None] * up_to[:, -1:], "int32"), axis=-1)
            drawn = ops.where(random, drawn, ops.cast(ops.argmax(logits, axis=-1), "int32"))
            given = ops.take(prompt, t, axis=1)
            number = ops.where(given != PAD, given, ops.where(ended, PAD, ops.minimum(drawn, self.symbols - 1)))
            made = ops.slice_update(made, (0, t), number[:, None])
            return t + 1, number, made, ops.logical_or(ended, number == END), states

        begun = ops.where(ops.arange(steps, dtype="int32") == 0, prompt, PAD)
        ended = ops.zeros_like(prompt[:, 0], dtype="bool")
        state = 1, prompt[:, 0], begun, ended, self.part.start(condition, n)
        return ops.while_loop(going_on, draw, state)[2]

    def sample(
        self,
        condition: np.ndarray | Sequence[np.ndarray] = (),
        n: int = 1,
        prompt: Sequence[int] = (START,),
        temperature: float = 1.0,
        top_k: int | None = None,
        length: np.ndarray | None = None,
        longest: int = 512,
        chance: np.ndarray | None = None,
        seed: int = 0,
    ) -> np.ndarray:
        """int32 (n, longest): sequences that begin with ``prompt`` (START), end with END, and are padded with PAD.

        condition: what the part is conditioned on, one array (n, ...) or several; with none, n sequences are made.
        temperature: p(x) ∝ exp(logit / temperature); 0 takes the likeliest number, 1 is as learnt, more is wilder.
        top_k: only the k likeliest numbers are drawn; None: any. length: int (n,), numbers between START and END; None:
        END is sampled too. longest: numbers at most, those of the prompt and END included: a sequence that is not over
        by then has no END. chance: random numbers in 0..1 for all that follows START, (longest − 1,) for all sequences
        or (n, longest − 1): with the same ones the result depends on the condition alone. None: of ``seed``.

        Raises ValueError for a prompt, temperature, top_k, length or chance that does not fit.
        """
        condition = list(condition) if isinstance(condition, list | tuple) else [condition]
        n = len(condition[0]) if condition else n
        if not 0 < len(prompt) <= longest:
            raise ValueError(f"a prompt of {len(prompt)} numbers; it needs 1..{longest} (longest). Begin with START.")
        if temperature < 0 or (top_k is not None and top_k < 1):
            raise ValueError(f"temperature is {temperature}, top_k {top_k}; use 0 or more, and 1 or more.")
        if length is not None and (np.shape(length) != (n,) or np.min(length) < 0 or np.max(length) >= longest - 1):
            raise ValueError(f"length {length}; it must be ({n},) numbers 0..{longest - 2}. Raise longest=.")
        if chance is None:
            chance = np.random.default_rng(seed).random((n, longest), np.float32)[:, 1:]
        if np.shape(chance) not in ((longest - 1,), (n, longest - 1)):
            raise ValueError(f"chance of shape {np.shape(chance)}; it must be {(longest - 1,)} or {(n, longest - 1)}.")
        rows = padded([prompt] * n, longest)
        if length is not None:
            rows[np.arange(n), 1 + np.asarray(length)] = END
        chance = np.broadcast_to(np.insert(chance, 0, 0.0, axis=-1), rows.shape)  # START is not sampled
        heat = np.full((n, 1), temperature, np.float32)
        kept = [np.full((n, 1), min(top_k, self.symbols), np.int32)] if top_k else []
        return np.asarray(self.predict_on_batch((rows, chance.astype(np.float32), heat, kept, condition)))


class Written(NamedTuple):
    """numbers int32 (n, steps): what follows START, with PAD behind each END; log_p (n,), log p of each, in nats.

    log p is the model's own, that of END included. Notebook: 10.
    """

    numbers: np.ndarray
    log_p: np.ndarray


class _Step(keras.Model):
    """One compiled step of a part."""

    def __init__(self, part: StepByStep) -> None:
        super().__init__(name="step")
        self.part, self.built = part, True
        self.compile(jit_compile=False)

    def call(self, inputs: tuple) -> tuple:
        return self.part.step(*inputs)


@lru_cache(maxsize=16)
def compiled_step(part: StepByStep) -> keras.Model:
    """The part's ``step`` as a model to be called with ``predict_on_batch``; compiled once. Notebook: 10."""
    return _Step(part)


def beam_search(
    part: StepByStep,
    condition: np.ndarray | Sequence[np.ndarray],
    width: int = 1,
    length: np.ndarray | None = None,
    longest: int = 64,
) -> Written:
    """The likeliest sequence for each row of the condition, as far as a beam finds it.

    part, condition: as in ``Sampler``. width: how many unfinished sequences are kept side by side; 1 is *greedy*:
        always the likeliest number. length: int (n,), numbers before END in each sequence; None: the model ends when it
        wants.
    longest: numbers at most, END included; what is not over by then stays without END.

    A beam keeps, of all sequences one number longer, the ``width`` likeliest; with as many as there are sequences it
    finds the likeliest of all. PAD and START are never written. Raises ValueError for a width below 1, or lengths that
    do not fit. Source: Sutskever et al., arXiv:1409.3215. Notebook: 10.
    """
    condition = condition if isinstance(condition, list | tuple) else [condition]
    n, symbols = len(condition[0]), np.arange(part.symbols)
    if width < 1:
        raise ValueError(f"width is {width}; keep at least one sequence.")
    if length is not None and (np.shape(length) != (n,) or np.min(length) < 0 or np.max(length) >= longest):
        raise ValueError(f"length {length}; it must be ({n},) numbers 0..{longest - 1}. Raise longest=.")
    condition = [ops.repeat(ops.convert_to_tensor(one), width, axis=0) for one in condition]
    states = keras.tree.map_structure(ops.convert_to_numpy, part.start(condition, n * width))
    step, made = compiled_step(part), np.full((n, width, longest), PAD, np.int32)
    log_p = np.where(np.arange(width) == 0, 0.0, np.full((n, width), -np.inf))  # at first all are the same, empty one
    number, over = np.full((n, width), START), np.zeros((n, width), bool)
    for t in range(longest):
        logits, states = step.predict_on_batch((number.astype(np.int32).ravel(), states, condition))
        logits = logits.reshape(n, width, -1).astype(float)
        each = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        may = np.tile(~np.isin(symbols, (PAD, START)), (n, 1))
        if length is not None:
            may &= (symbols == END) == (t == length)[:, None]
        each = np.where(may[:, None], each, -np.inf)
        each = np.where(over[..., None], np.where(symbols == PAD, 0.0, -np.inf), each)  # over: as likely as it is
        total = (log_p[..., None] + each).reshape(n, -1)
        best = np.argsort(-total, axis=1, kind="stable")[:, :width]
        log_p = np.take_along_axis(total, best, axis=1)
        parent, number = np.divmod(best, len(symbols))
        made = np.take_along_axis(made, parent[..., None], axis=1)
        made[..., t] = number
        over = np.take_along_axis(over, parent, axis=1) | (number == END)
        if over[np.isfinite(log_p)].all():
            break
        rows = (np.arange(n)[:, None] * width + parent).ravel()
        states = keras.tree.map_structure(lambda state, rows=rows: state[rows], states)
    return Written(made[:, 0], log_p[:, 0])


class Gibbs:
    """Gibbs sampling: mask some cells, sample them anew given all the others, again and again.

    network: from features to logits (batch, steps, Σ sizes), such as ``labeller``, trained with ``MaskedBatches``.
    sizes: symbols of each column. features: as in ``MaskedBatches``. barred: bool (steps, Σ sizes), symbols that must
    not be sampled at a step; None: any may.

    All cells masked together are sampled without regard to one another, so the share that is masked must fall.
    Sources: Geman & Geman, IEEE PAMI 6 (1984); a second expert: Metropolis et al. (1953); DeepBach, arXiv:1612.01010,
    which masks one cell at a time; blocks that shrink: Yao et al., arXiv:1409.0585, and Coconet, arXiv:1903.07227.
    Notebook: 09.
    """

    def __init__(
        self,
        network: keras.Model,
        sizes: Sequence[int],
        features: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
        barred: np.ndarray | None = None,
    ) -> None:
        self.network, self.sizes, self.features, self.barred = network, tuple(sizes), features, barred

    def sample(self, *args: object, **settings: object) -> np.ndarray:
        """The symbols after the last of the ``sweeps``, which take the same arguments: int (batch, steps, columns)."""
        *_, last = self.sweeps(*args, **settings)
        return last

    def sweeps(
        self,
        symbols: np.ndarray,
        metadata: np.ndarray,
        free: np.ndarray,
        shares: Sequence[float],
        temperatures: Sequence[float],
        penalty: Callable[[np.ndarray], np.ndarray] | None = None,
        seed: int = 0,
    ) -> Iterator[np.ndarray]:
        """Mask and sample; yields the symbols, int (batch, steps, columns), after each sweep.

        symbols: int (batch, steps, columns), to begin from. metadata: float (batch, steps, numbers). free: bool,
        shaped like the symbols, or (steps, columns) for all: what may change. shares: what share of the free cells is
        masked in each sweep; 1 in the first one begins from nothing. temperatures: one a sweep. seed: of the draws.
        penalty: a second expert, from symbols to a number for each sequence, float (batch,); sequences are then drawn
        from p · exp(−penalty), p being the network's: what is drawn is kept with probability
        min(1, exp(penalty before − penalty after)), and always where everything was masked.

        Raises ValueError for shares and temperatures that do not pair or lie outside 0..1 and above 0, and for shapes
        and symbols that do not fit.
        """
        symbols, last = np.array(symbols), np.array(self.sizes) - 1
        if symbols.ndim != 3 or symbols.shape[2] != len(last) or np.shape(metadata)[:2] != symbols.shape[:2]:
            raise ValueError(
                f"symbols of shape {symbols.shape} with metadata of shape {np.shape(metadata)}; expected (batch, "
                f"steps, {len(last)}) and (batch, steps, numbers)."
            )
        if (symbols < 0).any() or (symbols > last).any():
            raise ValueError(f"symbols {symbols.min()}..{symbols.max()}; those of the columns are 0..{last}.")
        if np.shape(free) not in (symbols.shape, symbols.shape[1:]):
            raise ValueError(f"free of shape {np.shape(free)}; expected {symbols.shape}, or {symbols.shape[1:]}.")
        if not len(shares) or min(shares) < 0 or max(shares) > 1:
            raise ValueError(f"shares are {shares}; give one a sweep, at least one, each 0..1.")
        if len(temperatures) != len(shares) or min(temperatures) <= 0:
            raise ValueError(f"{len(shares)} shares, temperatures {temperatures}; give one a sweep, each above 0.")
        rng = np.random.default_rng(seed)
        cuts = np.cumsum(self.sizes)[:-1]
        before = np.asarray(penalty(symbols), float) if penalty else 0.0
        for share, temperature in zip(shares, temperatures, strict=True):
            masked = free & (rng.random(symbols.shape) < share)
            logits = np.array(self.network.predict_on_batch(self.features(symbols, ~masked, metadata)))
            if self.barred is not None:
                logits[:, self.barred] = -np.inf
            # The largest of logit / T + Gumbel noise is a draw from the softmax.
            noisy = logits / temperature + rng.gumbel(size=logits.shape)
            drawn = np.stack([column.argmax(axis=-1) for column in np.split(noisy, cuts, axis=-1)], axis=-1)
            new = np.where(masked, drawn, symbols)
            if penalty:
                now = np.asarray(penalty(new), float)
                kept = (share == 1) | (rng.random(len(new)) < np.exp(np.minimum(before - now, 0)))
                new, before = np.where(kept[:, None, None], new, symbols), np.where(kept, now, before)
            symbols = new
            yield symbols


class AutoregressiveSampler:
    """Samples from an ``autoregressive_decoder``, one symbol after the other: the decoder's sums, in plain NumPy.

    It copies the decoder's weights as they are now; make a new one after training.

    ``sampler(z, temperature, noise, allowed)``: codes (batch, d) → one-hot float32 (batch, steps, sum(sizes)).
    temperature: 0 takes the likeliest symbol; above 0, a symbol of probability p is drawn with probability ∝ p^(1/T).
    noise: Gumbel noise (steps, sum(sizes)) for all codes or (batch, steps, sum(sizes)); needed above 0. With the same
        noise the result depends on z alone: a small step in z changes few symbols.
    allowed: called as ``allowed(made, step, group)`` before each choice, with the symbols so far (batch, steps,
        groups); gives bool (batch, size) where False must not be chosen. If nothing may be chosen, all may.

    Raises ValueError for codes or noise of another shape. Notebook: 04.
    """

    def __init__(self, decoder: keras.Model) -> None:
        self.weights = {
            layer.name: [ops.convert_to_numpy(weight) for weight in layer.weights]
            for layer in decoder.layers
            if layer.weights
        }
        self.code, (self.steps, self.width) = decoder.inputs[0].shape[1], decoder.inputs[1].shape[1:]
        self.sizes = [bias.size for name, (*_, bias) in self.weights.items() if name.startswith("group_")]
        (embed,), (past,) = self.weights["embed"], self.weights["past"]
        # What each symbol adds to the steps after it: (symbols, reach, width), the next step first.
        self.added, self.reach = np.einsum("se,rew->srw", embed, past[::-1]), len(past)

    def __call__(
        self,
        z: np.ndarray,
        temperature: float = 0.0,
        noise: np.ndarray | None = None,
        allowed: Callable[[np.ndarray, int, int], np.ndarray] | None = None,
    ) -> np.ndarray:
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.code:
            raise ValueError(f"codes of shape {z.shape}; they must be (batch, {self.code}).")
        noise = self._noise(len(z), temperature, noise)
        own = np.zeros((len(z), self.steps + self.reach, self.added.shape[-1]), np.float32)  # the sum at each step
        own[:, : self.steps] = self._plan(z)
        made = np.zeros((len(z), self.steps, len(self.sizes)), int)
        for step in range(self.steps):
            state, start = own[:, step], 0
            for group, size in enumerate(self.sizes):
                if group:
                    # A one-hot times a matrix is one of its rows.
                    state = state + self.weights[f"before_{group}"][0][made[:, step, group - 1]]
                kernel, bias = self.weights[f"group_{group}"]
                logits = np.maximum(state, 0) @ kernel + bias
                if temperature:
                    logits = logits / temperature + noise[:, step, start : start + size]
                if allowed:
                    may = allowed(made, step, group)
                    logits = np.where(may | ~may.any(axis=1, keepdims=True), logits, -np.inf)
                chosen = made[:, step, group] = logits.argmax(axis=1)
                own[:, step + 1 : step + 1 + self.reach] += self.added[start + chosen]
                start += size
        return np.eye(self.width, dtype=np.float32)[made + np.cumsum([0, *self.sizes[:-1]])].sum(axis=2)

    def _plan(self, z: np.ndarray) -> np.ndarray:
        """What z adds to each time step: (batch, steps, width)."""
        for name in ("hidden", "unfold", "plan"):
            kernel, bias = self.weights[name]
            # Not z @ kernel: for a few codes, BLAS's threads cost more than they bring.
            z = np.einsum("...i,io->...o", z, kernel) + bias
            if name == "hidden":
                z = np.maximum(z, 0)
            elif name == "unfold":
                z = z.reshape(len(z), self.steps, -1)
        return z

    def _noise(self, batch: int, temperature: float, noise: np.ndarray | None) -> np.ndarray | None:
        if not temperature:
            return None
        shape = (batch, self.steps, self.width)
        if temperature < 0 or noise is None or np.shape(noise) not in (shape, shape[1:]):
            raise ValueError(
                f"temperature {temperature} with noise of shape {None if noise is None else np.shape(noise)}: a "
                f"temperature above 0 needs Gumbel noise of shape {shape[1:]} or {shape}, and must not be negative."
            )
        return np.broadcast_to(noise, shape)
