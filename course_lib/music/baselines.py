"""Without a network: what a learned model has to beat.

*Harmonising.* Arrays are sounding MIDI pitches, int (windows, time_steps, voices), soprano first. Each function learns
from ``train`` and answers for ``sopranos`` (windows, time_steps) with (windows, time_steps, voices − 1), the lower
voices.

*Composing.* ``chord_chain`` is a Markov chain of beats.

*Reconstructing.* ``nearest_window`` copies the most similar window; ``PrincipalComponents`` is the best linear code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from course_lib.music.piece import Piece

PITCHES = 128


def most_frequent(train: np.ndarray, sopranos: np.ndarray) -> np.ndarray:
    """Each lower voice always on its most frequent pitch."""
    commonest = [np.bincount(train[..., voice].ravel()).argmax() for voice in range(1, train.shape[-1])]
    return np.broadcast_to(commonest, (*sopranos.shape, len(commonest))).copy()


def soprano_table(
    train: np.ndarray,
    sopranos: np.ndarray,
    context: Sequence[int] = (0,),
    transpositions: Iterable[int] = (0,),
) -> np.ndarray:
    """The pitch most often heard below the soprano's pitch at these distances.

    context: distances in time steps, the most telling first: (0, -4, 4) is now, a beat ago, a beat ahead.
        Where the whole context was never seen, its last distance is dropped, and so on.
    transpositions: semitones by which the training set is also shown.
    """
    shifts = np.fromiter(transpositions, int)
    heard = (train[None] + shifts[:, None, None, None]).reshape(-1, *train.shape[1:])
    answer = most_frequent(train, sopranos)
    for size in range(1, len(context) + 1):
        seen, where = np.unique(_contexts(heard[..., 0], context[:size]), return_inverse=True)
        asked = _contexts(sopranos, context[:size])
        at = np.searchsorted(seen, asked).clip(max=len(seen) - 1)
        known = seen[at] == asked
        for voice in range(1, train.shape[-1]):
            counts = np.zeros((len(seen), PITCHES), np.int32)
            np.add.at(counts, (where.ravel(), heard[..., voice].ravel().clip(0, PITCHES - 1)), 1)
            answer[..., voice - 1][known] = counts.argmax(1)[at[known]]
    return answer


def _contexts(sopranos: np.ndarray, distances: Sequence[int]) -> np.ndarray:
    """int64 (windows, time_steps): one number for the pitches at these distances; the edges repeat."""
    steps = np.arange(sopranos.shape[1])
    code = np.zeros(sopranos.shape, np.int64)
    for distance in distances:
        code = code * PITCHES + sopranos[:, (steps + distance).clip(0, len(steps) - 1)]
    return code


def nearest_neighbour(
    train: np.ndarray, sopranos: np.ndarray, transpositions: Iterable[int] = range(-12, 13)
) -> np.ndarray:
    """The lower voices of the training window whose soprano, transposed, agrees in most time steps."""
    answer = np.empty((*sopranos.shape, train.shape[-1] - 1), int)
    best = np.full(len(sopranos), -1)
    for shift in transpositions:
        moved = train + shift
        for i, soprano in enumerate(sopranos):
            agreeing = (moved[..., 0] == soprano).sum(1)
            if agreeing.max() > best[i]:
                best[i], answer[i] = agreeing.max(), moved[agreeing.argmax(), :, 1:]
    return answer


def nearest_window(train: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """For each of the wanted windows the training window that agrees with it in most cells.

    train, wanted: int (windows, time_steps, voices), for instance sounding pitches; a cell is one voice in one step.
    Returns int (wanted,): indices into ``train``; of several equally near, the first. Notebook: 03.
    """
    rows = train.reshape(len(train), -1)
    return np.array([(rows == one.ravel()).sum(1).argmax() for one in wanted])


class PrincipalComponents:
    """The linear autoencoder with the least squared error: code = (x − mean) Vᵀ, x ≈ mean + code V.

    x: float (examples, inputs). size: numbers in a code. seed: where the search begins.

    V (size, inputs) is found by subspace iteration: a random start is multiplied by XᵀX ``passes`` times, which leaves
    the directions of greatest variance. Raises ValueError when size is not within 1..min(x.shape).
    Halko, Martinsson & Tropp 2011, arXiv:0909.4061. Notebook: 03.
    """

    def __init__(self, x: np.ndarray, size: int, passes: int = 6, seed: int = 0) -> None:
        if not 1 <= size <= min(x.shape):
            raise ValueError(f"size is {size}; {x.shape[0]} examples of {x.shape[1]} numbers allow 1..{min(x.shape)}.")
        self.mean = x.mean(0, dtype=np.float32)
        # A few directions more than asked for make the last ones exact, too.
        basis = np.random.default_rng(seed).normal(size=(x.shape[1], min(size + 16, *x.shape))).astype(np.float32)
        for _ in range(passes):
            basis = np.linalg.qr(basis)[0]
            basis = self._moved_back(x, self._moved(x, basis))
        basis = np.linalg.qr(basis)[0]
        seen = self._moved(x, basis)
        within = np.linalg.eigh(seen.T @ seen)[1][:, ::-1]
        self.components = (basis @ within).T[:size]

    def _moved(self, x: np.ndarray, basis: np.ndarray) -> np.ndarray:
        """(x − mean) basis, without a copy of x."""
        return x @ basis - self.mean @ basis

    def _moved_back(self, x: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return x.T @ seen - np.outer(self.mean, seen.sum(0))

    def encode(self, x: np.ndarray) -> np.ndarray:
        """(examples, inputs) → (examples, size)."""
        return (x - self.mean) @ self.components.T

    def decode(self, code: np.ndarray) -> np.ndarray:
        """(examples, size) → (examples, inputs)."""
        return self.mean + code @ self.components


def chord_chain(train: Sequence[Piece], count: int, seed: int = 0) -> list[Piece]:
    """A Markov chain of beats: each next beat is one that followed the same chord somewhere in the training windows.

    train: windows of one length and grid. The chord is what sounds in the last step of a beat; a beat starts on a
    multiple of a quarter note. Each of the ``count`` pieces begins with the first beat of a training window, is as
    long as a window, and is cut off when a chord was never followed by anything, to begin again.
    Source: Hiller & Isaacson (1957) used such chains. Notebook: 04.
    """
    rng = np.random.default_rng(seed)
    beat = train[0].steps_per_quarter
    follows: dict[bytes, list[tuple[int, int]]] = {}
    for index, piece in enumerate(train):
        for step in range(beat, len(piece), beat):
            follows.setdefault(piece.pitch[step - 1].tobytes(), []).append((index, step))
    made: list[Piece] = []
    while len(made) < count:
        beats = [(int(rng.integers(len(train))), 0)]
        while len(beats) < len(train[0]) // beat:
            index, step = beats[-1]
            choices = follows.get(train[index].pitch[step + beat - 1].tobytes())
            if not choices:
                break
            beats.append(choices[rng.integers(len(choices))])
        else:
            pitch, onset = (
                np.concatenate([getattr(train[index], name)[step : step + beat] for index, step in beats])
                for name in ("pitch", "onset")
            )
            made.append(replace(train[0], pitch=pitch, onset=onset, title="Markov chain", key=None, fermata=None))
    return made
