"""Rebuild the data files of the course from the corpus inside the music21 wheel: python datasets/build.py

The result is the same byte for byte on every run and every machine.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import zipfile
from dataclasses import replace
from difflib import SequenceMatcher
from fractions import Fraction
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from build_tunes import tunes  # noqa: E402 (beside this file)

from course_lib.music.keys import estimate_key  # noqa: E402 (found through the line above)
from course_lib.music.piece import Note, Piece  # noqa: E402

STEPS_PER_QUARTER = 4
SAME_TUNE_RUN = 14
"""Two melodies are one tune when they share this many consecutive intervals, repeated notes counted or not, …"""
SAME_TUNE_SIMILARITY = 0.56
"""… or when this share of their intervals agrees after the best alignment. Below begins what chance brings."""
HYMN = ": "
SHARES = {"test": 0.15, "valid": 0.10}
SPLIT_SEED = 1685


def chorale_files() -> list[Path]:
    """The Bach files of the music21 corpus in score formats, in name order."""
    from music21 import corpus

    return sorted(path for path in corpus.getComposer("bach") if path.suffix in (".mxl", ".xml", ".krn"))


def to_grid(part: object) -> tuple[list[tuple[int, int, int, bool]], list[int], int]:
    """Notes (pitch, start, stop, tied), fermata steps and off-grid events of a music21 part.

    An event off the grid goes to the step nearest to it; what then has no length is dropped,
    and so are grace notes.
    """
    notes, fermatas, off_grid = [], [], 0
    for event in part.flatten().notesAndRests:
        if event.isRest:
            continue
        exact = Fraction(event.offset) * STEPS_PER_QUARTER, Fraction(event.quarterLength) * STEPS_PER_QUARTER
        start, stop = round(exact[0]), round(exact[0] + exact[1])
        off_grid += event.duration.isGrace or any(n.denominator != 1 for n in exact)
        if stop > start:
            tied = event.tie is not None and event.tie.type in ("stop", "continue")
            notes.append((event.pitch.midi, start, stop, tied))
            if any("Fermata" in expression.classes for expression in event.expressions):
                fermatas.append(start)
    return notes, fermatas, off_grid


def title(path: Path) -> str:
    """BWV number and, for nine in ten, the hymn: ``BWV 269: Aus meines Herzens Grunde``."""
    from music21.corpus.chorales import ChoraleListRKBWV

    number = path.stem.removeprefix("bwv")
    entry = ChoraleListRKBWV().byBWV.get(number)
    # One title of the list begins with a doubled letter.
    return f"BWV {number}" + (f"{HYMN}{entry['title'].replace('AAch', 'Ach')}" if entry else "")


def stated(path: Path) -> dict[str, str]:
    """What a MusicXML file says about its making and its rights, "none" where it is silent."""
    if path.suffix == ".mxl":
        with zipfile.ZipFile(path) as archive:
            text = archive.read(next(n for n in archive.namelist() if not n.startswith("META-INF"))).decode()
    else:
        text = path.read_text(encoding="utf-8")
    found = {
        tag: sorted(set(re.findall(rf"<{tag}[^>]*>([^<]*)</{tag}>", text))) for tag in ("rights", "software", "source")
    }
    return {tag: "; ".join(values) or "none" for tag, values in found.items()}


def read_chorale(path: Path) -> tuple[Piece, int] | None:
    """The four-part chorale in a file, with its number of off-grid events; None if it has other parts."""
    from music21 import converter

    score = converter.parse(path, forceSource=True)
    if [part.partName for part in score.parts] != ["Soprano", "Alto", "Tenor", "Bass"]:
        return None
    grids = [to_grid(part) for part in score.parts]
    soprano = score.parts[0]
    first_bar = soprano.getElementsByClass("Measure")[0]
    time_signature = first_bar.timeSignature
    bar = int(time_signature.barDuration.quarterLength * STEPS_PER_QUARTER)
    first = int(first_bar.highestTime * STEPS_PER_QUARTER)
    steps = max(stop for notes, _, _ in grids for _, _, stop, _ in notes)
    sung = [
        Note(voice, pitch, start, stop - start, held=tied)
        for voice, (notes, _, _) in enumerate(grids)
        for pitch, start, stop, tied in notes
    ]
    fermata = np.zeros(steps, bool)
    fermata[grids[0][1]] = True
    piece = Piece.from_notes(
        sung,
        steps,
        4,
        steps_per_quarter=STEPS_PER_QUARTER,
        title=title(path),
        time_signature=(time_signature.numerator, time_signature.denominator),
        pickup=first % bar,
        fermata=fermata,
    )
    return replace(piece, key=estimate_key(piece)), sum(off for _, _, off in grids)


def intervals(piece: Piece) -> list[int]:
    """The soprano as semitones from note to note: the same in any transposition."""
    pitches = [note.pitch for note in piece.select(0).notes()]
    return [b - a for a, b in zip(pitches, pitches[1:], strict=False)]


def longest_shared_run(a: list[int], b: list[int]) -> int:
    """Length of the longest run of consecutive items that both lists contain."""
    return SequenceMatcher(None, a, b, autojunk=False).find_longest_match().size


def similarity(a: list[int], b: list[int]) -> float:
    """1 − edit distance / length of the longer list."""
    row = np.arange(len(b) + 1)
    goal = np.array(b)
    for count, item in enumerate(a, 1):
        change = np.minimum(row[1:] + 1, row[:-1] + (goal != item))
        # An insertion adds one to its left neighbour: a running minimum once the slope is taken off.
        row = np.minimum.accumulate(np.append(count, change) - np.arange(len(b) + 1)) + np.arange(len(b) + 1)
    return 1 - row[-1] / max(len(a), len(b))


def same_tune(a: list[int], b: list[int]) -> bool:
    """Whether two melodies, as intervals, are the same tune."""
    moves = [[interval for interval in melody if interval] for melody in (a, b)]
    runs = longest_shared_run(a, b), longest_shared_run(*moves)
    return max(runs) >= SAME_TUNE_RUN or similarity(a, b) >= SAME_TUNE_SIMILARITY


def tune_families(pieces: list[Piece]) -> np.ndarray:
    """int (pieces,): a number for each family of pieces connected by an equal hymn title or by ``same_tune``."""
    family = np.arange(len(pieces))
    melodies = [intervals(piece) for piece in pieces]
    hymns = [piece.title.partition(HYMN)[2] for piece in pieces]
    for i in range(len(pieces)):
        for j in range(i):
            if family[i] == family[j]:
                continue
            if (hymns[i] and hymns[i] == hymns[j]) or same_tune(melodies[i], melodies[j]):
                family[family == family[i]] = family[j]
    return np.unique(family, return_inverse=True)[1]


def split_by_family(family: np.ndarray) -> np.ndarray:
    """str (pieces,): ``train``, ``valid`` or ``test``; a family is never divided."""
    split = np.full(len(family), "train", dtype="U5")
    order = iter(np.random.default_rng(SPLIT_SEED).permutation(family.max() + 1))
    for name, share in SHARES.items():
        while (split == name).sum() < round(share * len(family)):
            split[family == next(order)] = name
    return split


def chorales() -> tuple[dict[str, np.ndarray], list[dict[str, object]]]:
    """The arrays of ``chorales.npz`` and the rows of ``chorales.csv``."""
    read = [(path, *result) for path in chorale_files() if (result := read_chorale(path))]
    pieces = [piece for _, piece, _ in read]
    family = tune_families(pieces)
    split = split_by_family(family)
    arrays = {
        "pitch": np.concatenate([piece.pitch for piece in pieces]).astype(np.int8),
        "onset": np.packbits(np.concatenate([piece.onset for piece in pieces])),
        "fermata": np.packbits(np.concatenate([piece.fermata for piece in pieces])),
        "steps": np.array([len(piece) for piece in pieces], np.int16),
        "title": np.array([piece.title for piece in pieces]),
        "key": np.array([piece.key for piece in pieces]),
        "time_signature": np.array([piece.time_signature for piece in pieces], np.int8),
        "pickup": np.array([piece.pickup for piece in pieces], np.int8),
        "split": split,
    }
    rows = [
        {
            "title": piece.title,
            "key": piece.key,
            "metre": "{}/{}".format(*piece.time_signature),
            "steps": len(piece),
            "off_grid": off,
            "family": family[i],
            "split": split[i],
            "file": path.name,
            **stated(path),
        }
        for i, (path, piece, off) in enumerate(read)
    ]
    return arrays, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write into (default: beside this file)")
    out = parser.parse_args().out
    for name, build in (("chorales", chorales), ("celtic", tunes)):
        write(out / name, *build())


def write(place: Path, arrays: dict[str, np.ndarray], rows: list[dict[str, object]]) -> None:
    """Writes ``place``.npz and ``place``.csv, whole or not at all."""
    # Not compressed: compressed bytes depend on the version of zlib.
    np.savez(place.with_name(f"{place.name}.part.npz"), **arrays)
    with open(place.with_name(f"{place.name}.part.csv"), "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    for suffix in (".npz", ".csv"):
        target = place.with_suffix(suffix)
        place.with_name(f"{place.name}.part{suffix}").replace(target)
        print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
