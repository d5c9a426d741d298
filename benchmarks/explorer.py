"""From a movement of the hand to the new roll and to the new sound: the latent explorer in JupyterLab and Chromium."""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from benchmarks._measure import ROOT, Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

QUICK = {"moves": 40}
LESSON = ROOT / "notebooks" / "04_variational_autoencoder.ipynb"

KERNEL = ("decode", "roll", "synthesis", "encoding")  # what the kernel times itself, in this order
PAUSE = 3  # seconds in which a person looks at it before the hand moves
WATCH = """
() => {
    window.moves = [];
    document.querySelector(".explorer .pad").addEventListener("pointermove", (event) => {
        for (const move of event.getCoalescedEvents()) window.moves.push(move.timeStamp);
    }, { capture: true });
}
"""


def lesson() -> list[str]:
    """Lesson 04 as two cells: all that comes before its explorer, without what it shows, and the explorer."""
    code = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    last = next(i for i, source in enumerate(code) if "explorer = Explorer(" in source)
    return ["%%capture\n" + "\n\n".join(code[:last]), code[last]]


def drag(page: Page, moves: int, rate: float) -> tuple[list[float], list[dict[str, float]]]:
    """Drags the pad's marker about, ``rate`` moves a second.

    When each move happened, and the explorer's own notes of questions and answers, all in milliseconds of the
    page's clock.
    """
    box = page.locator(".explorer .pad").bounding_box()
    assert box

    def place(t: float) -> tuple[float, float]:  # seconds → a smooth way about the pad, as a hand goes it
        x, y = 0.5 + 0.4 * math.sin(1.1 * t), 0.5 + 0.4 * math.sin(1.7 * t)
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    page.mouse.move(*place(0))
    page.mouse.down()
    page.evaluate(WATCH)
    start = time.perf_counter()
    for number in range(1, moves + 1):
        time.sleep(max(0, start + number / rate - time.perf_counter()))
        page.mouse.move(*place(number / rate))
    page.mouse.up()
    page.wait_for_function(
        "() => { const { timings } = document.querySelector('.explorer');"
        " return timings.at(-1).drawn && timings.some((entry) => entry.heard && entry.moved >= window.moves.at(-1)); }"
    )
    return page.evaluate("window.moves"), page.evaluate("document.querySelector('.explorer').timings")


def latencies(moves: list[float], answers: list[dict[str, float]], until: str) -> list[float]:
    """Seconds from each move to the first answer to it, or to a later move, for which ``until`` is noted."""
    answers = [answer for answer in answers if until in answer]
    return [min(a[until] for a in answers if a["moved"] >= move) / 1000 - move / 1000 for move in moves]


def run(moves: int = 200, rate: float = 60, browser: Browser | None = None) -> Iterator[Row]:
    """moves: of the pointer, in one drag; rate: how many of them a second, 60 as from a mouse.

    browser: one that runs already; without it the system's Chromium is started.
    """
    from tests.browser.lab import MINUTE, chromium, chromium_path, jupyterlab, open_cells

    path = chromium_path()
    if path is None or not find_spec("playwright"):
        print("no Chromium, or no Playwright (course.py test installs it): not measured", file=sys.stderr)
        return
    running = nullcontext(browser) if browser else chromium(path)
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as lab, running as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(MINUTE)
        open_cells(page, lab, "moves", *lesson())
        page.locator(".explorer .notes").wait_for()
        page.locator(".explorer .pad").scroll_into_view_if_needed()
        time.sleep(PAUSE)
        moved, answers = drag(page, moves, rate)
        page.close()
    drawn = [answer for answer in answers if answer["moved"] >= moved[0]]
    heard = [answer for answer in drawn if "heard" in answer]
    at_95 = {"percentile": 95, "unit": "s"}
    yield Row("lesson 04: pointer move → roll on the screen", latencies(moved, answers, "drawn"), at_most=0.1, **at_95)
    yield Row("pointer move → new sound", latencies(moved, answers, "heard"), at_most=0.25, **at_95)

    def part(what: str, of: list[dict[str, float]], name: str) -> Row:
        return Row(what, [a[name] / 1000 for a in of])

    def between(of: list[dict[str, float]], start: str, end: str, less: tuple[str, ...] = ()) -> list[float]:
        return [(a[end] - a[start] - sum(a[name] for name in less)) / 1000 for a in of]

    yield part("decode", drawn, "decode")
    yield part("packing of the roll", drawn, "roll")
    yield Row("transfer, both ways", between(drawn, "sent", "rolled", KERNEL[:2]))
    yield Row("drawing", between(drawn, "rolled", "drawn"), note="to the end of the browser's next frame")
    yield part("synthesis", heard, "synthesis")
    yield part("encoding as FLAC", heard, "encoding")
    yield Row("transfer of the sound, both ways", between(heard, "sent", "sounded", KERNEL))
    yield Row("the browser decodes and begins it", between(heard, "sounded", "heard"), note="with its output latency")
