"""The guard that keeps the tests on this machine bites, here and in child processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import offline_guard
import pytest

OUTSIDE = ("192.0.2.1", 9)  # reserved for documentation: nobody's address


@pytest.fixture(autouse=True)
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of its own, so that what is refused here on purpose does not fail the whole run."""
    monkeypatch.setenv(offline_guard.LOG, str(tmp_path / "refused.txt"))
    return tmp_path / "refused.txt"


def _send(address: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"", address)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: socket.create_connection(OUTSIDE, timeout=1),
        lambda: _send(OUTSIDE),
        lambda: socket.getaddrinfo("example.org", 80),
        lambda: socket.gethostbyname("example.org"),
        lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 9)),
    ],
    ids=["connect", "sendto", "getaddrinfo", "gethostbyname", "IPv6"],
)
def test_refuses_what_would_leave_the_machine(attempt: Callable[[], object], refused: Path) -> None:
    with pytest.raises(offline_guard.ConnectionRefusedOffline, match="lies outside this machine"):
        attempt()
    assert refused.read_text().startswith(("192.0.2.1 by", "example.org by", "2001:db8::1 by"))


def test_is_written_down_even_where_the_caller_hides_it(refused: Path) -> None:
    with pytest.raises(OSError):
        urllib.request.urlopen("http://192.0.2.1/", timeout=1)
    assert "192.0.2.1 by" in refused.read_text()


def test_lets_loopback_and_unix_sockets_pass(refused: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()
    if hasattr(socket, "AF_UNIX"):
        path = os.path.relpath(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(path)
            server.listen()
            client.connect(path)
    assert not refused.exists()


def test_bites_in_a_child_python(refused: Path) -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=1)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == 1
    assert "ConnectionRefusedOffline: 192.0.2.1 lies outside this machine" in child.stderr
    assert "192.0.2.1 by -c" in refused.read_text()


def test_runs_the_sitecustomize_that_it_hides(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('the other one')")
    paths = os.pathsep.join([os.environ["PYTHONPATH"], str(tmp_path)])
    child = [sys.executable, "-c", "import offline_guard; print(offline_guard._installed)"]
    answer = subprocess.run(child, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert answer.stdout.split("\n") == ["the other one", "True", ""], answer.stderr


def test_a_run_that_tried_to_leave_fails_even_if_its_tests_pass(tmp_path: Path) -> None:
    (tmp_path / "test_sly.py").write_text(
        "import contextlib, socket\n"
        "def test_sly():\n"
        "    with contextlib.suppress(OSError):\n"
        "        socket.create_connection(('192.0.2.1', 9))\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", os.devnull]
    root = Path(__file__).parent.parent
    run = subprocess.run([*command, str(tmp_path)], cwd=root, capture_output=True, text=True)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 passed" in run.stdout and "192.0.2.1 by" in run.stdout
