"""Two recurrent networks, one reading forward and one backward: every step knows what came and what comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
from keras import layers, ops


def forward_only(features: int, labels: int, cells: Sequence[layers.Layer], dropout: float = 0.0) -> keras.Model:
    """A label for every step from what came so far: float (batch, steps, features) → logits (batch, steps, labels).

    cells: a Keras cell for each layer, such as ``LSTMCell(128)``. dropout: share of what is silent in training. Steps
    whose features are all 0 are padding. Notebook: 09.
    """
    x = keras.Input((None, features))
    h, real = x, ops.any(ops.not_equal(x, 0), axis=-1)
    for cell in cells:
        h = layers.Dropout(dropout)(layers.RNN(cell, return_sequences=True)(h, mask=real))
    return keras.Model(x, layers.Dense(labels)(h))


def bidirectional(
    features: int, labels: int, cells: Sequence[tuple[layers.Layer, layers.Layer]], dropout: float = 0.0
) -> keras.Model:
    """A label for every step from all that comes before and after it.

    cells: for each layer a Keras cell that reads forward and one that reads backward. The rest is as in
    ``forward_only``. →h_t = forward(x_t, →h_{t−1}), ←h_t = backward(x_t, ←h_{t+1}), logits_t = W [→h_t, ←h_t] + b.
    Source: Schuster & Paliwal, IEEE Trans. Signal Processing 45 (1997). Notebook: 09.
    """
    x = keras.Input((None, features))
    h, real = x, ops.any(ops.not_equal(x, 0), axis=-1)
    for forward, backward in cells:
        past = layers.RNN(forward, return_sequences=True)(h, mask=real)
        future = layers.RNN(backward, return_sequences=True, go_backwards=True)(h, mask=real)
        both = ops.concatenate([past, ops.flip(future, axis=1)], axis=-1)  # what was read last stands first
        h = layers.Dropout(dropout)(both)
    return keras.Model(x, layers.Dense(labels)(h))


def told(symbols: np.ndarray, known: np.ndarray, about: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """What a network is told of voices of which some cells are not known.

    symbols: int (batch, steps, voices), the last symbol of each voice being "hold". known: bool, shaped alike.
    about: float (batch, steps, numbers), what is always known, such as the place in the bar. sizes: symbols of each
    voice.

    float32 (batch, steps, 2 Σ sizes + voices + numbers): for each voice its symbol, one-hot, or zeros; the note that
    sounds, so far as known cells tell; then which are known; then ``about``. No cell that is not known changes it.
    Notebook: 09.
    """
    step = np.arange(symbols.shape[1])
    parts = []
    for voice, size in enumerate(sizes):
        sure = known[..., voice]
        one_hot = np.eye(size, dtype=np.float32)[symbols[..., voice]] * sure[..., None]
        # A hold goes on with the last cell that is none. If that one is not known, neither is what sounds.
        last = np.maximum.accumulate(np.where((symbols[..., voice] != size - 1) | ~sure, step, 0), axis=1)
        parts += [one_hot, np.take_along_axis(one_hot, last[..., None], axis=1)]
    return np.concatenate([*parts, known, about], axis=-1, dtype=np.float32)


class Forgetful(keras.utils.PyDataset):
    """Batches of pieces in which cells are forgotten: what is left, and what has to be found.

    symbols: int (pieces, steps, voices). about, sizes: as in ``told``. Of each piece a share of cells is forgotten
    that is drawn anew between 0 and 1 (at least one cell). again: whether each epoch forgets other cells; without, the
    order stays too, as is right for validation. seed: of all draws.

    Gives ``told``, the targets int (batch, steps, voices), −1 where nothing is asked, and weights (batch,): cells of a
    piece for each one asked, so that pieces count alike. The loss is then, on average over all orders of the cells,
    −log p(piece) / steps. Source: Uria, Murray & Larochelle, arXiv:1310.1757. Notebook: 09.
    """

    def __init__(
        self,
        symbols: np.ndarray,
        about: np.ndarray,
        sizes: Sequence[int],
        batch: int = 64,
        again: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.symbols, self.about, self.sizes, self.batch, self.again = symbols, about, tuple(sizes), batch, again
        self.seed, self.epoch = seed, 0
        self.order = np.arange(len(symbols))
        self.on_epoch_end()

    @property
    def shape(self) -> tuple[int, ...]:
        """Pieces, steps, voices."""
        return self.symbols.shape

    def __len__(self) -> int:
        return -(-len(self.symbols) // self.batch)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chosen = self.order[number * self.batch : (number + 1) * self.batch]
        symbols = self.symbols[chosen]
        rng = np.random.default_rng((self.seed, self.epoch, number))
        draw = rng.random(symbols.shape)
        lost = draw < rng.random((len(chosen), 1, 1))
        lost |= draw == draw.min(axis=(1, 2), keepdims=True)
        weight = lost[0].size / lost.sum(axis=(1, 2))
        targets = np.where(lost, symbols, -1).astype(np.int32)
        return told(symbols, ~lost, self.about[chosen], self.sizes), targets, weight.astype(np.float32)

    def on_epoch_end(self) -> None:
        if self.again:
            self.epoch += 1
            self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.symbols))


class Gibbs:
    """Gibbs sampling of voices: forget some cells, draw them anew given all the others, again and again.

    network: from ``told`` to logits (batch, steps, Σ sizes), such as ``bidirectional``, trained with ``Forgetful``.
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
            logits = np.array(self.network.predict_on_batch(told(symbols, ~lost, about, self.sizes)))
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
