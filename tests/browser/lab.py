"""A real Chromium and a real JupyterLab, for the browser tests and for ``benchmarks/explorer.py``."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever a page asks for, no name but this machine's is found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
ROOT = Path(__file__).resolve().parents[2]
MINUTE = 60_000  # milliseconds


def chromium_path() -> str | None:
    """Where the system has its Chromium, if it has one."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """The Chromium at ``path``, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Lab(NamedTuple):
    """A running JupyterLab. home: the copy of the project that it shows; url, token: where it answers, and to whom."""

    home: Path
    url: str
    token: str

    def address(self, path: str = "") -> str:
        """The address of a page of it; without a path, the one that ``course.py lab`` opens."""
        return f"{self.url}{path}?reset&token={self.token}"


@contextmanager
def jupyterlab(home: Path) -> Iterator[Lab]:
    """JupyterLab as ``course.py lab`` starts it, on a copy of the notebooks and without anybody's own settings.

    home: an empty folder for the copy. The kernels import the library that stands beside this file.
    """
    (home / ".venv").mkdir()  # for the mark that the notebooks are trusted
    shutil.copy(ROOT / "course.py", home)
    shutil.copytree(ROOT / "notebooks", home / "notebooks", ignore=shutil.ignore_patterns(".*"))
    own = {f"JUPYTER_{kind}_DIR": str(home / ".jupyter" / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"COURSE_PROFILE": "quick", "IPYTHONDIR": str(home / ".ipython")}
    own["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with patch.dict(os.environ, own), (home / "lab.log").open("w") as log:
        spec = importlib.util.spec_from_file_location("course_of_the_lab", home / "course.py")
        course = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(course)
        course.PYTHON, commands = sys.executable, []
        course.hand_over = commands.append
        course.lab(argparse.Namespace(no_browser=True, port=None), ["--port=0"])
        server = subprocess.Popen(commands[0], cwd=home, env=course.environment(), stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(600):
                written = [path.read_text() for path in (home / ".jupyter" / "runtime").glob("jpserver-*.json")]
                if (written and written[0]) or server.poll() is not None:
                    break
                time.sleep(0.1)
            assert written and server.poll() is None, f"JupyterLab did not start:\n{(home / 'lab.log').read_text()}"
            yield Lab(home, *(json.loads(written[0])[key] for key in ("url", "token")))
        finally:
            server.terminate()
            server.wait(timeout=60)


def open_notebook(page: Page, address: str) -> None:
    """Opens it and waits until its kernel can work: a click on Run All before that does nothing."""
    page.goto(address)
    page.locator(".jp-Notebook .jp-MarkdownOutput h1").first.wait_for()
    # The round sign beside the kernel's name shows "idle" too soon, while there is no kernel yet.
    page.locator("#jp-main-statusbar").get_by_text(re.compile(r"Python 3.* \| Idle")).wait_for()


def open_cells(page: Page, lab: Lab, name: str, *sources: str) -> None:
    """A notebook of these code cells, ``name``.ipynb, written into the Lab, opened and run."""
    import nbformat

    cells = [nbformat.v4.new_markdown_cell(f"# {name}"), *map(nbformat.v4.new_code_cell, sources)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.home / "notebooks" / f"{name}.ipynb")
    open_notebook(page, lab.address(f"lab/tree/notebooks/{name}.ipynb"))
    run_all(page)


def run_all(page: Page) -> None:
    """Run All, from the menu, until the last cell is done."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=busy]").wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=8 * MINUTE)
