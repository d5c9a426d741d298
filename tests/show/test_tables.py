"""Tables and the scoreboard, in HTML and in plain text."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from course_lib.music.errors import MusicError
from course_lib.music.piece import Piece
from course_lib.show.tables import scoreboard, table

ROWS = [("most frequent", 0.15, 12345), ("MiniBach <1>", 0.4, 7), ("neighbour", 0.4000001, None)]
COLUMNS = ("model", "accuracy", "parameters")


def test_plain_text() -> None:
    text = repr(table(ROWS, COLUMNS, "Test chorales.", best={"accuracy": max, "parameters": min}))
    assert text.split("\n") == [
        "Test chorales.",
        "model          accuracy  parameters",
        "-------------  --------  ----------",
        "most frequent     0.150      12,345",
        "MiniBach <1>    * 0.400         * 7",
        "neighbour       * 0.400           –",
        "* best in its column",
    ]


def test_html_is_a_table_with_caption_and_scopes() -> None:
    root = ElementTree.fromstring(table(ROWS, COLUMNS, "A & B", best={"accuracy": max})._repr_html_())
    caption = root.find(".//caption")
    assert "".join(caption.itertext()) == "A & B★ best in its column" and caption.find("br") is not None
    assert [(th.get("scope"), th.text) for th in root.iter("th")] == [
        *(("col", name) for name in COLUMNS),
        *(("row", row[0]) for row in ROWS),
    ]
    assert [strong.text for strong in root.iter("strong")] == ["★ 0.400", "★ 0.400"]
    assert {td.get("style") for td in root.iter("td")} == {"text-align:right;padding:2px 10px;white-space:nowrap"}
    assert root.find(".//thead/tr/th").get("style") == "text-align:left;padding:2px 10px"


def test_numbers_as_asked_and_nothing_from_nothing() -> None:
    shown = table([("a", 1.23456, float("nan"))], ("x", "y", "z"), "", best={"z": max}, digits=1)
    assert shown.cells == [["a", "1.2", "–"]]
    assert shown.best == set()


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="2 cells for 3 columns"):
        table([("a", 1)], COLUMNS, "")
    with pytest.raises(ValueError, match="'speed'"):
        table(ROWS, COLUMNS, "", best={"speed": max})


def spans(*semitones: int) -> list[Piece]:
    """For each number a melody of two notes that far apart."""
    return [Piece(np.array([[60], [60 + s]]), np.ones((2, 1), bool)) for s in semitones]


def test_the_scoreboard_marks_what_lies_outside_the_first_group() -> None:
    shown = scoreboard({"Bach": spans(3, 5), "near": spans(4), "far": spans(9)}, "Tunes.")
    rows = {row[0]: row[1:] for row in shown.cells}
    assert shown.columns == ["measure", "Bach", "near", "far"]
    assert rows["tone span (semitones)"] == ["4.00 (3.10–4.90)", "4.00 (4.00–4.00)", "9.00 (9.00–9.00) ✗"]
    assert not any("voice crossings" in name for name in rows)  # not defined for single voices
    assert shown.caption.startswith("Tunes. Mean (5th–95th percentile)") and "of Bach." in shown.caption


def test_the_scoreboard_needs_pieces() -> None:
    with pytest.raises(MusicError, match="0 pieces"):
        scoreboard({"real": spans(1), "none": []})
