"""The Turing test in a real JupyterLab: mouse, keys, sound, and nothing to be read before the answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.lab import MINUTE, Lab, open_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lab")]

SOURCE = """
import ipywidgets
from dataclasses import replace
from course_lib.music import chorales, windows
from course_lib.show.widgets import TuringGame

bars = [bar for bar in windows(chorales().test, bars=1) if (bar.pitch >= 0).all()][:20]
made = [replace(bar.transpose(1), title="secretly made") for bar in bars]
game = TuringGame(bars, {"easy": made, "hard": made[::-1]}, lambda piece: 0.75, rounds=4)
ipywidgets.VBox([game, game.player])
"""


def test_in_the_lab(browser_page: Page, lab: Lab) -> None:
    page = browser_page
    page.set_default_timeout(MINUTE)
    open_cells(page, lab, "turing", SOURCE)
    game = page.locator(".turing-game")
    question, answer, score = (game.locator(part) for part in (".question", ".answer", ".score"))
    game.get_by_text("Piece 1 of 4").wait_for()
    shown = game.inner_text() + page.locator(".listen").inner_html()
    assert "BWV" not in shown and "secretly" not in shown
    assert game.get_by_role("button", name="Next").is_disabled()
    page.locator(".listen").get_by_role("button", name="Play").first.click()

    game.get_by_role("button", name=re.compile("^Real")).click()
    game.locator(".answer", has_text="It is").wait_for()
    assert re.match(r"(Right|Wrong)\. It is (real: BWV|generated).*75 % real", answer.inner_text())
    assert re.search(r"You: [01] of 1 right.*The judge: [01] of 1 right", score.inner_text())
    assert game.get_by_role("button", name=re.compile("^Real")).is_disabled()

    # Keys alone, none of which is JupyterLab's.
    game.focus()
    for n, key in ((2, "g"), (3, "r"), (4, "g")):
        page.keyboard.press("n")
        game.get_by_text(f"Piece {n} of 4").wait_for()
        page.locator(".listen .name", has_text=f"Piece {n} of 4").wait_for()
        page.keyboard.press(key)
        game.locator(".score", has_text=f"of {n} right").wait_for()
    assert page.locator(".jp-Cell").count() == 2  # no shortcut made or deleted a cell
    game.get_by_role("button", name=re.compile("^New game")).click()
    game.get_by_text("Piece 1 of 4").wait_for()
    game.get_by_role("combobox").select_option("hard")
    game.locator(".score", has_text="No answer yet").wait_for()
    assert question.inner_text().startswith("Piece 1 of 4")
    page.set_viewport_size({"width": 620, "height": 800})
    assert game.evaluate("g => g.scrollWidth <= g.clientWidth + 1")
