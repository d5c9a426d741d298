"""The panel in a real browser: an exported notebook, opened from disk."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from course_lib.music.files import read_bytes
from course_lib.music.piece import Piece
from course_lib.show.panel import Player

if TYPE_CHECKING:
    from playwright.sync_api import Page

SOURCE = """
import numpy as np
from course_lib.music.piece import Piece
from course_lib.show.panel import listen
pitch = np.repeat([[67, 64, 60, 48], [69, 65, 60, 53], [67, 62, 59, 55], [67, 64, 60, 48]], 4, axis=0)
onset = np.tile(np.arange(16) % 4 == 0, (4, 1)).T
piece = Piece(pitch, onset, title="Cadence", key="C major", tempo=120)
higher = Piece(pitch + 2, onset, title="Higher", key="D major", tempo=120)
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HTML of a notebook with three panels: one piece, the same piece again, two pieces side by side."""
    cells = [SOURCE + "listen(piece)", "listen(piece, caption='Once more.')", "listen(piece, higher, title=('A', 'B'))"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    # nbconvert's own page would load these from elsewhere; they have nothing to do with the panels.
    html, _ = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="").from_notebook_node(notebook)
    path = tmp_path_factory.mktemp("exported") / "panels.html"
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pieces() -> tuple[Piece, Piece]:
    scope: dict = {}
    exec(SOURCE, scope)
    return scope["piece"], scope["higher"]


@pytest.fixture
def page(browser_page: Page, exported: Path) -> Page:
    browser_page.goto(exported.as_uri())
    browser_page.wait_for_function("document.querySelectorAll('.listen.alive').length === 3")
    return browser_page


def place(page: Page, take: int) -> float:
    """Where the cursor stands in a roll, in percent of its width."""
    return float(page.locator(".cursor").nth(take).evaluate("c => c.style.left").rstrip("%"))


def moves(page: Page, take: int) -> None:
    start = place(page, take)
    page.wait_for_function(
        "([take, start]) => parseFloat(document.querySelectorAll('.cursor')[take].style.left) > start + 5",
        arg=[take, start],
    )


def test_play_moves_the_cursor_and_only_one_plays(page: Page) -> None:
    page.locator(".take button").nth(0).click()
    moves(page, 0)
    page.locator(".take button").nth(1).click()
    moves(page, 1)
    assert page.locator(".take button[aria-label=Pause]").count() == 1
    assert page.locator(".take button").nth(0).get_attribute("aria-label") == "Play"


def test_the_sound_is_there_and_in_step(page: Page) -> None:
    """What reaches the loudspeakers a second after the start is the second chord: its bass is F3."""
    recorded = page.evaluate(
        """async () => {
            window.courseSound = new AudioContext();
            const listener = window.courseSound.createAnalyser();
            listener.fftSize = 32768;
            const connect = AudioNode.prototype.connect;
            AudioNode.prototype.connect = function (to) {
                connect.call(this, listener);
                return connect.call(this, to);
            };
            document.querySelector('.take input').value = 0.5;
            document.querySelector('.take input').dispatchEvent(new Event('input'));
            document.querySelector('.take button').click();
            await new Promise((done) => setTimeout(done, 450));
            const samples = new Float32Array(listener.fftSize);
            listener.getFloatTimeDomainData(samples);
            return [Array.from(samples), window.courseSound.sampleRate];
        }"""
    )
    samples, rate = np.array(recorded[0]), recorded[1]
    samples = samples[len(samples) - round(0.3 * rate) :]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    level = {name: spectrum[round(hertz * (1 << 17) / rate)] for name, hertz in (("F3", 174.6), ("C3", 130.8))}
    assert np.abs(samples).max() > 0.05
    assert level["F3"] > 10 * level["C3"], level


def test_keyboard(page: Page) -> None:
    page.locator(".take button").nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator(".take input").nth(0).evaluate("s => Number(s.value)") == pytest.approx(1.0, abs=0.01)
    page.keyboard.press("ArrowLeft")
    assert page.locator(".take input").nth(0).evaluate("s => Number(s.value)") == pytest.approx(0.5, abs=0.01)
    page.keyboard.press("Space")
    moves(page, 0)
    page.keyboard.press("Space")
    assert page.locator(".take button").nth(0).get_attribute("aria-label") == "Play"
    stopped = place(page, 0)
    page.wait_for_timeout(200)
    assert place(page, 0) == stopped
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("Home")
    assert "bar 1, 0:00" in (page.locator(".take input").nth(0).get_attribute("aria-valuetext") or "")
    page.keyboard.press("Space")
    moves(page, 0)
    page.keyboard.press("End")
    assert place(page, 0) == 100
    assert page.locator(".take button").nth(0).get_attribute("aria-label") == "Play"


def test_a_click_in_the_roll_goes_there(page: Page) -> None:
    grid = page.locator(".grid").nth(0)
    box = grid.bounding_box()
    assert box
    grid.click(position={"x": box["width"] * 0.75, "y": 40})
    assert place(page, 0) == pytest.approx(75, abs=1)
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"


def test_pieces_side_by_side_sound_in_turn(page: Page) -> None:
    page.locator(".take button").nth(2).click()
    page.wait_for_function("document.querySelectorAll('.take button')[3].getAttribute('aria-label') === 'Pause'")
    assert page.locator(".take button").nth(2).get_attribute("aria-label") == "Play"
    moves(page, 3)


def test_downloads_read_back_equal(page: Page, pieces: tuple[Piece, Piece]) -> None:
    saved = {}
    for link in page.locator(".listen").nth(0).locator("a").all():
        with page.expect_download() as download:
            link.click()
        saved[download.value.suggested_filename] = Path(download.value.path()).read_bytes()
    assert set(saved) == {"cadence.mp3", "cadence.mid", "cadence.mxl"}
    assert read_bytes(saved["cadence.mid"], "cadence.mid") == pieces[0]
    assert read_bytes(saved["cadence.mxl"], "cadence.mxl") == pieces[0]
    inside = page.locator("audio").nth(0).get_attribute("src") or ""
    assert saved["cadence.mp3"] == base64.b64decode(inside.partition(",")[2])


def test_the_score_opens(page: Page) -> None:
    score = page.locator(".score img").nth(0)
    assert not score.is_visible()
    page.locator("summary").nth(0).click()
    assert score.is_visible()
    assert score.bounding_box()["height"] > 100


def test_no_id_stands_twice_and_nothing_is_loaded_from_elsewhere(page: Page, exported: Path) -> None:
    ids = page.evaluate("[...document.querySelectorAll('.listen, .listen [id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids)) == 3
    panels = "".join(page.locator(".listen").evaluate_all("panels => panels.map((panel) => panel.outerHTML)"))
    assert not re.search(r"""(?:src|href|url\()\s*=?\s*["']?https?:""", panels)


def test_phone(page: Page) -> None:
    """On a phone nothing sticks out: the roll scrolls inside its own box."""
    page.set_viewport_size({"width": 375, "height": 700})
    for take in page.locator(".take").all():
        box = take.bounding_box()
        assert box
        assert box["x"] >= 0 and box["x"] + box["width"] <= 375


def test_the_widget_changes_its_piece_in_place(browser_page: Page, pieces: tuple[Piece, Piece]) -> None:
    """The widget's script with a stand-in for the notebook's model: sound, place and the open score go on."""
    player = Player(pieces[0])
    states = [{"markup": player._markup, "sound": list(player._sound)}]
    player.piece = pieces[1]
    states.append({"markup": player._markup, "sound": list(player._sound)})
    browser_page.goto("about:blank")
    browser_page.evaluate(
        """async ([script, style, states]) => {
            document.head.appendChild(document.createElement("style")).textContent = style;
            const message = ({ markup, sound }) => ({
                _markup: markup, _sound: new DataView(new Uint8Array([7, ...sound, 7]).buffer, 1, sound.length),
            });
            let state = message(states[0]), changed;
            const model = { get: (name) => state[name], on: (_, handler) => { changed = handler; }, off: () => {} };
            window.change = () => { state = message(states[1]); changed(); };
            const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
            const { default: widget } = await import(url);
            window.leave = widget.render({ model, el: document.body.appendChild(document.createElement("div")) });
        }""",
        [Player._esm, Player._css, states],
    )
    page = browser_page
    page.locator("summary").click()
    page.locator(".take button").click()
    moves(page, 0)
    before = place(page, 0)
    page.evaluate("change()")
    assert page.locator(".name").inner_text() == "Higher"
    assert place(page, 0) >= before
    moves(page, 0)
    assert page.locator(".score img").is_visible()
    assert page.locator(".take button").get_attribute("aria-label") == "Pause"
    with page.expect_download() as download:
        page.locator("a.sound").click()
    assert Path(download.value.path()).read_bytes() == player._sound
    page.evaluate("leave()")
    assert page.locator(".take button").get_attribute("aria-label") == "Play"
