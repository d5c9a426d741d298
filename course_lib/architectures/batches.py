"""Every maker of batches: sequences of about one length, padded, masked, transposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from course_lib.symbols import PAD


class ByLength(keras.utils.PyDataset):
    """Batches of sequences of about one length, other ones each epoch.

    sequences: of any lengths. noise: (low, high), by what a length is multiplied, so that neighbours mix. seed: of it.
    A subclass cuts the sequences, sorted by length, into ``cut``'s parts, and makes a batch of ``self.parts[index]``.
    """

    def __init__(self, sequences: Sequence, noise: tuple[float, float], seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.sequences, self.noise, self.random = list(sequences), noise, np.random.default_rng(seed)
        self.lengths = np.array([len(s) for s in sequences])
        self.on_epoch_end()

    @property
    def shape(self) -> tuple[int, int]:
        """Sequences, and the length of the longest."""
        return len(self.lengths), int(self.lengths.max())

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        """Indices of sequences, from short to long, in parts: one for each batch."""
        raise NotImplementedError

    def on_epoch_end(self) -> None:
        """Draws other batches."""
        order = np.argsort(self.lengths * self.random.uniform(*self.noise, len(self.lengths)), kind="stable")
        parts = self.cut(order)
        # Keras learns from the first two batches that the length varies: the shortest and the longest.
        mixed = [*dict.fromkeys([0, len(parts) - 1, *self.random.permutation(len(parts)).tolist()])]
        self.parts = [parts[i] for i in mixed]

    def __len__(self) -> int:
        return len(self.parts)


class TokenBatches(ByLength):
    """Sequences of about the same length together, so that little padding is computed: x is the sequence without its
    last number, y the same without its first.

    sequences: int (steps,) each, of any length. numbers: about how many, padding included, in one batch.
    seed: of the order, another one each epoch.

    Each batch: int (batch, steps), int (batch, steps), filled up with PAD. Raises ValueError for a sequence of less
    than two numbers. Notebook: 05.
    """

    def __init__(self, sequences: Sequence[np.ndarray], numbers: int = 5000, seed: int = 0, **kwargs: object) -> None:
        lengths = [len(s) for s in sequences]
        if min(lengths) < 2:
            raise ValueError(
                f"a sequence of {min(lengths)} numbers; it needs two at least: what is given and what is asked."
            )
        # No part is empty if it has room for the longest sequence.
        self.count = max(1, sum(lengths) // max(numbers, *lengths))
        super().__init__(sequences, (0.9, 1.1), seed, **kwargs)

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        part = (np.cumsum(self.lengths[order]) * self.count - 1) // self.lengths.sum()
        return np.split(order, np.flatnonzero(np.diff(part)) + 1)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        batch = padded([self.sequences[i] for i in self.parts[index]])
        return batch[:, :-1], batch[:, 1:]


def padded(sequences: Sequence[np.ndarray], steps: int | None = None) -> np.ndarray:
    """int32 (sequences, steps): one below the other, filled up with PAD or cut at ``steps`` (default: the longest)."""
    result = np.full((len(sequences), steps or max(map(len, sequences))), PAD, np.int32)
    for row, sequence in zip(result, sequences, strict=True):
        row[: len(sequence)] = sequence[: len(row)]
    return result


def masked_features(symbols: np.ndarray, known: np.ndarray, about: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
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


class MaskedBatches(keras.utils.PyDataset):
    """Batches of pieces in which cells are forgotten: what is left, and what has to be found.

    symbols: int (pieces, steps, voices). about, sizes: as in ``masked_features``. Of each piece a share of cells is forgotten
    that is drawn anew between 0 and 1 (at least one cell). again: whether each epoch forgets other cells; without, the
    order stays too, as is right for validation. seed: of all draws.

    Gives ``masked_features``, the targets int (batch, steps, voices), −1 where nothing is asked, and weights (batch,): cells of a
    piece for each one asked, so that pieces count alike. The loss is then about −log p(piece) / steps, on average over
    all orders of the cells. Source: Uria, Murray & Larochelle, arXiv:1310.1757. Notebook: 09.
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
        return masked_features(symbols, ~lost, self.about[chosen], self.sizes), targets, weight.astype(np.float32)

    def on_epoch_end(self) -> None:
        if self.again:
            self.epoch += 1
            self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.symbols))


class Examples(TokenBatches):
    """``TokenBatches`` for an autoencoder: x and y are the same, each sequence without its START. Notebook: 11."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        _, rest = super().__getitem__(index)
        return rest, rest


NO_FRAME = -1
"""In a batch, what stands behind the end of a sequence."""


def padded_frames(sequences: Sequence[np.ndarray]) -> np.ndarray:
    """int8 (sequences, steps, columns): one below the other, padded with NO_FRAME. Notebook: 12."""
    result = np.full((len(sequences), max(map(len, sequences)), sequences[0].shape[1]), NO_FRAME, np.int8)
    for row, sequence in zip(result, sequences, strict=True):
        row[: len(sequence)] = sequence
    return result


class FrameBatches(ByLength):
    """Batches of sequences of frames of about one length, padded with NO_FRAME, other ones each epoch.

    sequences: 0/1 (steps, D) each. batch: sequences. seed: of order and transformations.
    transform: (sequence, random number generator) → what stands in the batch, (steps, D + n), drawn anew each epoch.

    Each batch: int8 (batch, steps, D + n), and zeros (batch, steps), for there is no target. Notebook: 12.
    """

    def __init__(
        self,
        sequences: Sequence[np.ndarray],
        batch: int = 16,
        transform: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
        seed: int = 0,
        **kwargs: object,
    ) -> None:
        self.batch, self.transform = batch, transform
        super().__init__(sequences, (0.8, 1.25), seed, **kwargs)

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        return np.split(order, range(self.batch, len(order), self.batch))

    def on_epoch_end(self) -> None:
        """Draws other batches and transformations."""
        self.transformed = self.sequences
        if self.transform:
            self.transformed = [self.transform(sequence, self.random) for sequence in self.sequences]
        super().on_epoch_end()

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        x = padded_frames([self.transformed[i] for i in self.parts[index]])
        return x, np.zeros(x.shape[:2], np.float32)
