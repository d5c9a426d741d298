"""The panel's page: complete, self-contained, described, small."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile

from course_lib.music.datasets import chorales
from course_lib.music.errors import MusicError
from course_lib.music.files import midi_bytes, read_bytes
from course_lib.music.piece import Note, Piece
from course_lib.show import roll
from course_lib.show.panel import listen


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def piece() -> Piece:
    notes = [Note(v, 72 - 5 * v, 4 * t, 4) for v in range(4) for t in range(8)]
    return Piece.from_notes(notes, 32, 4, title="A <b>title</b>", key="C major")


@pytest.fixture(scope="module")
def html(piece: Piece) -> str:
    return listen(piece, caption="Listen & look.").html


def test_everything_is_there_and_described(html: str, piece: Piece) -> None:
    tags = Tags(html)
    drawn, score = tags.all("img")
    assert drawn["alt"] == roll.roll_alt(piece)
    assert score["alt"].startswith("Score of A <b>title</b>: 2 bars")
    assert tags.all("figure")[0]["aria-label"] == "A <b>title</b>"
    assert "<b>" not in html and "<p>Listen &amp; look.</p>" in html
    assert [name for name, _ in tags.found if name in ("audio", "summary", "script")] == ["audio", "summary", "script"]


def test_nothing_is_loaded_from_elsewhere(html: str) -> None:
    for _, attributes in Tags(html).found:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "http" not in re.sub(r"http(:|%3A)//www\.w3\.org/\d+/(svg|xlink)", "", unquote(html))
    assert not re.search(r"@import|url\(|import\(|fetch\(|XMLHttpRequest|WebSocket", html)


def test_the_roll_draws_every_note(html: str, piece: Piece) -> None:
    svg = unquote(Tags(html).all("img")[0]["src"])
    paths = re.findall(r"fill='(#\w{6})' d='([^']*)'", svg)
    assert {colour: d.count("z") for colour, d in paths} == dict.fromkeys(roll.VOICE_COLOURS[:4], 8)


def test_files_read_back_equal(html: str, piece: Piece) -> None:
    links = {link["download"]: link.get("href", "") for link in Tags(html).all("a")}
    assert list(links) == ["a-b-title-b.mp3", "a-b-title-b.mid", "a-b-title-b.mxl"]
    content = {name: base64.b64decode(url.partition(",")[2]) for name, url in links.items()}
    assert content["a-b-title-b.mid"] == midi_bytes(piece)
    assert read_bytes(content["a-b-title-b.mxl"], "the download") == piece


def test_the_sound_is_as_long_as_the_roll(html: str, piece: Piece) -> None:
    sound = base64.b64decode(Tags(html).all("audio")[0]["src"].partition(",")[2])
    assert soundfile.info(io.BytesIO(sound)).duration == pytest.approx(piece.seconds + 1, abs=0.05)


def test_no_two_panels_have_an_id_in_common(piece: Piece) -> None:
    ids = [attributes["id"] for _ in range(3) for _, attributes in Tags(listen(piece).html).found if "id" in attributes]
    assert len(ids) == len(set(ids)) == 3


def test_several_pieces_share_one_scale(piece: Piece) -> None:
    higher = piece.transpose(5).window(0, 16)
    panel = listen(piece, higher, title=("low", "high"))
    tags = Tags(panel.html)
    assert [figure["aria-label"] for figure in tags.all("figure")] == ["low", "high"]
    boxes = {re.search(r"viewBox='([^']*)'", unquote(image["src"]))[1] for image in tags.all("img")[::2]}
    assert len(boxes) == 1
    assert repr(panel).count("Piano roll of") == 2


def test_titles_pair_with_pieces(piece: Piece) -> None:
    with pytest.raises(MusicError, match="1 titles for 2 pieces"):
        listen(piece, piece, title="one")
    with pytest.raises(MusicError, match="at least one piece"):
        listen()


def test_sizes() -> None:
    """A whole chorale of 45 seconds, and four bars."""
    whole = min(chorales().train, key=lambda c: abs(c.seconds - 45))
    assert len(listen(whole).html) < 350_000
    assert len(listen(whole.window(whole.pickup, 4 * whole.bar_steps)).html) < 130_000


def test_odd_pieces_have_panels_too() -> None:
    silence = Piece(np.full((3, 1), -1), np.zeros((3, 1), bool), time_signature=(7, 8))
    crowd = Piece.from_notes([Note(v, 30 + 3 * v, 0, 4) for v in range(17)], 8, 17)
    for piece in (silence, crowd):
        assert "Untitled" in listen(piece).html
