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

from benchmarks._measure import Row, seconds
from course_lib.music import chorales, windows
from course_lib.show.audio import flac
from course_lib.show.note_cache import NoteCache

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

QUICK = {"moves": 40}
EXPLORER = """
import numpy as np
from course_lib.architectures import AutoregressiveSampler
from course_lib.music import chorales, windows
from course_lib.music.encodings import OneHot, transposed
from course_lib.music.measures import NoParallels
from course_lib.show.widgets import Explorer
from course_lib.training import load

model, encoding = load("04_autoregressive"), OneHot()
codes = model.encoder.predict(transposed(windows(chorales().train), encoding)[0], verbose=0)[:, :32]
write, rule = AutoregressiveSampler(model.decoder), NoParallels(encoding)
noise = np.random.default_rng(0).gumbel(size=(64, encoding.width))
Explorer(
    lambda z: encoding.decode(write(z[None], 0.7, noise, rule)[0]),
    codes,
    [f"window {number}" for number in range(len(codes))],
    [("first", codes[0]), ("last", codes[-1])],
)
"""
"""The explorer of lesson 04, in a cell of its own."""

PAUSE = 3  # seconds in which a person looks at it before the hand moves
WATCH = """
() => {
    const root = document.querySelector(".explorer"), now = () => performance.now();
    window.moves = [];
    window.questions = {};
    root.querySelector(".pad").addEventListener("pointermove", (event) => {
        for (const move of event.getCoalescedEvents()) window.moves.push(move.timeStamp);
    }, { capture: true });
    const at = (stage, note) => root.addEventListener(`explorer-${stage}`, ({ detail }) => {
        if (stage === "asked" && window.moves.length) window.questions[detail] = { moved: window.moves.at(-1) };
        if (detail in window.questions) note(window.questions[detail]);
    });
    at("asked", (question) => (question.asked = now()));
    at("drawn", (question) => {
        question.answered = now();
        requestAnimationFrame(() => {  // drawn once the browser's next frame has ended
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => (question.drawn = now());
            port2.postMessage(0);
        });
    });
    at("sounding", (question) => (question.sounding = now() + 1000 * (window.courseSound.outputLatency || 0)));
}
"""


def drag(page: Page, moves: int, rate: float) -> tuple[list[float], list[dict[str, float]]]:
    """Drags the pad's marker about, ``rate`` moves a second.

    When each move happened, and for each question to the kernel when the newest move before it happened, when it was
    asked, answered and drawn, and when its sound began; all in milliseconds of the page's clock.
    """
    box = page.locator(".explorer .pad").bounding_box()
    assert box

    def place(t: float) -> tuple[float, float]:  # seconds → a smooth way about the pad, as a hand moves
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
        "() => { const questions = Object.values(window.questions);"
        " return questions.at(-1)?.drawn && questions.some((q) => q.sounding && q.moved >= window.moves.at(-1)); }"
    )
    return page.evaluate("window.moves"), page.evaluate("Object.values(window.questions)")


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
        open_cells(page, lab, "moves", EXPLORER)
        page.locator(".explorer .notes").wait_for()
        page.locator(".explorer .pad").scroll_into_view_if_needed()
        time.sleep(PAUSE)
        moved, answers = drag(page, moves, rate)
        page.close()
    answers = [answer for answer in answers if "drawn" in answer]
    sounded = [answer for answer in answers if "sounding" in answer]
    at_95 = {"percentile": 95, "unit": "s"}
    yield Row("lesson 04: pointer move → roll on the screen", latencies(moved, answers, "drawn"), at_most=0.1, **at_95)
    yield Row("pointer move → new sound", latencies(moved, sounded, "sounding"), at_most=0.25, **at_95)

    def between(of: list[dict[str, float]], start: str, end: str) -> list[float]:
        return [(a[end] - a[start]) / 1000 for a in of]

    yield Row("question → roll: kernel and transfer", between(answers, "asked", "answered"))
    yield Row("drawing", between(answers, "answered", "drawn"), note="to the end of the browser's next frame")
    yield Row("question → new sound: kernel, transfer and decoding", between(sounded, "asked", "sounding"))
    yield from sound(moves)


def sound(repeats: int) -> Iterator[Row]:
    """What the kernel does for a sound: the notes of four bars, all known, are summed and encoded."""
    cache, pieces = NoteCache(), [window for window in windows(chorales().test, bars=4, stride=16)][:repeats]
    cache.learn(pieces)
    loops = []
    yield Row("of this, synthesis", [seconds(lambda p=piece: loops.append(cache.loop(p))) for piece in pieces])
    yield Row("of this, encoding as FLAC", [seconds(lambda loop=loop: flac(*loop)) for loop in loops])
