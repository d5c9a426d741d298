"""The layout of the public sets of frames, as users bring them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from benchmarks.polyphony.data import read_mat
from course_lib.music.encodings.frames import KEYS
from course_lib.music.errors import MusicError


def cells(*lengths: int, seed: int = 0) -> np.ndarray:
    """A row of cells, as MATLAB saves them: random frames, uint8 (steps, 88)."""
    rng = np.random.default_rng(seed)
    row = np.empty((1, len(lengths)), object)
    for i, steps in enumerate(lengths):
        row[0, i] = (rng.random((steps, KEYS)) < 0.05).astype(np.uint8)
    return row


def write(path: Path, **parts: np.ndarray) -> Path:
    savemat(path, parts)
    return path


def test_the_public_layout_is_read(tmp_path: Path) -> None:
    train, valid, test = cells(5, 3), cells(4, seed=1), cells(2, 2, seed=2)
    data = read_mat(write(tmp_path / "a.mat", traindata=train, validdata=valid, testdata=test))
    assert [len(s) for s in data.train] == [5, 3] and [len(s) for s in data.test] == [2, 2]
    assert data.train[0].dtype == bool and (data.train[1] == train[0, 1]).all()
    assert data.part("test") is data.test


def test_sequences_of_one_length_may_be_one_array(tmp_path: Path) -> None:
    block = np.stack(cells(4, 4)[0])
    data = read_mat(write(tmp_path / "a.mat", traindata=block, validdata=cells(2)))
    assert [len(s) for s in data.train] == [4, 4] and (data.train[1] == block[1]).all()


def test_a_missing_test_part_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    data = read_mat(write(tmp_path / "a.mat", traindata=cells(3), validdata=cells(2)))
    assert data.test is None
    with pytest.raises(MusicError, match="no test part"):
        data.part("test")
    with pytest.raises(MusicError, match="no part 'exam'"):
        data.part("exam")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"traindata": cells(3)}, "no validdata; it holds traindata"),
        ({"traindata": cells(3), "validdata": np.full((1, 4, 88), 2)}, "sequence 0 is .* must be 0 and 1"),
        ({"traindata": np.zeros((1, 4, 87)), "validdata": cells(2)}, r"\(4, 87\); it must be"),
        ({"traindata": np.empty((0, 0), object), "validdata": cells(2)}, "traindata holds no frames"),
    ],
)
def test_another_layout_is_refused(tmp_path: Path, parts: dict, message: str) -> None:
    with pytest.raises(MusicError, match=message):
        read_mat(write(tmp_path / "a.mat", **parts))


def test_a_file_that_is_no_mat_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_text("no", encoding="utf-8")
    for name in ("a.mat", "b.mat"):
        with pytest.raises(MusicError, match=f"{name} cannot be read"):
            read_mat(tmp_path / name)
