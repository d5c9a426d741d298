"""Every maker of batches: sequences of about one length, padded, masked, transposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

from course_lib.symbols import PAD, START


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
        # The first two batches differ in length, so that Keras compiles for any length.
        mixed = [*dict.fromkeys([0, len(parts) - 1, *self.random.permutation(len(parts)).tolist()])]
        self.parts = [parts[i] for i in mixed]

    def __len__(self) -> int:
        return len(self.parts)


class TokenBatches(ByLength):
    """Sequences of about the same length together, so that little padding is computed: x is the sequence without its
    last number, y the same without its first.

    sequences: int (steps,) each, of any length. numbers: about how many, padding included, in one batch.
    seed: of the order, another one each epoch.

    Each batch: int (batch, steps), int (batch, steps), padded with PAD. Raises ValueError for a sequence of less
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


class AutoencoderBatches(TokenBatches):
    """``TokenBatches`` for an autoencoder with a teacher-forced decoder: ((x, previous), x).

    x: int (batch, steps), the sequences without their START. previous: the same one step later, with START.
    Notebook: 11.
    """

    def __getitem__(self, index: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        previous, x = super().__getitem__(index)
        return (x, previous), x


def padded(sequences: Sequence[np.ndarray], steps: int | None = None) -> np.ndarray:
    """int32 (sequences, steps): one below the other, padded or cut at ``steps`` (default: the longest)."""
    result = np.full((len(sequences), steps or max(map(len, sequences))), PAD, np.int32)
    for row, sequence in zip(result, sequences, strict=True):
        row[: len(sequence)] = sequence[: len(row)]
    return result


def shifted_right(target: np.ndarray) -> np.ndarray:
    """The previous numbers under teacher forcing: int (n, steps), START, then target without its last.

    Notebooks: 10, 11.
    """
    return np.concatenate([np.full((len(target), 1), START, target.dtype), target[:, :-1]], axis=1)


class MaskedBatches(keras.utils.PyDataset):
    """Batches of sequences in which cells are masked: the others as input, the masked ones as targets.

    symbols: int (sequences, steps, columns). metadata: float (sequences, steps, numbers), always known. features:
    called as ``features(symbols, known, metadata)`` with known bool, shaped like symbols; makes the network's input. Of
    each sequence a share of cells is masked that is drawn anew between 0 and 1 (at least one cell). reshuffle: whether
    each epoch masks other cells, in another order; without, all stays, as is right for validation. seed: of all draws.

    Gives features, the targets int (batch, steps, columns), −1 where nothing is asked, and weights (batch,): cells of a
    sequence for each one asked, so that sequences count alike. The loss is then about −log p(sequence) / steps, on
    average over all orders of the cells. Source: Uria, Murray & Larochelle, arXiv:1310.1757. Notebook: 09.
    """

    def __init__(
        self,
        symbols: np.ndarray,
        metadata: np.ndarray,
        features: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
        batch: int = 64,
        reshuffle: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.symbols, self.metadata, self.features = symbols, metadata, features
        self.batch, self.reshuffle, self.seed, self.epoch = batch, reshuffle, seed, 0
        self.order = np.arange(len(symbols))
        self.on_epoch_end()

    @property
    def shape(self) -> tuple[int, ...]:
        """Sequences, steps, columns."""
        return self.symbols.shape

    def __len__(self) -> int:
        return -(-len(self.symbols) // self.batch)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chosen = self.order[number * self.batch : (number + 1) * self.batch]
        symbols = self.symbols[chosen]
        rng = np.random.default_rng((self.seed, self.epoch, number))
        draw = rng.random(symbols.shape)
        masked = draw < rng.random((len(chosen), 1, 1))
        masked |= draw == draw.min(axis=(1, 2), keepdims=True)
        weight = masked[0].size / masked.sum(axis=(1, 2))
        targets = np.where(masked, symbols, -1).astype(np.int32)
        return self.features(symbols, ~masked, self.metadata[chosen]), targets, weight.astype(np.float32)

    def on_epoch_end(self) -> None:
        if self.reshuffle:
            self.epoch += 1
            self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.symbols))


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
