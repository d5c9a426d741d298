"""Examines this machine for the course: what `course.py doctor` starts inside .venv."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import course

Finding = tuple[bool, str]
"""(is it well, what was found and, where it is not well, what to do)."""


REMAKE = f"delete the folder .venv, then {course.COMMAND} lab"


def python() -> Finding:
    """Is the environment made by a supported Python, from the requirements as they are now?"""
    words = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] not in course.SUPPORTED:
        return False, f"{words}, but the course needs {course.supported()}: {REMAKE}"
    if course.read_stamp().get("done") != course.digest(sys.version_info[:2]):
        return False, f"{words}, but the set-up is not complete: {course.COMMAND} lab completes it"
    return True, words


def versions() -> Finding:
    """Is everything installed that the requirements name, in the versions of constraints.txt?"""
    from importlib.metadata import distributions

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    def applying(lines: list[str]) -> list[Requirement]:
        found = [Requirement(line) for line in lines]
        return [requirement for requirement in found if not requirement.marker or requirement.marker.evaluate()]

    installed = {canonicalize_name(found.metadata["Name"]): found.version for found in distributions()}
    stamp = course.read_stamp()
    needed = applying(course.requirements(stamp.get("test", False), stamp.get("gpu", False)))
    faults = [f"{r.name} is missing" for r in needed if canonicalize_name(r.name) not in installed]
    for tested in applying(course.specifiers("constraints.txt")):
        version = installed.get(canonicalize_name(tested.name))
        if version and version not in tested.specifier:
            faults.append(f"{tested.name} is {version} where {tested.specifier} was tested")
    if faults:
        return False, f"{'; '.join(faults[:3])}{' ...' * (len(faults) > 3)}: {REMAKE}"
    return True, f"{len(installed)} packages, as in constraints.txt"


def widgets() -> Finding:
    """Are the widgets there, for Python and for JupyterLab?"""
    import anywidget
    import ipywidgets

    folder = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    missing = [name for name in ("@jupyter-widgets/jupyterlab-manager", "anywidget") if not (folder / name).exists()]
    if missing:
        return False, f"JupyterLab lacks {' and '.join(missing)}: {REMAKE}"
    return True, f"ipywidgets {ipywidgets.__version__} and anywidget {anywidget.__version__}, known to JupyterLab"


def sound() -> Finding:
    """Does an A4 sound at 440 Hz?"""
    import numpy as np

    from course_lib.music.piece import Note, Piece
    from course_lib.show.audio import synthesize

    samples, rate = synthesize(Piece.from_notes([Note(0, 69, 0, 16)], steps=16, voices=1))
    steady = samples[len(samples) // 8 : len(samples) // 2]
    size = 1 << 20  # padding with silence narrows a bin to 0.02 Hz, a tenth of a cent
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)), size))
    low, high = (round(440 * 2 ** (side / 12) * size / rate) for side in (-1, 1))
    heard = (low + int(np.argmax(spectrum[low:high]))) * rate / size
    cents = 1200 * float(np.log2(heard / 440))
    if spectrum.max() == 0 or abs(cents) > 10:
        return False, f"A4 should sound at 440 Hz and sounds at {heard:.1f} ({cents:+.0f} cents): {REMAKE}"
    return True, f"A4 sounds at {heard:.1f} Hz ({cents:+.1f} cents)"


def offline() -> Finding:
    """Do the course's modules load, and does a network compute, with every way off this machine closed?"""
    code = (
        "import offline_guard; offline_guard.install()\n"
        "import importlib, pkgutil, course_lib, keras, numpy\n"
        "for module in pkgutil.walk_packages(course_lib.__path__, 'course_lib.'):\n"
        "    importlib.import_module(module.name)\n"
        "keras.Sequential([keras.layers.Dense(1)])(numpy.ones((1, 1)))\n"
    )
    guarded = {**os.environ, "PYTHONPATH": str(course.ROOT / "tests" / "offline")}
    trouble = course.failure([sys.executable, "-c", code], guarded)
    if trouble:
        return False, f"something does not work without network: {trouble.strip().splitlines()[-1]}"
    return True, "with all connections refused, the course's modules load and a network computes"


def gpu() -> Finding:
    """Where the GPU build was asked for: does TensorFlow see a card?"""
    if not course.read_stamp().get("gpu"):
        return True, "not asked for (--gpu installs TensorFlow's GPU build, on Linux)"
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
    if seen in ("", "0"):
        return False, "TensorFlow sees none: look whether nvidia-smi does. The course also runs without"
    return True, f"TensorFlow sees {seen}"


def memory() -> Finding:
    """Is there memory for a notebook that trains?"""
    import psutil

    free, total = psutil.virtual_memory().available / 1e9, psutil.virtual_memory().total / 1e9
    remedy = ": a notebook that trains takes up to 2 GB, close other programs"
    return free > 2, f"{free:.1f} GB free of {total:.1f}" + remedy * (free <= 2)


def disk() -> Finding:
    """Is there disk for results and checkpoints?"""
    free = shutil.disk_usage(course.ROOT).free / 1e9
    return free > 1, f"{free:.1f} GB free" + ": clear at least 1 GB" * (free <= 1)


EXAMINATIONS = (python, versions, widgets, sound, offline, gpu, memory, disk)


def main(examinations: tuple[Callable[[], Finding], ...] = EXAMINATIONS) -> int:
    """Prints a line per examination, OK or what to do. Returns the exit status, 0 when all is well."""
    all_well = True
    for examine in examinations:
        try:
            well, words = examine()
        except Exception as error:  # whatever is broken, the other lines still follow
            well, words = False, f"{type(error).__name__}: {error}. {REMAKE}"
        print(f"{'OK   ' if well else 'TO DO'}  {examine.__name__}: {words}", flush=True)
        all_well &= well
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main())
