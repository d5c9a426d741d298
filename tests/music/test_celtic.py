"""The folk tunes, and their phrases."""

from __future__ import annotations

import csv
import warnings
from itertools import product

import numpy as np
import pytest

from course_lib.music import datasets
from course_lib.music.datasets import COLLECTIONS, DATASETS, Tune, celtic_tunes, celtic_vocabulary, tune_phrases
from course_lib.music.encodings.abc_tokens import NotATune
from course_lib.music.errors import MusicError, MusicWarning
from course_lib.music.measures.tunes import complete_bars, longest_shared_runs, melody

pytestmark = pytest.mark.filterwarnings("ignore::course_lib.music.files.MusicWarning")  # a few notes off the grid


def test_there_are_4082_tunes() -> None:
    tunes = celtic_tunes()
    assert [len(side) for side in tunes] == [3346, 327, 409]
    assert len(celtic_vocabulary()) == 93
    every = [tune for side in tunes for tune in side]
    assert len({tune.tokens for tune in every}) == len(every) == 4082
    assert {tune.collection for tune in every} == set(COLLECTIONS)


def test_a_known_tune() -> None:
    tune = next(tune for side in celtic_tunes() for tune in side if tune.title == "The Ranting Highlandman.")
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
    families = [{tune.family for tune in side} for side in tunes]
    assert not any(
        a & b for a, b in ((families[0], families[1]), (families[0], families[2]), (families[1], families[2]))
    )
    train, valid, test = ([melody(tune.tokens) for tune in side] for side in tunes)
    for asked, there in ((valid, train), (test, train), (test, valid)):
        # 18 intervals are 19 notes.
        assert max(longest_shared_runs(asked, there)) < 19
        moves = [[m[m != 0] for m in side] for side in (asked, there)]
        assert max(longest_shared_runs(*moves)) < 19


def test_a_missing_file_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(datasets, "DATASETS", tmp_path)
    celtic_tunes.cache_clear()
    with pytest.raises(MusicError, match="datasets/build.py"):
        celtic_tunes()
    celtic_tunes.cache_clear()


def test_the_index_tells_of_every_tune() -> None:
    with open(DATASETS / "celtic.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name, side in zip(("train", "valid", "test"), celtic_tunes(), strict=True):
        own = [row for row in rows if row["split"] == name]
        assert [row["title"] for row in own] == [tune.title for tune in side]
        assert [int(row["tokens"]) for row in own] == [len(tune.tokens) for tune in side]
    assert all(row["file"].endswith(".abc") for row in rows)


def test_one_title_in_two_books_is_often_one_tune() -> None:
    every = [tune for side in celtic_tunes() for tune in side]
    oneill, ryan = ([t for t in every if t.collection == COLLECTIONS[i]] for i in (1, 2))

    def plain(title: str) -> str:
        return title.lower().partition(" -- ")[0].replace("the ", "")

    same = [a.family == b.family for a, b in product(oneill, ryan) if plain(a.title) == plain(b.title)]
    other = [a.family == b.family for a, b in zip(oneill, ryan, strict=False)]
    assert len(same) > 50 and np.mean(same) > 0.6 and np.mean(other) < 0.05


def tune(body: str) -> Tune:
    return Tune(("M:4/4", "K:Cmaj", *body.split()), "T", "book", 7)


BAR = "{} 8"


def bars_in(found: list[Tune]) -> list[tuple[str, str]]:
    return [(" ".join(p.tokens[2:]), p.title) for p in found]


def test_a_run_of_full_bars_is_cut_in_turn() -> None:
    body = " | ".join(BAR.format(note) for note in "CDEFGABc") + " :|"
    assert bars_in(tune_phrases(tune(body))) == [
        ("C 8 | D 8 | E 8 | F 8 |]", "T, bars 1–4"),
        ("G 8 | A 8 |]", "T, bars 5–6"),
        ("B 8 | c 8 |]", "T, bars 7–8"),
    ]
    assert [len(p.tokens) for p in tune_phrases(tune(body), (3,))] == [11, 11]
    assert tune_phrases(tune(body), (1,))[2].title == "T, bar 3"


def test_no_phrase_crosses_a_pickup_or_the_end_of_a_part() -> None:
    found = tune_phrases(tune("c 2 | C 8 | D 8 | E 6 :: F 8 | G 8 || A 8 |]"), (2,))
    assert bars_in(found) == [("C 8 | D 8 |]", "T, bars 2–3"), ("F 8 | G 8 |]", "T, bars 5–6")]


def test_a_repeat_sign_at_the_beginning_is_no_bar_and_an_open_tie_is_cut() -> None:
    found = tune_phrases(tune("|: C 8 | D 4 E 4 - | E 8 | F 8 :|"), (2,))
    assert bars_in(found) == [("C 8 | D 4 E 4 |]", "T, bars 1–2"), ("E 8 | F 8 |]", "T, bars 3–4")]


def test_long_phrases_are_left_out_and_the_rest_kept() -> None:
    found = tune_phrases(tune("C D E F G A B c | C 8 | D 8 | E 8 |]"), (2,), longest=9)
    assert bars_in(found) == [("D 8 | E 8 |]", "T, bars 3–4")]


def test_phrases_of_the_data_are_tunes_with_complete_bars_of_their_family() -> None:
    for whole in celtic_tunes().test[:60]:
        for phrase in tune_phrases(whole):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MusicWarning)
                piece = phrase.piece
            complete, every = complete_bars(phrase.tokens)
            assert complete == every in (2, 4)
            assert len(piece) == every * piece.bar_steps
            assert phrase.family == whole.family and phrase.title.startswith(whole.title)


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(MusicError, match="1 or more"):
        tune_phrases(tune("C 8 |]"), (2, 0))
    with pytest.raises(MusicError, match="1 or more"):
        tune_phrases(tune("C 8 |]"), ())
    with pytest.raises(NotATune):
        tune_phrases(Tune(("K:Cmaj", "M:4/4", "C", "|]"), "T", "book", 0))
