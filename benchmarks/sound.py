"""Synthesis and MP3 of whole chorales, in multiples of real time."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks._measure import Row, seconds
from course_lib.music.datasets import chorales
from course_lib.show.audio import mp3, synthesize

QUICK = {"every": 36}


def run(every: int = 12) -> Iterator[Row]:
    """every: take every n-th chorale, each once."""
    pieces = [piece for side in chorales() for piece in side][::every]
    mp3(*synthesize(pieces[0].window(0, pieces[0].bar_steps)))  # loads what is loaded late
    synthesis, encoding, both = [], [], []
    for piece in pieces:
        samples: list[tuple] = []
        first = seconds(lambda piece=piece, samples=samples: samples.append(synthesize(piece)))
        second = seconds(lambda samples=samples: mp3(*samples[0]))
        synthesis.append(piece.seconds / first)
        encoding.append(piece.seconds / second)
        both.append(piece.seconds / (first + second))
    length = f"chorales of {min(p.seconds for p in pieces):.0f} to {max(p.seconds for p in pieces):.0f} s"
    yield Row("synthesize", synthesis, "× real time", at_least=50, note=length)
    yield Row("mp3", encoding, "× real time")
    yield Row("both", both, "× real time")
