from fractions import Fraction

import numpy as np
import pytest

from course_lib.music.datasets import celtic_tunes, celtic_vocabulary
from course_lib.music.encodings.abc_tokens import (
    NotATune,
    Vocabulary,
    abc_to_tokens,
    check_tokens,
    tokens_to_abc,
    tokens_to_piece,
    tune_bars,
    tune_pitches,
)
from course_lib.music.files import read_bytes

pytestmark = pytest.mark.filterwarnings("ignore::course_lib.music.files.MusicWarning")  # a few notes off the grid


def tune(body: str, key: str = "C", metre: str = "6/8", unit: str = "1/8") -> str:
    return f"X:1\nT:A tune\nM:{metre}\nL:{unit}\nK:{key}\n{body}\n"


def body(text: str, **head: str) -> list[str]:
    return abc_to_tokens(tune(text, **head))[2:]


def test_a_tune_is_moved_to_c_and_keeps_its_mode() -> None:
    assert abc_to_tokens(tune("|: G2 A Bcd | gfe d3 :|", "G")) == [
        *("M:6/8", "K:Cmaj", "|:", "C", "2", "D", "E", "F", "G", "|", "c", "B", "A", "G", "3", ":|")
    ]
    assert abc_to_tokens(tune("EFG B3 |]", "Edor"))[1:] == ["K:Cdor", "c", "d", "e", "g", "3", "|]"]


def test_the_octave_is_the_one_around_c() -> None:
    for octave in ("C,D,E,", "CDE", "cde", "c'd'e'"):
        assert body(f"{octave} {octave} |]")[:3] == ["c", "d", "e"]


def test_the_unit_is_that_of_the_metre() -> None:
    assert body("c4 d2 |]", unit="1/16") == ["c", "2", "d", "|]"]
    assert body("c d2 |]", metre="2/4") == ["c", "2", "d", "4", "|]"]
    assert body("c/ d3/2 e// |]") == ["c", "/2", "d", "3/2", "e", "/4", "|]"]


def test_every_pitch_has_the_accidental_that_it_needs() -> None:
    # In the source the second f is sharp by the first one, and the last by a tie; here each has its own sign.
    assert body("^f f g | f2 z |]") == ["^f", "^f", "g", "|", "f", "2", "z", "|]"]
    assert body("^f =f g |]") == ["^f", "=f", "g", "|]"]
    assert body("^f3- | f3 |]") == ["^f", "3", "-", "|", "^f", "3", "|]"]
    # f natural in G major is what b flat is in C major.
    assert body("g =f g |]", key="G") == ["c", "_B", "c", "|]"]
    assert body("c ^c [K:D] c |]", key="G") == ["f", "^f", "^f", "|]"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("c3 :|: d3 |]", "::"),
        ("c3 ::\nd3 |]", "::"),
        ("c3 :|\n|: d3 |]", "::"),
        ("c3 || d3 |]", "||"),
        ("c3 |\nd3 |]", "|"),
        ("c3 |1 d3 |]", "|1"),
        ("c3 :|2 d3 |]", ":|2"),
        ("c3 [1 d3 |]", "|1"),
        ("c3 |: d3 |]", "|:"),
    ],
)
def test_bar_lines_have_one_form_each(text: str, wanted: str) -> None:
    assert body(text)[2] == wanted


def test_what_is_left_out_and_what_stays() -> None:
    assert body('"Am"{g}c~d .e (3fga | [Ceg]2 -c2 |]') == [
        *("c", "d", "e", "(3", "f", "g", "a", "|", "g", "2", "c", "2", "|]")
    ]
    assert body("c>d e<f | g3- g3 |]") == ["c", ">", "d", "e", "<", "f", "|", "g", "3", "-", "g", "3", "|]"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X:1\nM:6/8\nc3 |]", "no key"),
        ("X:1\nM:none\nK:C\nc3 |]", "metre"),
        (tune("c3 | [M:9/8] d3 |]"), "metre changes"),
        (tune("c3 |]\nV:2\nd3 |]"), "voices"),
        (tune("(3:2:2 cde |]"), "tuplet"),
        (tune("Z4 |]"), "whole bars"),
        (tune("| |]"), "no notes"),
    ],
)
def test_what_has_no_tokens_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(NotATune, match=reason):
        abc_to_tokens(text)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "M:6/8 c |]",
        "M:6/8 K:Cmaj |]",
        "M:6/8 K:Cmaj c",
        "M:6/8 K:Cmaj 2 c |]",
        "M:6/8 K:Cmaj c 2 2 |]",
        "M:6/8 K:Cmaj c | | d |]",
        "M:6/8 K:Cmaj c > | d |]",
        "M:6/8 K:Cmaj c |] d |]",
        "M:6/8 K:Cmaj (3 | c |]",
        "M:6/8 K:Cmaj c M:6/8 |]",
    ],
)
def test_what_is_no_tune_is_refused(wrong: str) -> None:
    with pytest.raises(NotATune):
        check_tokens(wrong.split())


def test_every_tune_of_the_data_comes_back_from_abc() -> None:
    for side in celtic_tunes():
        for one in side:
            assert tuple(abc_to_tokens(one.abc)) == one.tokens


def test_tokens_sound_as_the_source_did() -> None:
    text = "G>A | Bcd ^c=c_B | (3ABc d2-d | d2 z GFE :|: =f2 f |1 g3 :|2 G3 |]"
    source = tune(text, "G")
    made, real = tokens_to_piece(abc_to_tokens(source)), read_bytes(source.encode(), "source", 24).select(0)
    assert made.key == "C major" and real.key == "G major"
    moved = real.transpose(made.notes()[0].pitch - real.notes()[0].pitch)
    assert np.array_equal(made.pitch, moved.pitch) and np.array_equal(made.onset, moved.onset)
    assert (made.time_signature, made.pickup) == (real.time_signature, real.pickup)


def test_bars_are_measured() -> None:
    tokens = "M:6/8 K:Cmaj G |: c 2 d (3 e f g e | c > d e /2 :|"
    assert tune_bars(tokens.split()) == [
        (Fraction(1, 8), "|:", ("G",)),
        (Fraction(3 + 2 + 1, 8), "|", tuple("c 2 d (3 e f g e".split())),
        (Fraction(5, 16), ":|", tuple("c > d e /2".split())),
    ]


def test_lengths_agree_with_the_reader() -> None:
    for one in celtic_tunes().test[::5]:
        quarters = 4 * float(sum(bar.length for bar in tune_bars(one.tokens)))
        assert len(one.piece) == pytest.approx(quarters * one.piece.steps_per_quarter, abs=1)


def test_pitches_are_those_that_sound() -> None:
    for one in celtic_tunes().test:
        assert tune_pitches(one.tokens).tolist() == [note.pitch for note in one.piece.notes()]
    # What a network may write: an accidental that lasts, and ties of every kind.
    odd = "M:4/4 K:Cmin ^f f E - E 2 - | E z e - ^e - e | =B 2 - | B - c - | c - z c |]".split()
    assert tune_pitches(odd).tolist() == [note.pitch for note in tokens_to_piece(odd).notes()]


def test_numbers_and_back() -> None:
    words = Vocabulary(("M:6/8", "K:Cmaj", "c", "|]"))
    assert len(words) == len(words.names) == 7
    numbers = words.encode(["M:6/8", "K:Cmaj", "c", "|]"])
    assert numbers.tolist() == [1, 3, 4, 5, 6, 2]
    assert words.decode(numbers) == words.decode([*numbers, 0, 0]) == ["M:6/8", "K:Cmaj", "c", "|]"]
    with pytest.raises(NotATune, match="'d'"):
        words.encode(["d"])
    with pytest.raises(NotATune, match="number 7"):
        words.decode([1, 7])


def test_every_tune_fits_the_vocabulary() -> None:
    words = celtic_vocabulary()
    for one in celtic_tunes().test:
        assert tuple(words.decode(words.encode(one.tokens))) == one.tokens
    assert tokens_to_abc(celtic_tunes().test[0].tokens, "x").startswith("X:1\nT:x\nM:")
