"""A real JupyterLab in a real browser, as a newcomer meets it: open, Run All, play, slide, type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from course_lib.music.errors import MusicError
from course_lib.music.files import read_bytes
from tests.browser.lab import MINUTE, ROOT, Lab, open_notebook, run_all

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# One JupyterLab for this file, also where the tests run in several processes.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab")]

LOCAL_SOCKET = re.compile(r"wss?://(localhost|127\.0\.0\.1|\[::1\])[:/]")


@pytest.fixture
def page(browser_page: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The watched page at a projector's width; where its test fails, a picture of it is left in results/."""
    sockets: list[str] = []
    browser_page.on("websocket", lambda socket: sockets.append(socket.url))
    browser_page.set_viewport_size({"width": 1280, "height": 800})
    browser_page.set_default_timeout(MINUTE)
    failed = request.session.testsfailed
    yield browser_page
    if request.session.testsfailed > failed:
        (ROOT / "results").mkdir(exist_ok=True)
        browser_page.screenshot(path=ROOT / "results" / f"{request.node.name}.png")
    assert [url for url in sockets if not LOCAL_SOCKET.match(url)] == []


def saved(page: Page, path: Path) -> nbformat.NotebookNode:
    """The notebook as JupyterLab writes it."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("ControlOrMeta+s")
    for _ in range(100):
        page.wait_for_timeout(100)
        if path.stat().st_mtime_ns != before:
            with suppress(ValueError):  # JupyterLab is still writing
                return nbformat.read(path, as_version=4)
    raise AssertionError("JupyterLab has not saved the notebook within ten seconds")


def place(take: Locator) -> float:
    """Where the cursor stands in the roll, in percent of its width."""
    return float(take.locator(".cursor").evaluate("cursor => cursor.style.left").rstrip("%"))


def plays(page: Page, take: Locator) -> None:
    """Sees the cursor move."""
    cursor = [take.locator(".cursor").element_handle(), place(take)]
    page.wait_for_function("([cursor, start]) => parseFloat(cursor.style.left) > start + 2", arg=cursor)


def music(take: Locator, other_than: str | None = None) -> str | None:
    """The picture of the roll, as soon as it is another one."""
    from playwright.sync_api import expect

    if other_than:
        expect(take.locator(".roll img")).not_to_have_attribute("src", other_than, timeout=MINUTE)
    return take.locator(".roll img").get_attribute("src")


def test_the_first_screen_plays_before_anything_has_run(page: Page, lab: Lab) -> None:
    open_notebook(page, lab.address())
    assert page.url.startswith(f"{lab.url}lab/tree/notebooks/00_start_here.ipynb")
    title = page.locator(".jp-Notebook h1").first.bounding_box()
    assert title and title["y"] < 200
    assert page.locator(".jp-Notebook").evaluate("all => all.scrollWidth - all.clientWidth") <= 0
    take = page.locator(".listen.alive .take").first
    take.get_by_role("button").click()
    plays(page, take)
    assert page.locator(".jp-Dialog, .Toastify__toast").count() == 0


def test_minibach(page: Page, lab: Lab) -> None:
    open_notebook(page, lab.address("lab/tree/notebooks/02_minibach.ipynb"))
    run_all(page)
    book = saved(page, lab.home / "notebooks" / "02_minibach.ipynb")
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
    assert {path.suffix for path in (lab.home / "results" / "02").iterdir()} >= {".mp3", ".mid", ".musicxml"}

    listen_in_lab(page)
    slide(page)
    type_a_melody(page)


def listen_in_lab(page: Page) -> None:
    """The panel of ``listen`` in the page: sound, keys, score, files."""
    take = page.locator(".jp-RenderedHTMLCommon .listen.alive .take").first
    take.get_by_role("button").click()
    plays(page, take)
    status = page.locator("#jp-main-statusbar").get_by_text(re.compile(r"^Cell \d+"))
    cell = status.inner_text()
    page.keyboard.press("Space")
    assert take.get_by_role("button").get_attribute("aria-label") == "Play"
    stood = place(take)
    page.keyboard.press("ArrowUp")
    bar = place(take)
    assert bar > stood + 10
    page.keyboard.press("ArrowRight")
    assert bar < place(take) < bar + 10
    page.keyboard.press("ArrowDown")
    assert place(take) < bar
    assert status.inner_text() == cell  # JupyterLab took none of the keys

    score = take.locator(".score img")
    take.locator("summary").click()
    assert score.bounding_box()["height"] > 100
    files = {}
    for link in take.locator(".more a").all():
        with page.expect_download() as download:
            link.click()
        files[Path(download.value.suggested_filename).suffix] = Path(download.value.path()).read_bytes()
    assert set(files) == {".mp3", ".mid", ".mxl"}
    piece = read_bytes(files[".mid"], "x.mid")
    assert piece == read_bytes(files[".mxl"], "x.mxl")
    assert piece.pitch.shape == (64, 4)


def slide(page: Page) -> None:
    """The sliders train another network, which answers otherwise."""
    box = page.locator(".jp-OutputArea-output", has=page.get_by_text("hidden units", exact=True))
    take, report = box.locator(".take"), box.locator(".widget-html-content")
    answers = [music(take)]
    reports = []
    for slider, key, setting in (("dropout", "PageUp", "200 hidden units, dropout 0.5"), ("hidden units", "Home", "2")):
        box.locator(".widget-hslider", has_text=slider).get_by_role("slider").focus()
        page.keyboard.press(key)
        report.get_by_text(re.compile(rf"^{setting}\b.*: .*\d\.\d\d")).wait_for(timeout=3 * MINUTE)
        answers.append(music(take, other_than=answers[-1]))
        reports.append(report.inner_text().partition(":")[2])
    assert len(set(answers)) == 3 and len(set(reports)) == 2, reports
    take.get_by_role("button").click()
    plays(page, take)


def type_a_melody(page: Page) -> None:
    """A melody is harmonised; nonsense gets the library's own sentence, whole, and changes nothing."""
    box = page.locator(".jp-OutputArea-output", has=page.locator("textarea"))
    take, words = box.locator(".take"), box.locator(".widget-html-content")
    before = music(take)
    box.locator("textarea").fill("X:1\nT:Test\nM:4/4\nL:1/4\nK:F\nF G A B | c2 F2 |]")
    box.get_by_role("button", name="Harmonise").click()
    harmonised = music(take, other_than=before)
    alt = take.locator(".roll img").get_attribute("alt") or ""
    assert "2 bars" in alt and "Soprano F4 to C5" in alt and "Bass" in alt
    words.get_by_text("32 sixteenths").wait_for()

    nonsense = "This is <b>no</b> melody."
    with pytest.raises(MusicError) as refusal:
        read_bytes(nonsense.encode(), "typed.abc")
    box.locator("textarea").fill(nonsense)
    box.get_by_role("button", name="Harmonise").click()
    words.get_by_text(str(refusal.value)).wait_for()
    assert music(take) == harmonised


def test_region(page: Page, lab: Lab) -> None:
    """Another version of the selected bars is another music; Undo brings the old one back; no voice, no change."""
    open_notebook(page, lab.address("lab/tree/notebooks/09_bidirectional_rnn.ipynb"))
    run_all(page)
    box = page.locator(".jp-OutputArea-output", has=page.get_by_role("button", name="Another version"))
    take, words = box.locator(".take"), box.locator(".widget-html-content")
    another, undo = box.get_by_role("button", name="Another version"), box.get_by_role("button", name="Undo")
    first = music(take)
    assert undo.is_disabled()
    another.click()
    second = music(take, other_than=first)
    words.get_by_text(re.compile(r"Bars 2 to 3: \d+ of 48 selected cells")).wait_for()
    undo.click()
    assert music(take, other_than=second) == first

    box.locator(".widget-hslider", has_text="bars").get_by_role("slider").last.focus()
    page.keyboard.press("ArrowRight")  # to bar 4
    box.get_by_label("Alto").uncheck()
    another.click()
    music(take, other_than=first)
    words.get_by_text(re.compile(r"Bars 2 to 4: \d+ of 48 selected cells")).wait_for()
    take.get_by_role("button").click()
    plays(page, take)
    for voice in ("Tenor", "Bass"):
        box.get_by_label(voice).uncheck()
    another.click()
    words.get_by_text("Nothing is selected").wait_for()


def test_lstm(page: Page, lab: Lab) -> None:
    """The temperature slider plays another tune; a typed beginning is kept; nonsense changes nothing."""
    open_notebook(page, lab.address("lab/tree/notebooks/05_lstm.ipynb"))
    run_all(page)
    box = page.locator(".jp-OutputArea-output", has=page.get_by_text("temperature", exact=True))
    take, words = box.locator(".take"), box.locator(".widget-html-content")
    tunes = [music(take)]
    for key in ("Home", "PageUp"):
        box.locator(".widget-hslider", has_text="temperature").get_by_role("slider").focus()
        page.keyboard.press(key)
        tunes.append(music(take, other_than=tunes[-1]))
        words.get_by_text(re.compile(r"\d+ of \d+ bars complete")).wait_for()
    assert len(set(tunes)) == 3
    take.get_by_role("button").click()
    plays(page, take)

    box.locator("textarea").fill("M:9/8\nK:Em\nB2 B e2 d BAG |")
    typed = music(take, other_than=tunes[-1])
    assert "9/8 time" in (take.locator(".roll img").get_attribute("alt") or "")
    box.locator("textarea").fill("This is <b>no</b> tune.")
    words.get_by_text("No tune this time").wait_for()
    assert music(take) == typed
    box.get_by_role("button", name="Another tune").click()
    words.get_by_text("No tune this time").wait_for()


def test_rnn_encoder_decoder(page: Page, lab: Lab) -> None:
    """Another soprano and draws write other basses; a typed melody keeps its notes; nonsense changes nothing."""
    open_notebook(page, lab.address("lab/tree/notebooks/10_rnn_encoder_decoder.ipynb"))
    run_all(page)
    box = page.locator(".jp-OutputArea-output", has=page.get_by_text("way of writing", exact=True))
    take, words = box.locator(".take"), box.locator(".widget-html-content").last
    basses = [music(take)]
    soprano, way = box.get_by_label("soprano", exact=True), box.get_by_label("way of writing", exact=True)
    another = box.get_by_role("button", name="Another draw")
    assert another.is_disabled()

    def pick(control: Locator, choice: str | int) -> None:
        control.select_option(index=choice) if isinstance(choice, int) else control.select_option(choice)
        basses.append(music(take, other_than=basses[-1]))

    pick(soprano, 1)
    pick(way, "draw")
    another.click()
    basses.append(music(take, other_than=basses[-1]))
    assert len(set(basses)) == len(basses)
    words.get_by_text(re.compile(r"\d+ eighths, log p = -\d+\.\d\d nats")).wait_for()
    take.get_by_role("button").click()
    plays(page, take)

    pick(soprano, "my own melody, below")
    assert "4 bars" in (take.locator(".roll img").get_attribute("alt") or "")
    box.get_by_label("ABC", exact=True).fill("X:1\nM:3/4\nL:1/4\nK:F\nF G A | B A G | F3 |]")
    typed = music(take, other_than=basses[-1])
    alt = take.locator(".roll img").get_attribute("alt") or ""
    assert "3/4 time, 3 bars" in alt and "F4 to Bb4" in alt and "Bass" in alt
    words.get_by_text("18 eighths").wait_for()
    box.get_by_label("ABC", exact=True).fill("This is <b>no</b> melody.")
    words.get_by_text("This does not work yet").wait_for()
    assert music(take) == typed


def test_rnn_rbm(page: Page, lab: Lab) -> None:
    """Another melody, temperature and draw write other voices; a typed melody is on top; nonsense changes nothing."""
    open_notebook(page, lab.address("lab/tree/notebooks/12_rnn_rbm.ipynb"))
    run_all(page)
    box = page.locator(".jp-OutputArea-output", has=page.get_by_role("button", name="Another draw"))
    take, words = box.locator(".take"), box.locator(".widget-html-content").last
    written = [music(take)]
    box.get_by_label("melody", exact=True).select_option(index=1)
    written.append(music(take, other_than=written[-1]))
    box.locator(".widget-hslider", has_text="temperature").get_by_role("slider").focus()
    page.keyboard.press("PageUp")
    written.append(music(take, other_than=written[-1]))
    box.get_by_role("button", name="Another draw").click()
    written.append(music(take, other_than=written[-1]))
    assert len(set(written)) == len(written)
    words.get_by_text(re.compile(r"\d+ beats; a note of the melody costs \d\.\d\d nats")).wait_for()
    take.get_by_role("button").click()
    plays(page, take)

    box.get_by_label("melody", exact=True).select_option("my own melody, below")
    written.append(music(take, other_than=written[-1]))
    box.get_by_label("notes", exact=True).fill("G4 A4 B4 C5 - E5 D5 C5")
    typed = music(take, other_than=written[-1])
    assert "2 bars" in (alt := take.locator(".roll img").get_attribute("alt") or "") and "Soprano G4 to E5" in alt
    words.get_by_text("8 beats").wait_for()
    box.get_by_label("notes", exact=True).fill("This is <b>no</b> melody.")
    words.get_by_text("This does not work yet").wait_for()
    assert music(take) == typed
