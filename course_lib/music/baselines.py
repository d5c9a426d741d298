"""Harmonising without a network: what a learned model has to beat.

Arrays here are sounding MIDI pitches, int (windows, time_steps, voices), soprano first. Each function learns from
``train`` and answers for ``sopranos`` (windows, time_steps) with (windows, time_steps, voices − 1): the lower voices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

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
