"""Autoregressive decoding: each symbol is chosen in the light of all that were chosen before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers, ops


def autoregressive_decoder(
    code: int,
    steps: int,
    sizes: Sequence[int],
    embedding: int = 32,
    hidden: int = 256,
    width: int = 256,
    reach: int = 16,
    dropout: float = 0.05,
    word_dropout: float = 0.5,
) -> keras.Model:
    """A decoder that hears itself: p(x | z) = Π_t Π_v p(x_{t,v} | the steps before t, the voices above v at t, z).

    code: d, the numbers of z. steps: time steps. sizes: symbols of each voice.
    embedding: numbers that a time step is summed up in. hidden: ReLU units that unfold z over time.
    width: ReLU units that decide a voice. reach: how many of the last time steps are heard.
    dropout: share of units that are silent while it trains. word_dropout: share of the past time steps that
        cannot be heard while it trains, so that z has to be used (Bowman et al., arXiv:1511.06349).

    Two inputs, z (batch, d) and x (batch, steps, sum(sizes)), one-hot → logits, shaped like x. x is the example
    itself: while it trains, every symbol is predicted from the *true* ones before it (*teacher forcing*), all in one
    pass. To write music where there is no x: ``AutoregressiveSampler``. Notebook: 04.
    """
    z, x = keras.Input((code,), name="z"), keras.Input((steps, sum(sizes)), name="x")
    plan = layers.Dropout(dropout)(layers.Dense(hidden, activation="relu", name="hidden")(z))
    plan = layers.Reshape((steps, embedding))(layers.Dense(steps * embedding, name="unfold")(plan))
    plan = layers.Dense(width, name="plan")(plan)
    heard = layers.Dense(embedding, use_bias=False, name="hear")(x)
    heard = layers.Dropout(word_dropout, noise_shape=(None, steps, 1))(heard)
    before = layers.Cropping1D((0, 1))(layers.ZeroPadding1D((1, 0))(heard))  # the step itself is not heard
    past = layers.Conv1D(width, reach, padding="causal", use_bias=False, name="past")(before)
    own, logits = layers.Add()([plan, past]), []
    for voice, size in enumerate(sizes):
        if voice:
            end = sum(sizes[:voice])
            above = x[..., end - sizes[voice - 1] : end]
            own = layers.Add()([own, layers.Dense(width, use_bias=False, name=f"above_{voice}")(above)])
        decided = layers.Dropout(dropout)(layers.Activation("relu")(own))
        logits.append(layers.Dense(size, name=f"voice_{voice}")(decided))
    return keras.Model([z, x], layers.Concatenate()(logits))


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
