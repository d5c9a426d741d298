"""Loading the chorales, beside music21 parsing the same files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks._measure import Row, own_process, seconds
from course_lib.music.datasets import chorales

QUICK = {"every": 10}
TURNS = 20  # timings of the fast side, spread over the parsing


def files() -> list[Path]:
    """The files of the music21 corpus that the data set was built from, in name order."""
    from music21 import corpus

    numbers = {piece.title.split(":")[0].removeprefix("BWV ") for side in chorales() for piece in side}
    scores = (path for path in corpus.getComposer("bach") if path.suffix in (".mxl", ".xml"))
    return sorted(path for path in scores if path.stem.removeprefix("bwv") in numbers)


def loading_seconds() -> float:
    """Loading all chorales from the file, the median of five times: as music21, it runs with warm caches."""

    def load() -> None:
        chorales.cache_clear()
        chorales()

    return median(seconds(load) for _ in range(5))


def run(every: int = 1) -> Iterator[Row]:
    """every: parse only every n-th file and multiply; 1 parses them all."""
    from music21 import converter

    paths = files()
    sample = paths[::every]
    converter.parse(sample[0], forceSource=True)  # loads what music21 loads late
    parsing, loading = 0.0, []
    # In this process, the loader would also sweep up the objects that music21 leaves behind.
    with own_process() as call:
        call(loading_seconds)
        for number, path in enumerate(sample):
            # forceSource: no pickle of an earlier parse is read, none is written.
            parsing += seconds(lambda path=path: converter.parse(path, forceSource=True))
            if number * TURNS // len(sample) != (number + 1) * TURNS // len(sample):
                loading.append(call(loading_seconds))
    parsing *= len(paths) / len(sample)
    scaled = f"from {len(sample)} of them, multiplied" if every > 1 else ""
    yield Row(f"music21 parses the {len(paths)} files", [parsing], note=scaled)
    yield Row("datasets.chorales() loads them", loading)
    yield Row("parsing / loading", [parsing / once for once in loading], "×", at_least=1000)
