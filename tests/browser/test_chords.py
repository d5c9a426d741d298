"""The chord board in a real JupyterLab: mouse, keys, temperature, sound, and what a model's error looks like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.lab import MINUTE, Lab, open_cells

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab")]

SOURCE = """
import ipywidgets
import numpy as np
from course_lib.music import chorale_frames
from course_lib.music.baselines import ChordHistogram, NoteUnigram, conditional
from course_lib.music.encodings import ALL_SETS, pitch_sets
from course_lib.show.widgets import ChordBoard

train, valid = ([pitch_sets(frames) for frames in side] for side in chorale_frames()[:2])
log_p = -ChordHistogram(train, valid, NoteUnigram(train)).nats(ALL_SETS)
rng = np.random.default_rng(0)

def answer(fixed, temperature):
    if (fixed == 0).all():
        raise ValueError("nothing may sound")
    p = conditional(log_p / temperature, fixed)
    return p @ ALL_SETS, ALL_SETS[rng.choice(4096, p=p)]

board = ChordBoard(answer)
ipywidgets.VBox([board, board.player])
"""


def key(page: Page, name: str) -> Locator:
    return page.locator(".chord-board").get_by_role("button", name=re.compile(rf"^{name}: "))


def percent(page: Page, name: str) -> int:
    return int(re.search(r"probability (\d+) percent", key(page, name).get_attribute("aria-label"))[1])


def becomes(page: Page, name: str, state: str) -> None:
    page.locator(".chord-board").get_by_role("button", name=re.compile(rf"^{name}: {state}, ")).wait_for()


def test_in_the_lab(browser_page: Page, lab: Lab) -> None:
    page = browser_page
    page.set_default_timeout(MINUTE)
    open_cells(page, lab, "board", SOURCE)
    board = page.locator(".chord-board")
    status = board.locator(".status")
    board.locator(".status", has_text="Nothing is given").wait_for()
    assert board.locator(".keys button").count() == 12
    before = percent(page, "E")

    # The mouse: free, sounds, silent, free; the others answer.
    key(page, "C").click()
    becomes(page, "C", "sounds")
    board.locator(".status", has_text=re.compile("^Given C; the model adds")).wait_for()
    assert percent(page, "C") == 100 and percent(page, "E") > before
    key(page, "C").click()
    becomes(page, "C", "silent")
    page.wait_for_function("document.querySelector('.chord-board .keys button small').textContent.startsWith('0 %')")
    key(page, "C").click()
    becomes(page, "C", "free")

    # Keys alone, none of which is JupyterLab's: from C to E and G, then F is forbidden.
    key(page, "C").focus()
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    becomes(page, "E", "sounds")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    becomes(page, "F", "sounds")
    page.keyboard.press("Enter")
    becomes(page, "F", "silent")
    board.locator(".status", has_text=re.compile("^Given C E;")).wait_for()
    page.wait_for_function("document.querySelectorAll('.chord-board .keys small')[5].textContent.startsWith('0 %')")
    cold = percent(page, "G")
    assert cold > 50
    assert page.locator(".jp-Cell").count() == 2  # no shortcut made or deleted a cell

    # The temperature, by key; and another chord of the same notes.
    board.get_by_role("slider", name="temperature").focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "cold => parseInt(document.querySelectorAll('.chord-board .keys small')[7].textContent) < cold", arg=cold
    )
    assert board.locator("output").inner_text() == "3.0"
    seen = set()
    for _ in range(8):
        old = status.inner_text()
        board.get_by_role("button", name="Another chord").click()
        page.wait_for_timeout(500)
        seen.add(status.inner_text())
    assert len(seen) > 1 and all(text.startswith("Given C E;") for text in seen), (old, seen)
    drawn = [name.replace(" ♪", "") for name in board.locator(".drawn b").all_inner_texts()]
    assert {"C", "E"} <= set(drawn)

    # The player follows, and plays: its cursor moves.
    panel = page.locator(".listen")
    panel.get_by_role("button", name="Play").first.click()
    page.wait_for_function(
        "() => { const c = document.querySelector('.listen .cursor'); return c && parseFloat(c.style.left) > 10; }"
    )

    # Delete frees; what the model raises is shown, and the board goes on.
    key(page, "E").focus()
    page.keyboard.press("Delete")
    becomes(page, "E", "free")
    board.get_by_role("button", name="Free all").click()
    board.locator(".status", has_text="Nothing is given").wait_for()
    for place in range(12):
        button = board.locator(".keys button").nth(place)
        for state in ("sounds", "silent"):
            button.click()
            page.wait_for_function(
                "([i, s]) => document.querySelectorAll('.chord-board .keys small')[i].textContent.endsWith(s)",
                arg=[place, state],
            )
    board.locator(".status", has_text="ValueError: nothing may sound").wait_for()
    assert board.locator(".status.wrong").count() == 1
    key(page, "A").click()
    becomes(page, "A", "free")
    page.wait_for_function("!document.querySelector('.chord-board .status.wrong')")
    page.set_viewport_size({"width": 620, "height": 800})
    assert board.evaluate("b => b.scrollWidth <= b.clientWidth + 1")
