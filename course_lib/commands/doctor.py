"""Examines this machine for the course: what `course.py doctor` starts inside .venv."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Finding = tuple[bool, str]
"""(is it well, what was found and, where it is not well, what to do)."""


class Course(NamedTuple):
    """What course.py knows of the environment that it made, and hands over.

    root: the folder of the course. remake: what to do where the environment is broken. complete: whether the set-up
    went to its end, with the requirements as they are now. gpu: whether the GPU build was asked for. needed, tested:
    lines of the requirements, and of constraints.txt.
    """

    root: str
    remake: str
    complete: bool
    gpu: bool
    needed: list[str]
    tested: list[str]


def python(course: Course) -> Finding:
    """Is the environment complete?"""
    words = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return course.complete, words if course.complete else f"{words}, but the set-up is not complete: {course.remake}"


def versions(course: Course) -> Finding:
    """Is everything installed that the requirements name, in the versions of constraints.txt?"""
    from importlib.metadata import distributions

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    def applying(lines: list[str]) -> list[Requirement]:
        found = [Requirement(line) for line in lines]
        return [requirement for requirement in found if not requirement.marker or requirement.marker.evaluate()]

    installed = {canonicalize_name(found.metadata["Name"]): found.version for found in distributions()}
    faults = [f"{r.name} is missing" for r in applying(course.needed) if canonicalize_name(r.name) not in installed]
    for tested in applying(course.tested):
        version = installed.get(canonicalize_name(tested.name))
        if version and version not in tested.specifier:
            faults.append(f"{tested.name} is {version} where {tested.specifier} was tested")
    if faults:
        return False, f"{'; '.join(faults[:3])}{' ...' * (len(faults) > 3)}: {course.remake}"
    return True, f"{len(installed)} packages, as in constraints.txt"


def widgets(course: Course) -> Finding:
    """Are the widgets there, for Python and for JupyterLab?"""
    import anywidget
    import ipywidgets

    folder = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    missing = [name for name in ("@jupyter-widgets/jupyterlab-manager", "anywidget") if not (folder / name).exists()]
    if missing:
        return False, f"JupyterLab lacks {' and '.join(missing)}: {course.remake}"
    return True, f"ipywidgets {ipywidgets.__version__} and anywidget {anywidget.__version__}, known to JupyterLab"


def sound(course: Course) -> Finding:
    """Does an A4 sound at 440 Hz?"""
    import numpy as np

    from course_lib.music.piece import Note, Piece
    from course_lib.show.audio import synthesize

    samples, rate = synthesize(Piece.from_notes([Note(0, 69, 0, 16)], steps=16, voices=1))
    steady = samples[len(samples) // 8 : len(samples) // 2]
    size = 1 << 20  # padding with silence narrows a bin to 0.02 Hz, a tenth of a cent
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)), size))
    low, high = (round(440 * 2 ** (side / 12) * size / rate) for side in (-1, 1))
    found = (low + int(np.argmax(spectrum[low:high]))) * rate / size
    cents = 1200 * float(np.log2(found / 440))
    if spectrum.max() == 0 or abs(cents) > 10:
        return False, f"A4 should sound at 440 Hz and sounds at {found:.1f} ({cents:+.0f} cents): {course.remake}"
    return True, f"A4 sounds at {found:.1f} Hz ({cents:+.1f} cents)"


def offline(course: Course) -> Finding:
    """Do the course's modules load, and does a network compute, with every way off this machine closed?"""
    code = (
        "import offline_guard; offline_guard.install()\n"
        "import importlib, pkgutil, course_lib, keras, numpy\n"
        "for module in pkgutil.walk_packages(course_lib.__path__, 'course_lib.'):\n"
        "    importlib.import_module(module.name)\n"
        "keras.Sequential([keras.layers.Dense(1)])(numpy.ones((1, 1)))\n"
    )
    guarded = {**os.environ, "PYTHONPATH": str(Path(course.root) / "tests" / "offline")}
    done = subprocess.run([sys.executable, "-c", code], env=guarded, capture_output=True, text=True)
    if done.returncode:
        trouble = done.stderr.strip() or f"exit status {done.returncode}"
        return False, f"something does not work without network: {trouble.splitlines()[-1]}"
    return True, "with all connections refused, the course's modules load and a network computes"


def gpu(course: Course) -> Finding:
    """Where the GPU build was asked for: does TensorFlow see a card?"""
    if not course.gpu:
        return True, "not asked for (--gpu installs TensorFlow's GPU build, on Linux)"
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
    if seen in ("", "0"):
        return False, "TensorFlow sees none: look whether nvidia-smi does. The course also runs without"
    return True, f"TensorFlow sees {seen}"


def memory(course: Course) -> Finding:
    """Is there memory for a notebook that trains?"""
    import psutil

    free, total = psutil.virtual_memory().available / 1e9, psutil.virtual_memory().total / 1e9
    remedy = ": a notebook that trains takes up to 2 GB, close other programs"
    return free > 2, f"{free:.1f} GB free of {total:.1f}" + remedy * (free <= 2)


def disk(course: Course) -> Finding:
    """Is there disk for results and checkpoints?"""
    free = shutil.disk_usage(course.root).free / 1e9
    return free > 1, f"{free:.1f} GB free" + ": clear at least 1 GB" * (free <= 1)


EXAMINATIONS = (python, versions, widgets, sound, offline, gpu, memory, disk)


def examine(course: Course, examinations: tuple[Callable[[Course], Finding], ...] = EXAMINATIONS) -> int:
    """Prints a line per examination, OK or what to do. Returns the exit status, 0 when all is well."""
    all_well = True
    for one in examinations:
        try:
            well, words = one(course)
        except Exception as error:  # whatever is broken, the other lines still follow
            well, words = False, f"{type(error).__name__}: {error}. {course.remake}"
        print(f"{'OK   ' if well else 'TO DO'}  {one.__name__}: {words}", flush=True)
        all_well &= well
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(examine(Course(**json.loads(sys.argv[1]))))
