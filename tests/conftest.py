"""For all tests: no way off this machine, and no deadlines on shared cores."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import hypothesis
import pytest

OFFLINE = str(Path(__file__).parent / "offline")
sys.path.insert(0, OFFLINE)

import offline_guard  # noqa: E402

offline_guard.install()
# Notebook kernels, JupyterLab and every other Python that a test starts.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [OFFLINE, os.environ.get("PYTHONPATH")]))

hypothesis.settings.register_profile("course", deadline=None)
hypothesis.settings.load_profile("course")


def pytest_configure(config: pytest.Config) -> None:
    """The first process opens the list of refused addresses; all others inherit its name."""
    if not hasattr(config, "workerinput"):
        handle, os.environ[offline_guard.LOG] = tempfile.mkstemp(prefix="refused-", suffix=".txt")
        os.close(handle)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run in which something tried to leave this machine has failed, even if the caller hid the error."""
    if not hasattr(session.config, "workerinput") and _refused() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names the addresses."""
    if refused := _refused():
        terminalreporter.section("connections that would have left this machine", sep="=", red=True)
        terminalreporter.write(refused)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        Path(os.environ.pop(offline_guard.LOG)).unlink(missing_ok=True)


def _refused() -> str:
    return Path(os.environ[offline_guard.LOG]).read_text(encoding="utf-8")
