"""The board of templates in a real JupyterLab: another template, a strength, a file of one's own, a broken one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from course_lib.music.files import midi_bytes
from course_lib.music.piece import Piece
from tests.browser.lab import MINUTE, Lab, open_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab")]

SOURCE = """
import time
import numpy as np
from course_lib.music.datasets import chorales
from course_lib.music.measures import template
from course_lib.show.widgets import TemplateBoard

def answer(goal, strengths, progress):
    for share in (0.2, 0.6, 1.0):
        time.sleep(0.2)
        progress(share)
    if strengths["tonality"] == 0:
        raise ValueError("no key, no music")
    return goal.piece.transpose(round(5 * strengths["structure"]))

pieces = {piece.title: piece for piece in chorales().valid[:3]}
board = TemplateBoard(pieces, answer, ("structure", "tonality", "metre"), template(chorales().valid[0]).piece)
board
"""


def sound(page: Page) -> str:
    """Where the player has its sound: anew after each change."""
    return page.locator(".listen .sound").first.get_attribute("href")


def picture(page: Page) -> str:
    return page.locator("figure.matrix img").first.get_attribute("src")


def bring(page: Page, name: str, content: bytes) -> None:
    """A file through the upload's button, as a hand would choose it."""
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="A file of your own").click()
    chosen.value.set_files({"name": name, "mimeType": "audio/midi", "buffer": content})


def test_in_the_lab(browser_page: Page, lab: Lab) -> None:
    page = browser_page
    page.set_default_timeout(MINUTE)
    open_cells(page, lab, "templates", SOURCE)
    status = page.locator(".board-status")
    status.filter(has_text="by 1.00").wait_for()
    first, drawn = sound(page), picture(page)

    # Another template, by its label; and Compose.
    menu = page.get_by_label("Template", exact=True)
    names = menu.locator("option").all_inner_texts()
    assert len(names) == 3
    menu.select_option(names[1])
    page.get_by_role("button", name="Compose").click()
    status.filter(has_text=f"Composed on {names[1]}").wait_for()
    second = sound(page)
    assert second != first and picture(page) != drawn
    assert page.locator("figure.matrix img").count() == 2
    assert all("Self-similarity of" in image.get_attribute("alt") for image in page.locator("figure.matrix img").all())

    # A strength, by key: the field has a name, and the piece is another one.
    roll = page.locator(".listen").inner_html()
    field = page.get_by_role("spinbutton", name="structure")
    field.focus()
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    assert field.input_value() == "1.5"
    page.get_by_role("button", name="Compose").click()
    page.wait_for_function("old => document.querySelector('.listen .sound').href !== old", arg=second)
    assert page.locator(".listen").inner_html() != roll

    # A small file of one's own, then a broken one: a clear message, and the board goes on.
    pitch = (60 + np.arange(64) % 12 // 2)[:, None]
    mine = midi_bytes(Piece(pitch, np.ones((64, 1), bool), steps_per_quarter=2))
    bring(page, "mine.mid", mine)
    status.filter(has_text="Taken: mine.mid, 64 eighths").wait_for()
    assert menu.input_value() == "your file mine.mid"
    third = sound(page)
    page.get_by_role("button", name="Compose").click()
    status.filter(has_text="Composed on your file mine.mid").wait_for()
    assert sound(page) != third
    bring(page, "bad.mid", b"MThd" + b"\xff" * 40)
    status.filter(has_text=re.compile("Not taken: bad.mid: ")).wait_for()
    assert page.get_by_text("Traceback").count() == 0

    # What the model raises is shown, and the next answer comes.
    key = page.get_by_role("spinbutton", name="tonality")
    key.fill("0")
    key.press("Tab")
    page.get_by_role("button", name="Compose").click()
    status.filter(has_text="ValueError: no key, no music").wait_for()
    key.fill("2.5")
    key.press("Tab")
    page.get_by_role("button", name="Compose").click()
    status.filter(has_text="Composed on your file mine.mid").wait_for()

    # The player plays: its cursor moves.
    page.locator(".listen").get_by_role("button", name="Play").first.click()
    page.wait_for_function(
        "() => { const c = document.querySelector('.listen .cursor'); return c && parseFloat(c.style.left) > 10; }"
    )
    page.set_viewport_size({"width": 620, "height": 800})
    assert page.locator("figure.matrix").first.is_visible()
