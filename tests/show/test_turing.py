"""The Turing test without a browser: balanced, seeded, nothing betrays, both are counted."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.piece import MusicError, Piece
from course_lib.show.widgets.turing import TuringGame


def bars(n: int, start: int, title: str, **facts: object) -> list[Piece]:
    onset = np.zeros((16, 2), bool)
    onset[::4] = True
    return [
        Piece(np.full((16, 2), start + i), onset, voices=("Soprano", "Bass"), title=f"{title} {i}", **facts)
        for i in range(n)
    ]


REAL = bars(12, 60, "BWV", key="C major", tempo=90)
MADE = {"late": bars(14, 40, "GAN", tempo=120), "early": bars(14, 80, "GAN")}


def game(**options: object) -> TuringGame:
    return TuringGame(REAL, MADE, lambda piece: 0.9 if piece.pitch[0, 0] >= 60 else 0.2, **{"rounds": 10, **options})


def test_it_is_balanced_seeded_and_without_repetition() -> None:
    first, again, other = game(), game(), game(seed=1)
    assert sum(this.real for this in first.game) == 5
    assert [this.piece for this in first.game] == [this.piece for this in again.game]
    assert [this.piece for this in first.game] != [this.piece for this in other.game]
    assert len({this.piece.pitch[0, 0] for this in first.game}) == 10
    assert len({tuple(this.real for this in game(seed=seed).game) for seed in range(20)}) > 10


def test_nothing_betrays() -> None:
    one = game()
    for n, this in enumerate(one.game, 1):
        assert this.piece.title == f"Piece {n} of 10"
        assert (this.piece.key, this.piece.tempo, len(this.piece)) == (None, 60, 16)
    shown = str(one._state) + one.player._markup
    assert "BWV" not in shown and "GAN" not in shown and "0.9" not in one._state["answer"]


def test_answers_are_counted_with_an_interval() -> None:
    one = game()
    assert "No answer yet" in repr(one)
    for n in range(10):
        this = one.game[n]
        one.next()  # too early: the piece is not answered
        assert one.player.piece == this.piece
        one.answer(this.real if n < 7 else not this.real)
        one.answer(this.real)  # does not count
        assert one._state["answer"].startswith("Right" if n < 7 else "Wrong")
        assert ("BWV" in one._state["answer"]) == this.real
        if n < 9:
            one.next()
    assert "You: 7 of 10 right (95 % interval 40–89 %)" in repr(one)
    assert "The judge: 10 of 10 right" in repr(one) and "7 or more right in 17 % of such games" in repr(one)
    before = [this.piece for this in one.game]
    one.next()
    assert one.answers == [] and [this.piece for this in one.game] != before


def test_a_level_begins_a_new_game() -> None:
    one = game()
    one.answer(True)
    one.level = "early"
    assert one.answers == [] and {this.piece.pitch[0, 0] >= 80 for this in one.game if not this.real} == {True}


def test_it_plays_without_a_judge() -> None:
    one = TuringGame(REAL, MADE, rounds=4)
    one.answer(True)
    assert "judge" not in repr(one)


def test_the_page_is_a_form_with_folded_answers() -> None:
    page = game(rounds=4).page()
    html = page._repr_html_()
    assert html.count("<audio") == html.count("<summary>") == 4 and html.count('type="radio"') == 8
    assert "<script" not in html and html.count("It is real") == 2
    assert "It is generated" in repr(page)


@pytest.mark.parametrize(
    ("real", "options", "reason"),
    [
        (REAL, {"rounds": 5}, "even number"),
        (REAL, {"rounds": 40}, "12 pieces"),
        ([*REAL[:5], REAL[5].window(0, 8)], {}, "differ"),
    ],
)
def test_what_does_not_fit_is_refused(real: list[Piece], options: dict, reason: str) -> None:
    with pytest.raises(MusicError, match=reason):
        TuringGame(real, MADE, **{"rounds": 4, **options})
