"""The wing stands on its own, and opens quickly."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import course_lib.show


def test_show_loads_no_network_and_nothing_heavy() -> None:
    modules = [f"course_lib.show.{module.name}" for module in pkgutil.iter_modules(course_lib.show.__path__)]
    assert "course_lib.show.panel" in modules
    light = [name for name in modules if name != "course_lib.show.panel"]  # a widget needs its base class
    heavy = "keras tensorflow music21 matplotlib verovio course_lib.architectures course_lib.training"
    program = f"""
import importlib, sys
for name in {light}: importlib.import_module(name)
print(*[name for name in {heavy.split()} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []
