"""How smoothly does one piece turn into another? Measures of a row of pieces, such as an interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from course_lib.music.errors import MusicError, WrongMetre, WrongVoices
from course_lib.music.piece import REST, Piece


class Smoothness(NamedTuple):
    """A row of n + 1 pieces, measured by what sounds: distances count (time step, voice) cells that differ.

    A cell is the pitch that sounds or the rest; strokes are not compared. Shorter pieces are filled up with silence
    to the longest of the row, and all distances are shares of its cells, so that they obey the triangle inequality.

    whole: distance between the first piece and the last, 0..1.
    detour: length of the way / whole, 1 or more; 1 where no cell changes that need not, and none twice.
    largest: the largest single step / length of the way, 1/n..1; 1/n where all steps are alike, 1 for one jump.
    back: share of the n steps on which the distance to the first piece falls, 0..1.

    detour, largest and back are NaN where the first piece and the last sound the same. Notebook: 11.
    """

    whole: float
    detour: float
    largest: float
    back: float


def interpolation_smoothness(pieces: Sequence[Piece]) -> Smoothness:
    """Measures a row of at least two pieces. Raises MusicError (WrongVoices, WrongMetre) for pieces that do not fit.

    Notebook: 11.
    """
    if len(pieces) < 2:
        raise MusicError(f"{len(pieces)} pieces; a walk has two at least.")
    voices, grids = {piece.pitch.shape[1] for piece in pieces}, {piece.steps_per_quarter for piece in pieces}
    if len(voices) > 1:
        raise WrongVoices(f"the pieces have {sorted(voices)} voices; give all of them the same number.")
    if len(grids) > 1:
        raise WrongMetre(f"the pieces have {sorted(grids)} steps per quarter; bring them to one grid.")
    sounds = np.full((len(pieces), max(map(len, pieces)), voices.pop()), REST, int)
    for row, piece in zip(sounds, pieces, strict=True):
        row[: len(piece)] = piece.pitch
    steps = (sounds[1:] != sounds[:-1]).mean(axis=(1, 2))
    away = (sounds != sounds[0]).mean(axis=(1, 2))
    whole, length = float(away[-1]), float(steps.sum())
    if not whole:
        return Smoothness(0.0, np.nan, np.nan, np.nan)
    return Smoothness(whole, length / whole, float(steps.max()) / length, float((np.diff(away) < 0).mean()))


def mean_smoothness(walks: Sequence[Smoothness]) -> Smoothness:
    """The mean of each measure, over the walks for which it is defined (NaN if over none). Notebook: 11."""
    rows = np.array(walks, float).reshape(-1, len(Smoothness._fields))
    kept = [column[~np.isnan(column)] for column in rows.T]
    return Smoothness(*(float(column.mean()) if len(column) else np.nan for column in kept))
