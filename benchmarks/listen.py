"""Time to first sound from a warm start: listen() on four bars and on a whole chorale."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks._measure import Row, own_process, seconds
from course_lib.music.datasets import chorales
from course_lib.music.files import musicxml
from course_lib.music.piece import Piece
from course_lib.show.audio import mp3, synthesize
from course_lib.show.notation import engrave
from course_lib.show.panel import listen

QUICK = {"repeats": 2}


def example(bars: int | None) -> Piece:
    """The first 4/4 chorale of the test side, or its first full ``bars``."""
    piece = next(piece for piece in chorales().test if piece.time_signature == (4, 4))
    return piece.window(piece.pickup, bars * piece.bar_steps) if bars else piece


def stages(bars: int | None) -> dict[str, float]:
    """Seconds of the first ``listen`` of this process, of one more, and of its parts one by one."""
    piece = example(bars)
    found = {"first": seconds(lambda: listen(piece)), "again": seconds(lambda: listen(piece))}
    parts: dict[str, Callable[[], object]] = {
        "MusicXML": lambda: musicxml(piece),
        "engraving, with its MusicXML": lambda: engrave(piece),
        "synthesis": lambda: synthesize(piece),
    }
    found |= {name: seconds(work) for name, work in parts.items()}
    sound = synthesize(piece)
    return found | {"MP3": seconds(lambda: mp3(*sound))}


def run(repeats: int = 7) -> Iterator[Row]:
    """repeats: processes in which the library is imported and nothing has sounded yet; one more warms up."""
    for bars, name in ((4, "four bars"), (None, "a whole chorale")):
        found = []
        for _ in range(repeats + 1):
            with own_process() as call:
                found.append(call(stages, bars))
        length = f"{example(bars).seconds:.0f} s of music"
        for stage in found[0]:
            samples = [one[stage] for one in found[1:]]
            yield Row(f"{name}: {stage}", samples, note=length if stage == "first" else "")
