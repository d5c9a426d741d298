"""The chorales, and what is cut from them."""

from __future__ import annotations

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
from course_lib.music.datasets import (
    DATASETS,
    Split,
    chorale_frames,
    chorale_phrases,
    chorale_windows,
    chorales,
    windows,
    without_rests,
)
from course_lib.music.encodings.phrases import (
    LONGEST_PHRASE,
)
from course_lib.music.encodings.voices import VoiceRoll
from course_lib.music.errors import MusicError
from course_lib.music.piece import REST, Piece


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


def test_a_missing_file_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
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


def test_the_chorales_are_in_c() -> None:
    data = chorale_frames()
    assert [len(part) for part in data] == [267, 37, 61]
    pooled = np.concatenate(data.train)
    counts = np.bincount((np.nonzero(pooled)[1] + 21) % 12, minlength=12)
    assert set(counts.argsort()[-2:]) == {0, 7} and 3.8 < pooled.sum(1).mean() < 4


def piece(*voices: list[int], spq: int = 4, more: np.ndarray | None = None, **facts: object) -> Piece:
    pitch = np.array(voices).T
    onset = np.vstack([[True] * pitch.shape[1], pitch[1:] != pitch[:-1]]) & (pitch != REST)
    return Piece(pitch, onset if more is None else onset | more, spq, **facts)


def test_rests_are_filled() -> None:
    found = without_rests(piece([REST, 60, REST, 62, REST]))
    assert found.pitch[:, 0].tolist() == [60, 60, 60, 62, 62]
    with pytest.raises(MusicError, match="silent throughout"):
        without_rests(piece([REST, REST]))


def test_windows_of_chorales_are_four_voices_and_no_rest() -> None:
    roll = VoiceRoll()
    found = chorale_windows(chorales().valid, roll, bars=8)
    assert found.shape[1:] == (64, roll.width) and len(found) > 100 and found.dtype == bool
    assert (found[..., : sum(roll.sizes)].sum(-1) == 4).all()
    assert found[:, 0, -4:].all()  # what was held starts at the beginning


def test_a_phrase_ends_after_its_fermata() -> None:
    pitch = np.repeat([[60, 48], [62, 50], [64, 52], [65, 53]], 4, axis=0)
    onset = np.zeros((16, 2), bool)
    onset[::4] = True
    whole = Piece(pitch, onset, fermata=np.arange(16) == 4, voices=("Soprano", "Bass"), pickup=4)
    first, second = chorale_phrases([whole], voices=(0, 1))
    assert (len(first), len(second)) == (4, 4)
    assert first.pitch[:, 0].tolist() == [60, 60, 62, 62] and first.pickup == 2
    assert second.pitch[:, 1].tolist() == [52, 52, 53, 53]
    assert chorale_phrases([whole], voices=(0, 1), longest=3) == []


def test_the_phrases_of_the_data() -> None:
    """Every eighth of a phrase stands in its chorale, and few phrases are left out."""
    piece = chorales().valid[0]
    found = chorale_phrases([piece])
    whole = piece.regrid(2).pitch[:, [0, 3]]
    assert np.array_equal(np.concatenate([phrase.pitch for phrase in found]), whole)
    every = chorale_phrases(chorales().valid)
    assert max(map(len, every)) <= LONGEST_PHRASE and all(phrase.voices == ("Soprano", "Bass") for phrase in every)
    assert len(every) > 200


def test_a_part_that_is_not_there_is_refused() -> None:
    some = Split((1,), (2,), None)
    assert some.part("valid") == (2,)
    with pytest.raises(MusicError, match="no test part"):
        some.part("test")
    with pytest.raises(MusicError, match="no part 'exam'; there are train, valid, test"):
        some.part("exam")
