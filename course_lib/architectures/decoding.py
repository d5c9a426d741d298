"""Everything that writes step by step: samplers, beam search, Gibbs sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from course_lib.architectures.batches import masked_features, padded
from course_lib.symbols import END, PAD, START


def lstm_of_number(cell: layers.LSTMCell, number: object, state: list) -> tuple[object, list]:
    """What the cell says to one_hot(number), int (batch,): a row of its kernel in place of a product. Notebook: 05."""
    h, c = state
    gates = ops.take(cell.kernel, number, axis=0) + ops.matmul(h, cell.recurrent_kernel)
    gates = gates + cell.bias if cell.use_bias else gates
    i, f, g, o = ops.split(gates, 4, axis=-1)
    c = cell.recurrent_activation(f) * c + cell.recurrent_activation(i) * cell.activation(g)
    h = cell.recurrent_activation(o) * cell.activation(c)
    return h, [h, c]


class Sampler(keras.Model):
    """Iterative feedforward with sampling: what was drawn is the next input, in one compiled loop.

    model: from ``recurrent``. It is read, not copied: after more training the generator plays better.

    Notebook: 05.
    """

    def __init__(self, model: keras.Model, jit: bool = True) -> None:
        super().__init__()
        self.chain = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer | layers.Dropout)]
        self.symbols = model.output_shape[-1]
        self.built = True
        self.compile(jit_compile=jit)

    def step(self, number: object, states: list) -> tuple[object, list]:
        """One step: int (batch,), a state for each recurrent layer → logits (batch, symbols), the new states."""
        x, after = number, []
        for layer in self.chain:
            if not isinstance(layer, layers.RNN):
                x = layer(x)
            elif isinstance(layer.cell, layers.LSTMCell) and not after:
                x, state = lstm_of_number(layer.cell, number, states[0])
                after.append(state)
            else:
                x, state = layer.cell(x, states[len(after)])
                after.append(state)
        return x, after

    def call(self, inputs: tuple) -> object:
        """prompt int (n, steps), chance (n, steps), temperature (n, 1), kept int (n, 1) → int (n, steps)."""
        prompt, chance, temperature, kept = inputs
        n, steps = ops.shape(prompt)
        states = [layer.get_initial_state(n) for layer in self.chain if isinstance(layer, layers.RNN)]
        never = ops.convert_to_tensor(np.where(np.isin(np.arange(self.symbols), (PAD, START)), -1e9, 0.0), "float32")
        any_symbol = ops.all(kept == self.symbols)

        def going_on(t: object, made: object, ended: object, states: list) -> object:
            return ops.logical_and(t < steps, ops.logical_not(ops.all(ended)))

        def draw(t: object, made: object, ended: object, states: list) -> tuple:
            logits, states = self.step(ops.take(made, t - 1, axis=1), states)
            logits = logits + never

            def likeliest() -> object:
                least = ops.take_along_axis(ops.sort(logits, axis=-1), self.symbols - kept, axis=-1)
                return ops.where(logits < least, -1e9, logits)

            chosen = ops.cond(any_symbol, lambda: logits, likeliest)  # sorting takes time in each step
            up_to = ops.cumsum(ops.softmax(chosen / temperature, axis=-1), axis=-1)
            # The first symbol whose share of 0..1 reaches up to the number drawn.
            drawn = ops.sum(ops.cast(up_to <= ops.take(chance, t, axis=1)[:, None] * up_to[:, -1:], "int32"), axis=-1)
            given = ops.take(prompt, t, axis=1)
            number = ops.where(given != PAD, given, ops.where(ended, PAD, ops.minimum(drawn, self.symbols - 1)))
            made = ops.slice_update(made, (0, t), number[:, None])
            return t + 1, made, ops.logical_or(ended, number == END), states

        begun = ops.where(ops.arange(steps, dtype="int32") == 0, prompt, PAD)
        ended = ops.zeros_like(prompt[:, 0], dtype="bool")
        return ops.while_loop(going_on, draw, (1, begun, ended, states))[1]

    def generate(
        self,
        n: int = 1,
        prompt: Sequence[int] = (START,),
        temperature: float = 1.0,
        top_k: int | None = None,
        longest: int = 512,
        seed: int = 0,
    ) -> np.ndarray:
        """int32 (n, longest): n sequences that begin with ``prompt``, end with END, and are filled up with PAD.

        temperature: p(x) ∝ exp(logit / temperature); near 0 always the likeliest, 1 as learnt, more is wilder.
        top_k: only the k likeliest numbers are drawn; None: any. longest: numbers at most, those of the prompt
        included: a sequence that is not yet over has no END. seed: of the draws.

        Raises ValueError for an empty or too long prompt, a temperature below 0, or a top_k below 1.
        """
        if not 0 < len(prompt) <= longest:
            raise ValueError(f"a prompt of {len(prompt)} numbers; it needs 1..{longest} (longest). Begin with START.")
        if temperature < 0 or (top_k is not None and top_k < 1):
            raise ValueError(f"temperature is {temperature}, top_k {top_k}; use 0 or more, and 1 or more.")
        inputs = (
            padded([prompt] * n, longest),
            np.random.default_rng(seed).random((n, longest), np.float32),
            np.full((n, 1), max(temperature, 1e-4), np.float32),
            np.full((n, 1), min(top_k or self.symbols, self.symbols), np.int32),
        )
        return np.asarray(self.predict_on_batch(inputs))


class Gibbs:
    """Gibbs sampling of voices: forget some cells, draw them anew given all the others, again and again.

    network: from ``masked_features`` to logits (batch, steps, Σ sizes), such as ``bidirectional``, trained with ``MaskedBatches``.
    sizes: symbols of each voice.

    All cells forgotten together are drawn without regard to one another, so the share that is forgotten must fall.
    Sources: Geman & Geman, IEEE PAMI 6 (1984); a second expert: Metropolis et al. (1953); for chorales: DeepBach,
    arXiv:1612.01010, which forgets one cell at a time; blocks that shrink: Yao et al., arXiv:1409.0585, and Coconet,
    arXiv:1903.07227. Notebook: 09.
    """

    def __init__(self, network: keras.Model, sizes: Sequence[int]) -> None:
        self.network, self.sizes = network, tuple(sizes)

    def sample(
        self,
        symbols: np.ndarray,
        about: np.ndarray,
        free: np.ndarray,
        shares: Sequence[float],
        temperatures: Sequence[float],
        faults: Callable[[np.ndarray], np.ndarray] | None = None,
        seed: int = 0,
    ) -> np.ndarray:
        """The symbols after the last sweep of ``sweeps``: int (batch, steps, voices)."""
        *_, last = self.sweeps(symbols, about, free, shares, temperatures, faults, seed)
        return last

    def sweeps(
        self,
        symbols: np.ndarray,
        about: np.ndarray,
        free: np.ndarray,
        shares: Sequence[float],
        temperatures: Sequence[float],
        faults: Callable[[np.ndarray], np.ndarray] | None = None,
        seed: int = 0,
    ) -> Iterator[np.ndarray]:
        """Forget and draw; yields the symbols, int (batch, steps, voices), after each sweep.

        symbols: int (batch, steps, voices), to begin from. about: float (batch, steps, numbers). free: bool, shaped
        like the symbols, or (steps, voices) for all: what may change. shares: what share of the free cells is
        forgotten in each sweep; 1 in the first one begins from nothing. temperatures: one a sweep. faults: a second
        expert, from symbols to a number for each piece, float (batch,); pieces are then drawn from p · exp(−faults),
        p being the network's: what is drawn is kept with probability min(1, exp(faults before − faults after)), and
        always where everything was forgotten. seed: of the draws. At the first step no hold is drawn: there is nothing
        to hold.

        Raises ValueError for shares and temperatures that do not pair or lie outside 0..1 and above 0, and for shapes
        and symbols that do not fit.
        """
        symbols, holds = np.array(symbols), np.array(self.sizes) - 1
        if symbols.ndim != 3 or symbols.shape[2] != len(holds) or np.shape(about)[:2] != symbols.shape[:2]:
            raise ValueError(
                f"symbols of shape {symbols.shape} with metadata of shape {np.shape(about)}; expected (batch, steps, "
                f"{len(holds)}) and (batch, steps, numbers)."
            )
        if (symbols < 0).any() or (symbols > holds).any():
            raise ValueError(f"symbols {symbols.min()}..{symbols.max()}; those of the voices are 0..{holds}.")
        if np.shape(free) not in (symbols.shape, symbols.shape[1:]):
            raise ValueError(f"free of shape {np.shape(free)}; expected {symbols.shape}, or {symbols.shape[1:]}.")
        if not len(shares) or min(shares) < 0 or max(shares) > 1:
            raise ValueError(f"shares are {shares}; give one a sweep, at least one, each 0..1.")
        if len(temperatures) != len(shares) or min(temperatures) <= 0:
            raise ValueError(f"{len(shares)} shares, temperatures {temperatures}; give one a sweep, each above 0.")
        rng = np.random.default_rng(seed)
        ends = np.cumsum(self.sizes)
        before = np.asarray(faults(symbols), float) if faults else 0.0
        for share, temperature in zip(shares, temperatures, strict=True):
            lost = free & (rng.random(symbols.shape) < share)
            logits = np.array(self.network.predict_on_batch(masked_features(symbols, ~lost, about, self.sizes)))
            logits[:, 0, ends - 1] = -np.inf
            # The largest of logit / T + Gumbel noise is a draw from the softmax.
            noisy = logits / temperature + rng.gumbel(size=logits.shape)
            drawn = np.stack([voice.argmax(axis=-1) for voice in np.split(noisy, ends[:-1], axis=-1)], axis=-1)
            new = np.where(lost, drawn, symbols)
            if faults:
                now = np.asarray(faults(new), float)
                kept = (share == 1) | (rng.random(len(new)) < np.exp(np.minimum(before - now, 0)))
                new, before = np.where(kept[:, None, None], new, symbols), np.where(kept, now, before)
            symbols = new
            yield symbols


class Writer(keras.Model):
    """Writes with a ``taught_decoder`` where there is no example: what was drawn is told to the next step.

    decoder: it is read, not copied: after more training the writer writes better.

    ``writer.write(z, temperature, chance, longest)``: codes (n, d) → int32 (n, longest); each row ends with END and is
    filled up with PAD; one that is not yet over has no END. temperature: 0 takes the likeliest number, above 0 a
    number of probability p is drawn with a chance ∝ p^(1/T). chance: the dice, numbers in 0..1, (longest,) for all
    codes or (n, longest); needed above 0. With the same dice the result depends on z alone.

    Raises ValueError for codes or dice of another shape, and for a negative temperature. Notebook: 11.
    """

    def __init__(self, decoder: keras.Model) -> None:
        super().__init__()
        self.told, self.cell = decoder.get_layer("told"), decoder.get_layer("rnn").cell
        self.logits = decoder.get_layer("logits")
        self.first = [layer for layer in decoder.layers if layer.name.startswith("first_")]
        self.code = decoder.inputs[0].shape[1]
        self.built = True
        self.compile(jit_compile=False)

    def write(
        self, z: np.ndarray, temperature: float = 0.0, chance: np.ndarray | None = None, longest: int = 64
    ) -> np.ndarray:
        z = np.asarray(z, np.float32)
        if z.ndim != 2 or z.shape[1] != self.code:
            raise ValueError(f"codes of shape {z.shape}; they must be (n, {self.code}).")
        shape = len(z), longest
        if temperature < 0 or (temperature and np.shape(chance) not in (shape, shape[1:])):
            raise ValueError(
                f"temperature {temperature} with dice of shape {None if chance is None else np.shape(chance)}: it must "
                f"not be negative, and above 0 it needs numbers in 0..1 of shape {shape[1:]} or {shape}."
            )
        dice = np.broadcast_to(0.0 if chance is None else chance, shape).astype(np.float32)
        heat = np.full((len(z), 1), temperature, np.float32)
        return np.asarray(self.predict_on_batch((z, dice, heat)))

    def call(self, inputs: tuple) -> object:
        """z (n, d), dice (n, steps), temperature (n, 1) → int (n, steps)."""
        z, dice, heat = inputs
        n, steps = ops.shape(dice)
        never = np.where(np.isin(np.arange(self.told.symbols), (PAD, START)), -1e9, 0.0).astype(np.float32)
        begun = ops.full((n,), START, "int32")

        def going_on(t: object, made: object, before: object, ended: object, states: list) -> object:
            return ops.logical_and(t < steps, ops.logical_not(ops.all(ended)))

        def draw(t: object, made: object, before: object, ended: object, states: list) -> tuple:
            told = self.told.beside(z, before)
            h, states = self.cell(told, states)
            logits = self.logits(h) + never
            up_to = ops.cumsum(ops.softmax(logits / ops.maximum(heat, 1e-4), axis=-1), axis=-1)
            # The first symbol whose share of 0..1 reaches beyond the number drawn.
            drawn = ops.sum(ops.cast(up_to <= ops.take(dice, t, axis=1)[:, None] * up_to[:, -1:], "int32"), axis=-1)
            drawn = ops.minimum(drawn, self.told.symbols - 1)
            number = ops.where(heat[:, 0] > 0, drawn, ops.cast(ops.argmax(logits, axis=-1), "int32"))
            number = ops.where(ended, PAD, number)
            made = ops.slice_update(made, (0, t), number[:, None])
            return t + 1, made, number, ops.logical_or(ended, number == END), states

        made = ops.full((n, steps), PAD, "int32")
        ended = ops.zeros((n,), dtype="bool")
        states = [layer(z) for layer in self.first]
        return ops.while_loop(going_on, draw, (0, made, begun, ended, states))[1]


class Written(NamedTuple):
    """What ``translate`` wrote: numbers int32 (n, steps), with PAD behind each END; log p of each row, in nats (n,).

    log p is the model's own, that of END included, whatever the temperature was.
    """

    numbers: np.ndarray
    log_p: np.ndarray


def translate(
    encoder: keras.Model,
    decoder: keras.Model,
    source: np.ndarray,
    beam: int = 1,
    temperature: float = 0.0,
    length: np.ndarray | None = None,
    longest: int | None = None,
    seed: int = 0,
) -> Written:
    """Writes an answer to each source, number by number, each in the light of those that it wrote itself.

    source: int (n, steps). beam: how many unfinished answers are kept side by side; 1 is *greedy*: always the
        likeliest number. temperature: above 0 draws, p(y) ∝ exp(logit / temperature), with ``seed``; then beam is 1.
    length: int (n,), numbers before END in each answer; None: the model ends when it wants.
    longest: numbers at most, END included; what is not over by then stays without END. None: as long as the source.

    A beam keeps, of all answers one number longer, the ``beam`` likeliest; with as many as there are answers it finds
    the likeliest of all. PAD and START are never written. Raises ValueError for a beam below 1, a temperature below 0,
    a beam that draws, or lengths that do not fit. Source: Sutskever et al., arXiv:1409.3215. Notebook: 10.
    """
    source = np.asarray(source)
    n, steps = len(source), longest or source.shape[1]
    if beam < 1 or temperature < 0 or (beam > 1 and temperature > 0):
        raise ValueError(f"beam {beam}, temperature {temperature}; draw with beam=1, or search with temperature=0.")
    if length is not None and (np.shape(length) != (n,) or np.min(length) < 0 or np.max(length) >= steps):
        raise ValueError(f"length {length}; it must be ({n},) numbers 0..{steps - 1}. Raise longest=.")
    understood = [
        np.repeat(np.asarray(part), beam, axis=0) for part in keras.tree.flatten(encoder.predict_on_batch(source))
    ]
    states = [np.zeros((n * beam, s.shape[-1]), np.float32) for s in decoder.inputs[len(understood) + 1 :]]
    rng = np.random.default_rng(seed)
    made = np.full((n, beam, steps), PAD, np.int32)
    log_p = np.full((n, beam), -np.inf)
    log_p[:, 0] = 0  # at first all answers of a beam are the same, empty one
    said, over = np.full((n, beam), START, np.int32), np.zeros((n, beam), bool)
    for t in range(steps):
        outputs = decoder.predict_on_batch([*understood, said.reshape(-1, 1), *states])
        logits = np.asarray(outputs[0])[:, 0].reshape(n, beam, -1).astype(float)
        each = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        symbols = each.shape[-1]
        may = np.ones((n, symbols), bool)
        may[:, [PAD, START]] = False
        if length is not None:
            may = np.where((t == np.asarray(length))[:, None], np.arange(symbols) == END, may)
            may[:, END] &= t >= np.asarray(length)
        open_to = np.where(over[..., None], np.arange(symbols) == PAD, may[:, None])
        each = np.where(over[..., None], 0.0, each)  # what is over stays as likely as it is
        if temperature:
            noise = rng.gumbel(size=each.shape)  # the largest of log p + noise is a draw from p
            number = np.where(open_to, each / temperature + noise, -np.inf).argmax(-1)
            parent = np.zeros((n, 1), int)
            log_p = log_p + np.take_along_axis(each, number[..., None], -1)[..., 0]
        else:
            total = np.where(open_to, log_p[..., None] + each, -np.inf).reshape(n, -1)
            best = np.argsort(-total, axis=1, kind="stable")[:, :beam]
            log_p = np.take_along_axis(total, best, axis=1)
            parent, number = best // symbols, best % symbols
        made = np.take_along_axis(made, parent[..., None], axis=1)
        made[..., t] = said = number.astype(np.int32)
        over = np.take_along_axis(over, parent, axis=1) | (number == END)
        row = (np.arange(n)[:, None] * beam + parent).ravel()
        states = [np.asarray(state)[row] for state in outputs[1 : 1 + len(states)]]
        if over[np.isfinite(log_p)].all():
            break
    return Written(made[:, 0], log_p[:, 0])


class AutoregressiveSampler:
    """Writes with an ``autoregressive_decoder``, one symbol after the other: the decoder's sums, in plain NumPy.

    It copies the decoder's weights as they are now; make a new one after training.

    ``sampler(z, temperature, noise, allowed)``: codes (batch, d) → one-hot float32 (batch, steps, sum(sizes)).
    temperature: 0 takes the likeliest symbol; above 0, a symbol of probability p is drawn with a chance ∝ p^(1/T).
    noise: the dice, Gumbel noise (steps, sum(sizes)) for all codes or (batch, steps, sum(sizes)); needed above 0.
        With the same dice, the result depends on z alone: a small step in z changes few notes.
    allowed: called as ``allowed(made, step, voice)`` before each choice, with the symbols so far (batch, steps,
        voices); gives bool (batch, size) where False must not be chosen. If nothing may be chosen, all may.

    Raises ValueError for codes or noise of another shape. Notebook: 04.
    """

    def __init__(self, decoder: keras.Model) -> None:
        self.weights = {
            layer.name: [ops.convert_to_numpy(weight) for weight in layer.weights]
            for layer in decoder.layers
            if layer.weights
        }
        self.code, (self.steps, self.width) = decoder.inputs[0].shape[1], decoder.inputs[1].shape[1:]
        self.sizes = [bias.size for name, (*_, bias) in self.weights.items() if name.startswith("voice_")]
        (hear,), (past,) = self.weights["hear"], self.weights["past"]
        # What each symbol says to the steps after it: (symbols, reach, width), the next step first.
        self.says, self.reach = np.einsum("se,rew->srw", hear, past[::-1]), len(past)

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
        dice = self._dice(len(z), temperature, noise)
        own = np.zeros((len(z), self.steps + self.reach, self.says.shape[-1]), np.float32)  # what speaks for each step
        own[:, : self.steps] = self._plan(z)
        made = np.zeros((len(z), self.steps, len(self.sizes)), int)
        for step in range(self.steps):
            state, start = own[:, step], 0
            for voice, size in enumerate(self.sizes):
                if voice:
                    # A one-hot times a matrix is one of its rows.
                    state = state + self.weights[f"above_{voice}"][0][made[:, step, voice - 1]]
                kernel, bias = self.weights[f"voice_{voice}"]
                logits = np.maximum(state, 0) @ kernel + bias
                if temperature:
                    logits = logits / temperature + dice[:, step, start : start + size]
                if allowed:
                    may = allowed(made, step, voice)
                    logits = np.where(may | ~may.any(axis=1, keepdims=True), logits, -np.inf)
                chosen = made[:, step, voice] = logits.argmax(axis=1)
                own[:, step + 1 : step + 1 + self.reach] += self.says[start + chosen]
                start += size
        return np.eye(self.width, dtype=np.float32)[made + np.cumsum([0, *self.sizes[:-1]])].sum(axis=2)

    def _plan(self, z: np.ndarray) -> np.ndarray:
        """What z says about each time step: (batch, steps, width)."""
        for name in ("hidden", "unfold", "plan"):
            kernel, bias = self.weights[name]
            # Not z @ kernel: for a few codes, BLAS's threads cost more than they bring.
            z = np.einsum("...i,io->...o", z, kernel) + bias
            if name == "hidden":
                z = np.maximum(z, 0)
            elif name == "unfold":
                z = z.reshape(len(z), self.steps, -1)
        return z

    def _dice(self, batch: int, temperature: float, noise: np.ndarray | None) -> np.ndarray | None:
        if not temperature:
            return None
        shape = (batch, self.steps, self.width)
        if temperature < 0 or noise is None or np.shape(noise) not in (shape, shape[1:]):
            raise ValueError(
                f"temperature {temperature} with noise of shape {None if noise is None else np.shape(noise)}: a "
                f"temperature above 0 needs Gumbel noise of shape {shape[1:]} or {shape}, and must not be negative."
            )
        return np.broadcast_to(noise, shape)
