"""What all benchmarks share: timings taken in turn, rows with median and target, processes of their own."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
REST = 0.1  # seconds between two turns: until then the threads of the one before still spin
SLOWING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Environment variables that choose a slow NumPy on some processors; a peer is measured without them."""
PACKAGES = ("numpy", "scipy", "keras", "tensorflow", "tensorflow-cpu", "torch", "music21", "matplotlib", "verovio")


@dataclass(frozen=True)
class Row:
    """One line of a result: the samples' median, or a percentile, with quartiles, number, and one target or none."""

    what: str
    samples: list[float]
    unit: str = "s"
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""
    percentile: float = 50

    @property
    def value(self) -> float:
        """What the row states, in ``unit``: so many per cent of the samples are at most that; by default the median."""
        return float(np.quantile(self.samples, self.percentile / 100))

    @property
    def quartiles(self) -> tuple[float, float]:
        """What a quarter of the samples is below, and what a quarter is above."""
        low, high = np.quantile(self.samples, (0.25, 0.75))
        return float(low), float(high)

    @property
    def holds(self) -> bool | None:
        """Whether the value reaches the target; None without one."""
        if self.at_least is None and self.at_most is None:
            return None
        return self.value >= self.at_least if self.at_least is not None else self.value <= self.at_most

    @property
    def cells(self) -> list[str | int]:
        """The row as text."""
        low, high = (quantity(value, self.unit) for value in self.quartiles)
        spread = f"{low} … {high}" if len(self.samples) > 1 else ""
        verdict = ""
        if self.holds is not None:
            sign, target = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
            verdict = f"{sign} {quantity(target, self.unit)}: {'holds' if self.holds else 'MISSED'}"
        value = quantity(self.value, self.unit) + (f" ({self.percentile:g} %)" if self.percentile != 50 else "")
        return [self.what, value, spread, len(self.samples), verdict, self.note]

    def as_json(self) -> dict[str, object]:
        """The row with all its samples."""
        return asdict(self) | {"value": self.value, "quartiles": self.quartiles, "holds": self.holds}


def quantity(value: float, unit: str) -> str:
    """A value to three digits; seconds as s, ms or µs."""
    if unit == "s":
        factor, unit = (1, "s") if value >= 1 else (1e3, "ms") if value >= 1e-3 else (1e6, "µs")
        value *= factor
    digits = max(0, 2 - int(np.floor(np.log10(value)))) if value else 0
    return f"{value:,.{digits}f} {unit}"


def ratios(many: Sequence[float], few: Sequence[float]) -> list[float]:
    """The ratio of each turn: what was measured one after the other bore the same load."""
    return [a / b for a, b in zip(many, few, strict=True)]


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(peers: Mapping[str, Callable[[], float]], repeats: int, limit: float = 180.0) -> dict[str, list[float]]:
    """What each peer measured, turn by turn: one after the other, and the order reversed from turn to turn.

    The first turn warms up and is not counted. limit: seconds after which no new turn begins, if there are three:
    on a busy machine, threads that wait for each other take many times as long.
    """
    measured: dict[str, list[float]] = {name: [] for name in peers}
    start = time.perf_counter()
    for turn in range(repeats + 1):
        if turn > 3 and time.perf_counter() - start > limit:
            break
        for name, measure in list(peers.items())[:: 1 if turn % 2 else -1]:
            value = measure()
            if turn:
                measured[name].append(value)
            time.sleep(REST)
    return measured


@contextmanager
def own_process(without: Iterable[str] = ()) -> Iterator[Callable[..., object]]:
    """A fresh Python process: the given ``call(function, *arguments)`` runs a function of a module there.

    without: names of environment variables that the process does not get.
    """
    kept = {name: os.environ.pop(name) for name in without if name in os.environ}
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_quiet) as pool:
        try:
            pool.submit(os.getpid).result()  # now it has started, with this environment
        finally:
            os.environ.update(kept)
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


def _quiet() -> None:
    """Nothing to stderr, where libraries in C++ talk about themselves; errors come back as exceptions."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def script(code: str, without: Iterable[str] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a bare new Python, which may keep its byte code.

    without: names of environment variables that it does not get; ``variables`` are those that it gets besides.
    Raises RuntimeError with what the script wrote when it fails.
    """
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONDONTWRITEBYTECODE", *without}}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=kept | variables, capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        raise RuntimeError(f"a benchmark's script failed:\n{done.stderr}")
    return done


def machine() -> dict[str, object]:
    """Where it was measured: processor, cores, system and versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "blas of numpy": blas(),
    }


def busy() -> float:
    """Per cent of all cores that other work takes at this moment; one second is watched."""
    return psutil.cpu_percent(interval=1.0)


def blas() -> str:
    """Which BLAS NumPy calls as a peer and, of OpenBLAS, the kernels that it chose for this processor."""
    report = script("import numpy", without=SLOWING, OPENBLAS_VERBOSE="2")
    core = re.search(r"Core: (\w+)", report.stdout + report.stderr)
    kernels = f", kernels for {core[1]}" if core else ""
    hidden = [name for name in SLOWING if name in os.environ]
    remark = f"; {' and '.join(hidden)}, set here, is kept from it" if hidden else ""
    return np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"] + kernels + remark


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def to_json(results: Mapping[str, Sequence[Row]], where: Mapping[str, object]) -> str:
    """Machine and rows as JSON."""
    rows = {name: [row.as_json() for row in found] for name, found in results.items()}
    return json.dumps({"machine": where, "benchmarks": rows}, indent=1, ensure_ascii=False) + "\n"
