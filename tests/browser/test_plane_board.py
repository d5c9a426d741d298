"""The board of the two-note plane in a real JupyterLab: buttons, pointer, keys, sound, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.lab import MINUTE, Lab, open_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab")]

SOURCE = """
import numpy as np
from course_lib.show.widgets import PlaneBoard

count = [0]
q = np.random.default_rng(0).dirichlet(np.ones(540)).reshape(20, 27)

def train():
    count[0] += 1
    q[0, 0] += 0.1

def fail():
    raise ValueError("no gradient")

pictures = lambda: {"P": q, "Q": q / q.sum(), "D": q / (q + 0.002)}
PlaneBoard(pictures, {"Train": train, "Fail": fail}, lambda: f"{count[0]} steps", range(60, 80), range(36, 63))
"""


def test_in_the_lab(browser_page: Page, lab: Lab) -> None:
    page = browser_page
    page.set_default_timeout(MINUTE)
    open_cells(page, lab, "plane", SOURCE)
    board = page.locator(".plane-board")
    pair = board.locator(".pair")
    board.get_by_text("0 steps").wait_for()
    assert board.locator("canvas").count() == 3
    for n in (1, 2):
        board.get_by_role("button", name="Train").click()
        board.get_by_text(f"{n} steps").wait_for()

    # The pointer names the pair in all pictures and plays it.
    canvas = board.locator("canvas").nth(1)
    box = canvas.bounding_box()
    canvas.click(position={"x": 2, "y": box["height"] - 2})
    assert pair.inner_text().startswith("Soprano C4, Bass C2: P 0.2")
    assert board.get_attribute("data-played") == "60 36"
    inked = canvas.evaluate("c => [...c.getContext('2d').getImageData(0, c.height - 1, 1, 1).data]")
    assert sum(inked[:3]) < 300  # the fullest cell is the darkest

    # Keys alone, none of which is JupyterLab's.
    board.locator(".pictures").focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    assert pair.inner_text().startswith("Soprano C4, Bass C♯2")
    page.keyboard.press("Enter")
    assert board.get_attribute("data-played") == "60 37"
    assert page.locator(".jp-Cell").count() == 2  # no shortcut made or deleted a cell

    board.get_by_role("button", name="Fail").click()
    board.locator(".words.wrong", has_text="ValueError: no gradient").wait_for()
    board.get_by_role("button", name="Train").click()
    board.get_by_text("3 steps").wait_for()
    assert board.locator(".words.wrong").count() == 0
    page.set_viewport_size({"width": 620, "height": 800})
    assert board.evaluate("b => b.scrollWidth <= b.clientWidth + 1")
