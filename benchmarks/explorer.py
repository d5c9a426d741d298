"""From a movement of the hand to the new roll and to the new sound: the latent explorer in JupyterLab and Chromium."""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from benchmarks._measure import Row

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUICK = {"moves": 40}
MODEL = "a decoder as large as the VAE's, with random weights"
CELL = """
import keras
import numpy as np
import tensorflow as tf
from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings import OneHot
from course_lib.show.explorer import Explorer

encoding, train = OneHot(), windows(chorales().train)
holds = np.tile(np.isin(np.arange(encoding.width), np.cumsum(encoding.sizes) - 1), len(train[0]))
keras.utils.set_random_seed(1)
wide = keras.initializers.VarianceScaling(100)
decoder = keras.Sequential([
    keras.Input((32,)), keras.layers.Dense(512, "relu"), keras.layers.Dense(1024, "relu"),
    # So many holds that a piece has some 80 notes, as four bars of Bach have.
    keras.layers.Dense(holds.size, kernel_initializer=wide, bias_initializer=lambda *_, **__: 3.5 * holds),
])
forward = tf.function(lambda code: decoder(code, training=False), input_signature=[tf.TensorSpec((1, 32))])
codes = np.random.default_rng(1).normal(size=(len(train), 32))

Explorer(
    lambda code: encoding.decode(forward(code[None])[0], like=train[0]),
    codes, [window.title for window in train], [("first", codes[0]), ("second", codes[1])],
)
"""
"""What the notebook runs; its last value is the explorer, and MODEL says in words what it decodes with."""

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


def run(moves: int = 200, rate: float = 60) -> Iterator[Row]:
    """moves: of the pointer, in one drag; rate: how many of them a second, 60 as from a mouse."""
    from tests.browser.lab import MINUTE, chromium, chromium_path, jupyterlab, open_notebook, run_all

    path = chromium_path()
    if path is None or not find_spec("playwright"):
        print("no Chromium, or no Playwright (course.py test installs it): not measured", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as lab, chromium(path) as browser:
        cells = [nbformat.v4.new_markdown_cell("# Explorer"), nbformat.v4.new_code_cell(CELL.strip())]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.home / "notebooks" / "moves.ipynb")
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(MINUTE)
        open_notebook(page, lab.address("lab/tree/notebooks/moves.ipynb"))
        run_all(page)
        page.locator(".explorer .notes").wait_for()
        page.locator(".explorer .pad").scroll_into_view_if_needed()
        time.sleep(PAUSE)
        moved, answers = drag(page, moves, rate)
    drawn = [answer for answer in answers if answer["moved"] >= moved[0]]
    heard = [answer for answer in drawn if "heard" in answer]
    at_95 = {"percentile": 95, "unit": "s"}
    yield Row("pointer move → roll on the screen", latencies(moved, answers, "drawn"), at_most=0.1, note=MODEL, **at_95)
    yield Row("pointer move → new sound", latencies(moved, answers, "heard"), at_most=0.25, **at_95)

    def own(what: str, of: list[dict[str, float]], name: str) -> Row:
        return Row(what, [a[name] / 1000 for a in of])

    def between(of: list[dict[str, float]], start: str, end: str, less: tuple[str, ...] = ()) -> list[float]:
        return [(a[end] - a[start] - sum(a[name] for name in less)) / 1000 for a in of]

    yield own("decode", drawn, "decode")
    yield own("packing of the roll", drawn, "roll")
    yield Row("transfer, both ways", between(drawn, "sent", "rolled", KERNEL[:2]))
    yield Row("drawing", between(drawn, "rolled", "drawn"), note="to the end of the browser's next frame")
    yield own("synthesis", heard, "synthesis")
    yield own("encoding as FLAC", heard, "encoding")
    yield Row("transfer of the sound, both ways", between(heard, "sent", "sounded", KERNEL))
    yield Row("the browser decodes and begins it", between(heard, "sounded", "heard"), note="with its output latency")
