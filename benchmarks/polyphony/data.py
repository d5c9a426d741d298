"""The four public sets of Boulanger-Lewandowski, Bengio & Vincent, which users bring themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from course_lib.music.datasets import Split
from course_lib.music.encodings.frames import KEYS
from course_lib.music.errors import MusicError

PARTS = {"train": "traindata", "valid": "validdata", "test": "testdata"}
"""The parts of a set, and their names in a ``.mat`` file."""


def read_mat(path: str | Path) -> Split[np.ndarray]:
    """The four public sets' ``.mat`` layout: cells ``traindata``, ``validdata``, ``testdata`` of (steps, 88) arrays.

    Column 0 is MIDI 21. A file may lack ``testdata``; empty sequences are dropped.
    Raises MusicError when the file is missing or is laid out otherwise.
    """
    from scipy.io import loadmat

    path = Path(path)
    try:
        arrays = loadmat(path)
    except Exception as error:  # scipy raises half a dozen kinds for a file that is no .mat
        raise MusicError(f"{path} cannot be read as a .mat file of MATLAB 4 to 7.2 ({error}).") from error
    parts: dict[str, list[np.ndarray] | None] = {}
    for name, key in PARTS.items():
        if key not in arrays and name != "test":
            there = ", ".join(k for k in arrays if not k.startswith("__")) or "nothing"
            raise MusicError(f"{path.name} has no {key}; it holds {there}. Needed: {', '.join(PARTS.values())}.")
        parts[name] = _sequences(arrays[key], f"{path.name}, {key}") if key in arrays else None
    return Split(**parts)


def _sequences(cells: np.ndarray, where: str) -> list[np.ndarray]:
    # Sequences of one length may have been saved as one array of numbers (sequences, steps, 88).
    cells = [np.asarray(cell) for cell in (cells.ravel() if cells.dtype == object else cells)]
    for i, cell in enumerate(cells):
        if cell.size and (cell.ndim != 2 or cell.shape[1] != KEYS or not np.isin(cell, (0, 1)).all()):
            raise MusicError(
                f"{where}: sequence {i} is {cell.dtype} {cell.shape}; it must be 0 and 1, (steps, {KEYS})."
            )
    found = [cell.astype(bool) for cell in cells if cell.size]
    if not found:
        raise MusicError(f"{where} holds no frames.")
    return found
