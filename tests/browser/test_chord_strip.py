"""The chord strip in a real JupyterLab: menus, locks and buttons, by mouse and by key; the sound; a model's error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.lab import MINUTE, Lab, open_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab")]

SOURCE = """
import ipywidgets
import numpy as np
from course_lib.show.widgets import ChordStrip

def write(chord, before, seed, mode):
    if chord[0] == 23:
        raise ValueError("no B minor")
    steps = np.random.default_rng(seed).choice([0, 4, 7] if mode == "stable" else [1, 2, 6], 16)
    return (np.repeat(chord % 12, 8) + steps) % 24

strip = ChordStrip(write, [[0, 7], [5, 0], [9, 2], [7, 0], [0, 7], [5, 0], [2, 7], [0, 0]], ("stable", "creative"))
ipywidgets.VBox([strip, strip.player])
"""


def test_in_the_lab(browser_page: Page, lab: Lab) -> None:
    page = browser_page
    page.set_default_timeout(MINUTE)
    open_cells(page, lab, "strip", SOURCE)
    strip = page.locator(".chord-strip")
    strip.locator(".words", has_text="Written. 100% of the melody").wait_for()
    bars = strip.locator(".bars > div")
    assert bars.count() == 8 and strip.locator("select").count() == 16

    def melody(bar: int) -> str:
        return strip.get_by_role("img", name=f"Melody of bar {bar}: ").get_attribute("aria-label")

    def wait(text: str) -> None:
        strip.locator(".words", has_text=text).wait_for()

    # Another chord: its bar alone is written again, and a minor third is in the chord.
    before = [melody(bar) for bar in range(1, 9)]
    strip.get_by_label("Bar 2, first half").select_option(label="Eb")
    wait("New chords for bar 2.")
    after = [melody(bar) for bar in range(1, 9)]
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, False, *[True] * 6]

    # Lock by key; the locked bar stays when all are drawn again, and its own button is off.
    lock = strip.get_by_role("button", name="Lock bar 3")
    lock.focus()
    page.keyboard.press("Space")
    strip.locator("[aria-label='Lock bar 3'][aria-pressed=true]").wait_for()
    assert strip.get_by_role("button", name="Draw bar 3 again").is_disabled()
    before = [melody(bar) for bar in range(1, 9)]
    strip.get_by_role("button", name="Draw again", exact=True).focus()
    page.keyboard.press("Enter")
    wait("Drawn again.")
    after = [melody(bar) for bar in range(1, 9)]
    assert after[2] == before[2] and sum(a != b for a, b in zip(after, before, strict=True)) >= 6

    # One bar, then the other mode: notes outside the chords, and the locked bar still as it was.
    strip.get_by_role("button", name="Draw bar 8 again").click()
    page.wait_for_function("old => !document.querySelector(`[aria-label='${old}']`)", arg=after[7])
    assert melody(1) == after[0]
    strip.get_by_label("stable").focus()
    page.keyboard.press("ArrowRight")
    wait("Written anew, creative.")
    assert strip.get_by_label("creative").is_checked() and melody(3) == after[2]
    assert strip.get_by_label("100 percent of bar 3 in its chords").count() == 1
    assert strip.locator("svg .out").count() > 7 and page.locator(".jp-Cell").count() == 2

    # The player follows, and plays: its cursor moves.
    panel = page.locator(".listen")
    assert "8 bars, creative" in panel.locator(".name").first.inner_text()
    panel.get_by_role("button", name="Play").first.click()
    page.wait_for_function(
        "() => { const c = document.querySelector('.listen .cursor'); return c && parseFloat(c.style.left) > 10; }"
    )

    # What the model raises is shown, and the strip goes on.
    strip.get_by_label("Bar 1, first half").select_option(label="Bm")
    wait("ValueError: no B minor")
    assert strip.locator(".words.wrong").count() == 1
    strip.get_by_label("Bar 1, first half").select_option(label="G")
    wait("New chords for bar 1.")
    page.set_viewport_size({"width": 620, "height": 800})
    assert strip.evaluate("b => b.scrollWidth <= b.clientWidth + 1")
