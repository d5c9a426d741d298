"""The explorer in a real JupyterLab, and its atlas in a page that was exported."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from benchmarks import explorer as benchmark
from course_lib.music.files import read_bytes
from course_lib.show.widgets.explorer import Decoder
from tests.browser.lab import MINUTE, Lab, open_cells

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab")]

SOURCE = """
import numpy as np
from course_lib.music.datasets import chorales, windows
from course_lib.music.piece import Piece
from course_lib.show.widgets import Explorer

train = windows(chorales().train, bars=2, stride=8)[:200]
test = windows(chorales().test, bars=2, stride=8)[:5]
rows = np.stack([window.pitch.ravel() for window in train]).astype(float)
mean = rows.mean(axis=0)
axes = np.linalg.svd(rows - mean, full_matrices=False)[2][:10]
encode = lambda window: (window.pitch.ravel() - mean) @ axes.T

def decode(code):
    pitch = np.clip(np.round(mean + code @ axes), 30, 90).astype(int).reshape(32, 4)
    pitch = pitch[::2].repeat(2, axis=0)
    onset = np.ones_like(pitch, bool)
    onset[1:] = pitch[1:] != pitch[:-1]
    return Piece(pitch, onset, tempo=120)

explorer = Explorer(
    decode, np.stack([encode(window) for window in train]), [window.title for window in train],
    [(window.title, encode(window)) for window in test], caption="Drag the marker.",
)
"""


class Hand:
    """What a hand does with an explorer, and what the eye sees after it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".explorer")
        self.pad = self.root.locator(".pad")

    def notes(self) -> str:
        """All that is drawn of the roll."""
        return "|".join(self.root.locator(".notes path").evaluate_all("all => all.map((p) => p.getAttribute('d'))"))

    def rests(self, before: str | None = None) -> str:
        """The notes once every question has got its answer; other ones than before."""
        if before is not None:
            self.page.wait_for_function(
                "before => [...document.querySelectorAll('.explorer .notes path')]"
                ".map((p) => p.getAttribute('d')).join('|') !== before",
                arg=before,
            )
        self.root.locator(".place[aria-busy=false]").wait_for()
        return self.notes()

    def drag(self, *places: tuple[float, float]) -> None:
        """Presses at the first place, in shares of the pad, drags through the others and lets go."""
        self.pad.scroll_into_view_if_needed()
        box = self.pad.bounding_box()
        assert box
        for i, (x, y) in enumerate(places):
            self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8 if i else 1)
            if not i:
                self.page.mouse.down()
        self.page.mouse.up()

    def marker(self) -> tuple[float, float]:
        """Where the marker stands, in shares of the pad."""
        style = self.root.locator(".marker").evaluate("m => [parseFloat(m.style.left), parseFloat(m.style.top)]")
        return style[0] / 100, style[1] / 100

    def save(self, button: str) -> bytes:
        """The content of the file behind a button."""
        with self.page.expect_download() as download:
            self.root.get_by_role("button", name=button, exact=True).click()
        return Path(download.value.path()).read_bytes()


STAGES = """
() => {
    window.stages = [];
    for (const stage of ["asked", "drawn", "sounding"]) {
        document.querySelector(".explorer").addEventListener(`explorer-${stage}`, ({ detail }) => {
            window.stages.push([stage, Number(detail.split(" ")[1])]);
        });
    }
}
"""


def asked(order: list[tuple[str, int]]) -> list[int]:
    """The numbers of the questions that were asked."""
    return [number for stage, number in order if stage == "asked"]


def plays(page: Page, cursor: Locator) -> None:
    """Sees the cursor move."""
    start = [cursor.element_handle(), cursor.evaluate("c => c.style.left")]
    page.wait_for_function("([cursor, start]) => cursor.style.left !== start", arg=start)


def opens(page: Page, lab: Lab, source: str) -> None:
    """A notebook of one cell, which has run; its explorer is there."""
    page.set_default_timeout(MINUTE)
    page.set_viewport_size({"width": 1280, "height": 1000})
    open_cells(page, lab, "explorer", source)
    page.locator(".explorer .notes").wait_for()


@pytest.fixture(scope="module")
def decode() -> Decoder:
    scope: dict = {}
    exec(SOURCE, scope)
    return scope["decode"]


def test_in_the_lab(browser_page: Page, lab: Lab, decode: Decoder) -> None:
    page = browser_page
    opens(page, lab, SOURCE + "explorer")
    hand = Hand(page)
    start = hand.rests()

    page.evaluate(STAGES)
    # The pad: the sound begins under the hand and goes on while the roll changes; questions do not pile up.
    hand.drag((0.5, 0.5), (0.2, 0.3), (0.7, 0.6))
    dragged = hand.rests(start)
    assert hand.marker() == pytest.approx((0.7, 0.6), abs=0.01)
    plays(page, hand.root.locator(".cursor"))
    hand.drag((0.7, 0.6), (0.4, 0.4))
    plays(page, hand.root.locator(".cursor"))
    dragged = hand.rests(dragged)
    order = page.evaluate("window.stages")  # of questions: asked, drawn, and one after the other
    assert [stage for stage, _ in order[:2]] == ["asked", "drawn"] and order[0][1] == order[1][1]
    assert [stage for stage, _ in order if stage != "sounding"] == ["asked", "drawn"] * (len(asked(order)))
    sounding = [number for stage, number in order if stage == "sounding"]
    assert sounding and sounding == sorted(set(sounding)) and set(sounding) <= set(asked(order))
    status = hand.root.get_by_role("status")
    status.get_by_text(re.compile(r"^Moved to .* across, .* up\. New notes: .*Nearest training piece: BWV")).wait_for()

    # Keys; none of them is JupyterLab's.
    hand.root.get_by_role("button", name="Pause").click()
    hand.pad.focus()
    x, y = hand.marker()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    moved = hand.rests(dragged)
    assert hand.marker() == pytest.approx((x + 0.025, y - 0.125), abs=0.002)
    assert re.match(r"-?\d+\.\d\d across, .*nearest training piece", hand.pad.get_attribute("aria-valuetext"))
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert hand.rests(moved) == dragged
    page.keyboard.press("Control+Shift+z")
    hand.root.get_by_role("button", name="Redo").click()
    assert hand.rests(dragged) == moved

    # A slider for each number.
    hand.root.get_by_text("All 10 numbers of the code").click()
    sliders = hand.root.locator(".sliders").get_by_role("slider")
    assert sliders.count() == 10
    sliders.nth(3).focus()
    page.keyboard.press("PageUp")
    slid = hand.rests(moved)

    # A, B and the way between them.
    hand.root.get_by_label("Piece B").select_option(index=3)
    morph = hand.root.get_by_role("slider", name="From A to B")
    morph.focus()
    page.keyboard.press("End")
    at_b = hand.rests(slid)
    code = np.array(json.loads(hand.save("numbers"))["code"], np.float32)
    page.keyboard.press("Tab")
    hand.root.get_by_label("Piece A").select_option(index=4)
    morph.focus()
    page.keyboard.press("Home")
    at_a = hand.rests(at_b)
    assert at_a != at_b

    # Files: what is saved is what is shown.
    piece = decode(code)
    page.keyboard.press("End")
    assert hand.rests(at_a) == at_b
    assert read_bytes(hand.save("MIDI"), "x.mid") == piece == read_bytes(hand.save("MusicXML"), "x.mxl")
    hand.root.get_by_text("Score", exact=True).click()
    # A picture that is still being loaded has no box.
    page.wait_for_function("document.querySelector('.explorer .score img')?.getBoundingClientRect().height > 80")
    hand.root.get_by_role("button", name="Go there").click()
    status.get_by_text(re.compile(r"^At BWV")).wait_for()
    assert page.evaluate("document.querySelector('.jp-Notebook').scrollWidth <= innerWidth")


MOODY = """
import numpy as np
from course_lib.music.piece import Piece
from course_lib.show.widgets import Explorer

def decode(code):
    if code[1] > 0.4:
        raise ValueError("no music up here")
    steps = 16 if code[0] < 0 else 48  # two or six seconds
    return Piece(np.full((steps, 1), 60), np.arange(steps)[:, None] % 4 == 0, tempo=120)

explorer = Explorer(decode, np.array([[-1, -1], [1, -1], [0.5, 0.3]]), ["low", "high", "mid"], plane=(0, 1))
"""


def test_lengths_that_change_and_errors(browser_page: Page, lab: Lab) -> None:
    page = browser_page
    opens(page, lab, MOODY + "explorer")
    hand = Hand(page)
    length = hand.root.locator(".transport output")
    status = hand.root.get_by_role("status")
    hand.drag((0.8, 0.5), (0.2, 0.5))
    length.get_by_text("/ 0:02").wait_for()
    plays(page, hand.root.locator(".cursor"))
    hand.drag((0.2, 0.5), (0.8, 0.5))
    length.get_by_text("/ 0:06").wait_for()
    plays(page, hand.root.locator(".cursor"))
    six = hand.rests()
    hand.drag((0.8, 0.5), (0.8, 0.05))
    status.get_by_text("ValueError: no music up here").wait_for()
    assert hand.notes() == six
    hand.drag((0.8, 0.05), (0.2, 0.5))
    length.get_by_text("/ 0:02").wait_for()
    status.get_by_text(re.compile("^Moved to .*New notes|^Moved to .*No note is new")).wait_for()
    assert page.locator(".explorer .status.wrong").count() == 0


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HTML of a notebook with an atlas."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SOURCE + "explorer.atlas(5)")])
    # The state of widgets is not kept: for its sake the page would load a script from elsewhere.
    NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=False).execute()
    html, _ = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="").from_notebook_node(notebook)
    path = tmp_path_factory.mktemp("exported") / "atlas.html"
    path.write_text(html, encoding="utf-8")
    return path


def test_the_atlas_in_an_exported_page(browser_page: Page, exported: Path) -> None:
    page = browser_page
    page.goto(exported.as_uri())
    hand = Hand(page)
    start = hand.rests()
    assert hand.marker() == pytest.approx((0.5, 0.5), abs=0.01)
    hand.drag((0.5, 0.5), (0.9, 0.9))
    corner = hand.rests(start)
    plays(page, hand.root.locator(".cursor"))
    hand.pad.focus()
    page.keyboard.press("ArrowLeft")
    beside = hand.rests(corner)
    page.keyboard.press("ArrowRight")
    assert hand.rests(beside) == corner
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)  # the map ends here
    assert hand.rests() == corner
    hand.root.get_by_role("button", name="Undo").click()
    hand.root.get_by_role("status").get_by_text(re.compile("^Undone. New notes:")).wait_for()
    assert len(json.loads(hand.save("numbers"))["code"]) == 10
    page.set_viewport_size({"width": 375, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_the_atlas_sounds_like_its_notes(browser_page: Page, exported: Path, decode: Decoder) -> None:
    """In the samples of the loop, a note of a beat or longer is louder than what lies beside it."""
    browser_page.goto(exported.as_uri())
    browser_page.evaluate(
        """() => {
            window.loops = [];
            const copy = AudioBuffer.prototype.copyToChannel;
            AudioBuffer.prototype.copyToChannel = function (samples, channel) {
                window.loops.push([Array.from(samples), this.sampleRate]);
                return copy.call(this, samples, channel);
            };
        }"""
    )
    hand = Hand(browser_page)
    hand.drag((0.5, 0.5), (0.75, 0.75))
    hand.rests()
    browser_page.wait_for_function("window.loops.length > 0")
    samples, rate = browser_page.evaluate("window.loops.at(-1)")
    piece = decode(np.array(json.loads(hand.save("numbers"))["code"], np.float32))
    assert len(samples) == round(piece.seconds * rate)
    assert np.abs(samples).max() <= 0.91
    spectrum_size = 1 << 16
    found = 0
    for note in piece.notes():
        if note.length < 4:
            continue
        start, end = (round(step * piece.step_seconds * rate) for step in (note.start, note.start + note.length))
        part = np.array(samples[start:end])
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), spectrum_size))
        at = [spectrum[round(hertz(note.pitch + off) * spectrum_size / rate)] for off in (-0.5, 0, 0.5)]
        found += at[1] > max(at[0], at[2])
    assert found > 0.9 * sum(note.length >= 4 for note in piece.notes())


def hertz(pitch: float) -> float:
    return 440 * 2 ** ((pitch - 69) / 12)


def test_the_benchmark_of_its_latency(browser: Browser) -> None:
    rows = list(benchmark.run(moves=10, browser=browser))
    assert all(row.samples and min(row.samples) > 0 for row in rows)
    assert [row.what for row in rows] == [
        "lesson 04: pointer move → roll on the screen",
        "pointer move → new sound",
        "question → roll: kernel and transfer",
        "drawing",
        "question → new sound: kernel, transfer and decoding",
        "of this, synthesis",
        "of this, encoding as FLAC",
    ]
