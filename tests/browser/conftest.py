"""A real Chromium for the browser tests, and a page that reports what it must not do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.lab import CHROMIUM, Lab, chromium, chromium_path, jupyterlab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LOCAL = ("localhost", "127.0.0.1", "::1")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as the system has it; without one the browser tests are skipped."""
    path = chromium_path()
    if path is None:
        pytest.skip(f"no Chromium: none of {', '.join(CHROMIUM)} is on the path. Install one for the browser tests.")
    with chromium(path) as found:
        yield found


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


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab of the course, on a copy of the notebooks."""
    with jupyterlab(tmp_path_factory.mktemp("lab")) as running:
        yield running
