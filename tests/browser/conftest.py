"""A real Chromium for the browser tests, and a page that reports what it must not do."""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest

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
LOCAL = ("localhost", "127.0.0.1", "::1")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it; without one the browser tests are skipped."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip(f"no Chromium: none of {', '.join(CHROMIUM)} is on the path. Install one for the browser tests.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test for an error in its console or a request that would leave this machine."""
    context = browser.new_context(viewport={"width": 1000, "height": 900}, accept_downloads=True)
    page = context.new_page()
    errors: list[str] = []
    outside: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    context.on("request", lambda request: None if _stays(request.url) else outside.append(request.url))
    yield page
    context.close()
    assert not outside, f"requests that leave this machine: {outside}"
    assert not errors, f"errors in the browser's console: {errors}"


def _stays(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob", "file", "about") or parts.hostname in LOCAL


class Lab(NamedTuple):
    """A running JupyterLab. home: the copy of the project that it shows; url, token: where it answers, and to whom."""

    home: Path
    url: str
    token: str

    def address(self, path: str = "") -> str:
        """The address of a page of it; without a path, the one that ``course.py lab`` opens."""
        return f"{self.url}{path}?reset&token={self.token}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab as ``course.py lab`` starts it, on a copy of the notebooks and without anybody's own settings."""
    home = tmp_path_factory.mktemp("lab")
    (home / ".venv").mkdir()  # for the mark that the notebooks are trusted
    shutil.copy(ROOT / "course.py", home)
    shutil.copytree(ROOT / "notebooks", home / "notebooks", ignore=shutil.ignore_patterns(".*"))
    with pytest.MonkeyPatch.context() as patch, (home / "lab.log").open("w") as log:
        patch.setenv("COURSE_PROFILE", "quick")
        patch.setenv("IPYTHONDIR", str(home / ".ipython"))
        for kind in ("CONFIG", "DATA", "RUNTIME"):
            patch.setenv(f"JUPYTER_{kind}_DIR", str(home / ".jupyter" / kind.lower()))
        spec = importlib.util.spec_from_file_location("course_of_the_lab", home / "course.py")
        course = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(course)
        course.PYTHON, commands = sys.executable, []
        course.hand_over = commands.append
        course.lab(argparse.Namespace(no_browser=True, port=None), ["--port=0"])
        server = subprocess.Popen(commands[0], cwd=home, env=course.environment(), stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(600):
                told = [path.read_text() for path in (home / ".jupyter" / "runtime").glob("jpserver-*.json")]
                if (told and told[0]) or server.poll() is not None:
                    break
                time.sleep(0.1)
            assert told and server.poll() is None, f"JupyterLab did not start:\n{(home / 'lab.log').read_text()}"
            yield Lab(home, *(json.loads(told[0])[key] for key in ("url", "token")))
        finally:
            server.terminate()
            server.wait(timeout=60)
