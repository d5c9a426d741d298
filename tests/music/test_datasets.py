import csv
import hashlib
import subprocess
import sys
from difflib import SequenceMatcher
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from course_lib.music import datasets
from course_lib.music.datasets import DATASETS, chorales, windows
from course_lib.music.errors import MusicError
from course_lib.music.piece import Piece


def melody(piece: Piece) -> list[int]:
    """Moves of the soprano: what stays the same in any transposition and rhythm."""
    pitches = [note.pitch for note in piece.select(0).notes()]
    return [b - a for a, b in zip(pitches, pitches[1:], strict=False) if a != b]


def test_there_are_365_chorales_in_four_voices() -> None:
    every = [piece for side in chorales() for piece in side]
    assert len(every) == 365
    assert len({piece.title for piece in every}) == 365
    assert {piece.voices for piece in every} == {("Soprano", "Alto", "Tenor", "Bass")}
    assert [len(side) for side in chorales()] == [267, 37, 61]


def test_a_known_chorale() -> None:
    piece = next(p for side in chorales() for p in side if p.title.startswith("BWV 269:"))
    assert (piece.key, piece.time_signature, piece.pickup) == ("G major", (3, 4), 4)
    assert piece.pitch[:5].tolist() == [[67, 62, 59, 43]] * 4 + [[67, 62, 59, 55]]
    assert np.flatnonzero(piece.fermata)[:2].tolist() == [40, 76]


def test_no_melody_stands_on_two_sides() -> None:
    sides = [[melody(piece) for piece in side] for side in chorales()]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        shared = max(
            SequenceMatcher(None, x, y, autojunk=False).find_longest_match().size
            for x, y in product(sides[a], sides[b])
        )
        # Fifteen notes in a row with the same intervals would be the same tune; shorter runs are the style's formulas.
        assert shared < 14


def test_windows_are_full_bars_of_one_piece() -> None:
    cut = windows(chorales().test)
    assert len(cut) == 553
    assert {(len(w), w.pickup, w.time_signature) for w in cut} == {(64, 0, (4, 4))}
    assert len(windows(chorales().test, stride=4)) < len(cut) / 3


def test_a_missing_file_says_how_to_rebuild_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets, "DATASETS", tmp_path)
    chorales.cache_clear()
    with pytest.raises(MusicError, match="datasets/build.py"):
        chorales()
    (tmp_path / "chorales.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(MusicError, match="datasets/build.py"):
        chorales()
    chorales.cache_clear()


@pytest.mark.slow
def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATASETS / "build.py", "--out", tmp_path], check=True)
    for name in ("chorales.npz", "chorales.csv", "celtic.npz", "celtic.csv"):
        again, shipped = (hashlib.sha256((folder / name).read_bytes()).hexdigest() for folder in (tmp_path, DATASETS))
        assert again == shipped


def test_the_index_tells_of_every_chorale() -> None:
    with open(DATASETS / "chorales.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sides = {name: {row["title"] for row in rows if row["split"] == name} for name in ("train", "valid", "test")}
    assert sides == {name: {piece.title for piece in getattr(chorales(), name)} for name in sides}
    families = {name: {row["family"] for row in rows if row["split"] == name} for name in sides}
    assert not families["train"] & families["test"] and not families["train"] & families["valid"]
    assert sum(int(row["off_grid"]) for row in rows) == 13
    assert all(row["file"].startswith("bwv") for row in rows)
