import warnings

import pytest

from course_lib.music.datasets import Tune, celtic_tunes, tune_phrases
from course_lib.music.encodings.abc_tokens import NotATune
from course_lib.music.errors import MusicError, MusicWarning
from course_lib.music.measures.tunes import complete_bars


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


def test_faults_are_told() -> None:
    with pytest.raises(MusicError, match="1 or more"):
        tune_phrases(tune("C 8 |]"), (2, 0))
    with pytest.raises(MusicError, match="1 or more"):
        tune_phrases(tune("C 8 |]"), ())
    with pytest.raises(NotATune):
        tune_phrases(Tune(("K:Cmaj", "M:4/4", "C", "|]"), "T", "book", 0))
