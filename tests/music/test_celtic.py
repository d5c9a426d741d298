import csv
from itertools import product

import numpy as np
import pytest

from course_lib.music import datasets
from course_lib.music.datasets import COLLECTIONS, DATASETS, celtic_tunes
from course_lib.music.errors import MusicError
from course_lib.music.measures.tunes import longest_shared_runs, melody

pytestmark = pytest.mark.filterwarnings("ignore::course_lib.music.files.MusicWarning")  # a few notes off the grid


def test_there_are_4082_tunes() -> None:
    tunes = celtic_tunes()
    assert [len(side) for side in tunes[:3]] == [3346, 327, 409]
    assert len(tunes.vocabulary) == 93
    every = [tune for side in tunes[:3] for tune in side]
    assert len({tune.tokens for tune in every}) == len(every) == 4082
    assert {tune.collection for tune in every} == set(COLLECTIONS)


def test_a_known_tune() -> None:
    tune = next(tune for side in celtic_tunes()[:3] for tune in side if tune.title == "The Ranting Highlandman.")
    assert tune.collection.startswith("James Aird")
    assert tune.abc.splitlines()[2:] == [
        "M:2/2",
        "L:1/8",
        "Q:1/4=160",
        "K:Cmaj",
        "dc | e2e2e2dc | e2e2e2c'2 | e2e2e2dc | dcded2cd | e2e2fedc | d2e2c'2bc' | d'2c'bc'2ba | g2e2e2 ::",
        "ef | g2e2c'2e2 | g2g2g2a2 | g2fec'2bc' | d'2d2d2cd | e2e2fedc | d2e2c'2bc' | d'2c'bc'2ba | g2e2e2 :|",
    ]
    piece = tune.piece
    assert (piece.key, piece.time_signature, piece.pickup, piece.tempo) == ("C major", (2, 2), 24, 160)


def test_every_tune_is_a_piece() -> None:
    for tune in celtic_tunes().test:
        assert tune.piece.voices == ("Voice 1",)


def test_no_tune_stands_on_two_sides() -> None:
    tunes = celtic_tunes()
    families = [{tune.family for tune in side} for side in tunes[:3]]
    assert not any(
        a & b for a, b in ((families[0], families[1]), (families[0], families[2]), (families[1], families[2]))
    )
    train, valid, test = ([melody(tune.tokens) for tune in side] for side in tunes[:3])
    for asked, there in ((valid, train), (test, train), (test, valid)):
        # 18 intervals are 19 notes.
        assert max(longest_shared_runs(asked, there)) < 19
        moves = [[m[m != 0] for m in side] for side in (asked, there)]
        assert max(longest_shared_runs(*moves)) < 19


def test_a_missing_file_says_how_to_rebuild_it(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(datasets, "DATASETS", tmp_path)
    celtic_tunes.cache_clear()
    with pytest.raises(MusicError, match="datasets/build.py"):
        celtic_tunes()
    celtic_tunes.cache_clear()


def test_the_index_tells_of_every_tune() -> None:
    with open(DATASETS / "celtic.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name, side in zip(("train", "valid", "test"), celtic_tunes()[:3], strict=True):
        own = [row for row in rows if row["split"] == name]
        assert [row["title"] for row in own] == [tune.title for tune in side]
        assert [int(row["tokens"]) for row in own] == [len(tune.tokens) for tune in side]
    assert all(row["file"].endswith(".abc") for row in rows)


def test_one_title_in_two_books_is_often_one_tune() -> None:
    every = [tune for side in celtic_tunes()[:3] for tune in side]
    oneill, ryan = ([t for t in every if t.collection == COLLECTIONS[i]] for i in (1, 2))

    def plain(title: str) -> str:
        return title.lower().partition(" -- ")[0].replace("the ", "")

    same = [a.family == b.family for a, b in product(oneill, ryan) if plain(a.title) == plain(b.title)]
    other = [a.family == b.family for a, b in zip(oneill, ryan, strict=False)]
    assert len(same) > 50 and np.mean(same) > 0.6 and np.mean(other) < 0.05
