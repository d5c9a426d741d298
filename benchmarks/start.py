"""From a new Python process to the library and to the first picture."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks._measure import Row, script

QUICK = {"repeats": 3}
CODE = """
import json, sys, time
times = [time.perf_counter()]
import course_lib
times.append(time.perf_counter())
heavy = [name for name in ("tensorflow", "keras", "music21", "matplotlib") if name in sys.modules]
from course_lib.music.datasets import chorales
piece = chorales().train[0]
times.append(time.perf_counter())
from course_lib.show.plots import figure, plot_piano_roll
picture = figure(plot_piano_roll(piece), alt="A chorale.")
times.append(time.perf_counter())
print(json.dumps([times, heavy, len(picture.png)]))
"""
EVERYTHING = """
import json, pkgutil, importlib, time
start = time.perf_counter()
import course_lib.music, course_lib.show
for package in (course_lib.music, course_lib.show):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print(json.dumps(time.perf_counter() - start))
"""


def run(repeats: int = 11) -> Iterator[Row]:
    """repeats: fresh processes, after one that warms the disk and writes the byte code."""
    measured = [json.loads(script(CODE, MPLBACKEND="agg").stdout) for _ in range(repeats + 1)][1:]
    everything = [json.loads(script(EVERYTHING).stdout) for _ in range(repeats + 1)][1:]
    heavy = sorted({name for _, found, _ in measured for name in found})
    times = [found for found, _, _ in measured]
    loaded = f"loads {', '.join(heavy)}" if heavy else "loads no TensorFlow, Keras, music21 or matplotlib"
    yield Row("import course_lib", [t[1] - t[0] for t in times], at_most=0.5, note=loaded)
    yield Row("import all of course_lib.music and .show", everything, at_most=0.5)
    yield Row("… to the chorales", [t[2] - t[0] for t in times])
    yield Row("… to the first picture", [t[3] - t[0] for t in times], note="piano roll as PNG")
