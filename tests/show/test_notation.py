"""The engraved score."""

from __future__ import annotations

import re
import threading
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from course_lib.music.piece import Note, Piece
from course_lib.show.notation import engrave, score_alt, svg_url

HEAD = "E0A4"  # the glyph of a black note head
FERMATA = "E4C0"


@pytest.fixture(scope="module")
def piece() -> Piece:
    notes = [Note(v, 72 - 7 * v + t, 4 * t, 4) for v in range(2) for t in range(5)]
    fermata = [False] * 16 + [True] * 4
    return Piece.from_notes(notes, 20, ("High", "Low"), title="Sco're", pickup=4, fermata=fermata)


def used(svg: str, glyph: str) -> int:
    return len(re.findall(rf'<use href="#[^"]*-{glyph}"', svg))


def test_it_shows_every_note_and_is_small(piece: Piece) -> None:
    svg = engrave(piece)
    root = ElementTree.fromstring(svg)
    assert used(svg, HEAD) == len(piece.notes()) == 10
    assert used(svg, FERMATA) == 2
    assert root.get("role") == "img"
    assert root.get("aria-label") == score_alt(piece) == "Score of Sco're: 1 bar, staves for High, Low."
    texts = {"".join(text.itertext()).strip() for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert texts == {"High", "Low"}  # no title: the page has it already
    assert "style" not in {element.tag.split("}")[1] for element in root.iter()}
    assert "@font-face" not in svg and "http" not in svg.replace("http://www.w3.org", "")
    assert len(svg) < 20_000


def test_two_scores_share_no_id_and_lack_none(piece: Piece) -> None:
    svgs = [engrave(piece), engrave(piece)]
    ids = [re.findall(r' id="([^"]+)"', svg) for svg in svgs]
    assert not set(ids[0]) & set(ids[1])
    for svg, own in zip(svgs, ids, strict=True):
        assert len(own) == len(set(own))
        assert set(re.findall(r'href="#([^"]+)"', svg)) <= set(own)


def test_it_works_in_the_thread_of_a_widget(piece: Piece) -> None:
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(engrave(piece)))
    thread.start()
    thread.join()
    assert used(results[0], HEAD) == 10


def test_width_breaks_systems(piece: Piece) -> None:
    long = Piece.from_notes([Note(0, 60 + t % 5, t, 1) for t in range(256)], 256, 1)
    heights = [float(ElementTree.fromstring(engrave(long, width)).get("height", "0px")[:-2]) for width in (600, 1200)]
    assert heights[0] > 1.5 * heights[1]


def test_as_the_address_of_an_image_it_is_the_same(piece: Piece) -> None:
    svg = engrave(piece)
    address = svg_url(svg)
    assert address.startswith("data:image/svg+xml,") and not set(address) & set('"<>#\n')
    shown = unquote(address.partition(",")[2])
    assert ElementTree.canonicalize(shown) == ElementTree.canonicalize(svg)
