"""Prints the table of models, trains what is missing, and goes on where an interrupt stopped it."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._measure import ROOT, busy, machine
from benchmarks.polyphony.data import read_mat
from benchmarks.polyphony.published import published, set_name
from course_lib.music.baselines.frames import ChordHistogram, NoteNgram, NoteUnigram, mean_nats
from course_lib.music.datasets import Split, chorale_frames
from course_lib.music.encodings.frames import KEYS
from course_lib.music.errors import MusicError

PARTS_USED = ("batches", "boltzmann", "nade", "over_time")
CODE = (
    "benchmarks/polyphony",
    "course_lib/training.py",
    *(f"course_lib/architectures/{part}.py" for part in PARTS_USED),
)
"""What a trained network depends on: if it changes, networks are trained anew."""


@dataclass(frozen=True)
class Network:
    """A row that has to be trained: its name in the table, the module and the function that trains it, a remark."""

    row: str
    trainer: str
    remark: str = ""


NETWORKS = {
    "rbm": Network("RBM", "rbms.train_rbm"),
    "nade": Network("NADE", "networks.train_nade"),
    "rnn": Network("RNN", "networks.train_rnn", "keys independent given the past"),
    "rnn-rbm": Network("RNN-RBM", "rbms.train_rnn_rbm"),
    "rnn-nade": Network("RNN-NADE", "networks.train_rnn_nade"),
    "rnn-notes": Network("RNN, note by note", "networks.train_rnn_notes", "any frame is possible"),
    "rnn-notes-bounded": Network("RNN, note by note, bounded", "networks.train_rnn_notes_bounded"),
}
MODELS = ("random", "ngram", *NETWORKS)


def tables(model: str, data: Split[np.ndarray]) -> list[tuple[str, Callable, int, str]]:
    """The rows that need no training: name, −log p of a sequence, parameters, remark."""
    if model == "random":
        return [("random", lambda s: np.full(len(s), KEYS * np.log(2)), 0, "")]
    one, each = NoteUnigram(data.train, iid=True), NoteUnigram(data.train)
    chords, notes = ChordHistogram(data.train, data.valid), NoteNgram(data.train, data.valid)
    return [
        ("note 1-gram, one for all", one.nats, one.parameters, ""),
        ("note 1-gram", each.nats, each.parameters, ""),
        ("chord histogram", chords.nats, chords.parameters, f"a = {chords.a:g}, chosen on valid"),
        ("note N-gram", notes.nats, notes.parameters, f"n = {notes.n}, a = {notes.a:g}, chosen on valid"),
    ]


def fingerprint(*parts: Sequence[np.ndarray]) -> str:
    """A number that changes with the frames."""
    digest = hashlib.sha256()
    for part in parts:
        for sequence in part:
            digest.update(str(sequence.shape).encode() + np.packbits(sequence).tobytes())
    return digest.hexdigest()[:12]


def code() -> str:
    """A number that changes with the code of the networks."""
    files = [f for place in CODE for f in (sorted((ROOT / place).glob("*.py")) if "." not in place else [ROOT / place])]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.polyphony",
        description="Log-likelihood in nats a frame: all frames of all sequences pooled, the first ones included.",
        epilog="Networks learn from train, are chosen on valid, and are measured on --split. After an interrupt the "
        "same command goes on; trained networks are kept in --work, so that another --split only measures them.",
    )
    parser.add_argument("--data", type=Path, metavar="FILE.mat", help="traindata, validdata, testdata, 88 columns "
                        "(default: the course's chorales, quarter notes, in C)")  # fmt: skip
    parser.add_argument("--split", choices=("valid", "test"), default="valid", help="the part to report")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL",
                        help=f"any of {', '.join(MODELS)} (default: all)")  # fmt: skip
    parser.add_argument("--minutes", type=float, default=9.0, help="limit of one network's training (default: 9)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall",
                        help="what the limit counts; cpu on a machine that has other work (default: wall)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: results/polyphony/DATA-SPLIT.json")
    parser.add_argument("--work", type=Path, default=ROOT / "checkpoints" / "polyphony", help="where networks are kept")
    parser.add_argument("--fresh", action="store_true", help="forget what was trained and measured before")
    chosen = parser.parse_args(arguments)
    try:
        chosen.set = read_mat(chosen.data) if chosen.data else chorale_frames()
        chosen.part = chosen.set.part(chosen.split)
    except MusicError as error:
        parser.error(str(error))
    if chosen.minutes <= 0:
        parser.error(f"--minutes is {chosen.minutes:g}; it must be above 0.")
    return chosen


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    chosen = options(arguments)
    data, name = chosen.set, set_name(chosen.set)
    label = re.sub(r"\W+", "-", chosen.data.stem if chosen.data else "chorales")
    path = chosen.json or ROOT / "results" / "polyphony" / f"{label}-{chosen.split}.json"
    trained_on, reported = fingerprint(data.train, data.valid), fingerprint(chosen.part)
    settings = [trained_on, chosen.seed, chosen.minutes, chosen.clock, code()]
    known = {} if chosen.fresh else _known(path)
    where = machine() | {"busy, per cent": busy(), "threads": os.environ.get("OMP_NUM_THREADS", "all")}
    metadata = {
        "data": str(chosen.data.name if chosen.data else "the course's chorales, quarter notes, in C"),
        "set": name,
        "split": chosen.split,
        "seed": chosen.seed,
        "minutes": chosen.minutes,
        "clock": chosen.clock,
        "frames": {part: sum(map(len, s)) for part in data._fields if (s := getattr(data, part)) is not None},
        "sequences": {part: len(s) for part in data._fields if (s := getattr(data, part)) is not None},
        "machine": where,
    }
    print(f"{metadata['data']}{f' ({name})' if name else ''}: {metadata['frames']} frames; seed {chosen.seed}")
    print(", ".join(f"{package} {version}" for package, version in where["packages"].items()))
    rows: list[dict] = []

    def keep(row: dict) -> None:
        rows.append(row)
        _write(path, metadata | {"rows": rows})

    try:
        for model in (m for m in MODELS if m in chosen.models):
            if model in NETWORKS:
                row = NETWORKS[model].row
                key = hashlib.sha256(json.dumps([row, *settings]).encode()).hexdigest()[:12]
                known_as = f"{key}-{reported}"
                if known_as in known:
                    keep(known[known_as])
                    continue
                keep(_network(model, key, chosen) | {"key": known_as, "published, test": published(row, name)})
                continue
            for row, nats, parameters, remark in tables(model, data):
                began = time.perf_counter()
                value = mean_nats(map(nats, chosen.part))
                keep(
                    {"row": row, "nats": value, "parameters": parameters, "remark": remark}
                    | {"seconds": round(time.perf_counter() - began, 2), "published, test": published(row, name)}
                )
    except KeyboardInterrupt:
        print(_table(rows, chosen.split))
        print(f"\nInterrupted. The same command goes on from here; rows so far: {path}", file=sys.stderr)
        raise SystemExit(130) from None
    print(_table(rows, chosen.split))
    print(f"\nWritten to {path}")


def _network(model: str, key: str, chosen: argparse.Namespace) -> dict:
    """Trains a network, or reads it, and measures the part."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.polyphony import networks, rbms

    network = NETWORKS[model]
    path = chosen.work / f"{model}-{key}.npz"
    if chosen.fresh:
        for old in chosen.work.glob(f"{model}-{key}*"):
            old.unlink()
    print(f"\n{network.row}", file=sys.stderr)
    run = networks.Run(
        chosen.set,
        path,
        60 * chosen.minutes,
        chosen.seed,
        chosen.clock,
        lambda text: print(f"  {text}", file=sys.stderr, flush=True),
    )
    module, name = network.trainer.split(".")
    trained = getattr({"rbms": rbms, "networks": networks}[module], name)(run)
    began = time.perf_counter()
    found = trained.measure(chosen.part)
    remarks = [text for text in (network.remark, trained.remark, found.remark) if text]
    return {
        "row": network.row,
        "nats": -found.nats,
        "interval": None if found.interval is None else [-found.interval[1], -found.interval[0]],
        "parameters": trained.parameters,
        **trained.facts,
        "seconds of measuring": round(time.perf_counter() - began, 1),
        "remark": "; ".join(remarks),
    }


def _known(path: Path) -> dict[str, dict]:
    """The networks' rows of an earlier run."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError):
        return {}
    return {row["key"]: row for row in rows if "key" in row}


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


def _table(rows: Sequence[dict], split: str) -> object:
    from course_lib.show.tables import table

    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}".replace("-", "−")

    cells = [
        [
            row["row"],
            number(row["published, test"]),
            number(row["nats"]),
            "" if not row.get("interval") else " … ".join(map(number, row["interval"])),
            row["parameters"],
            row["seconds"],
            row["remark"],
        ]
        for row in rows
    ]
    columns = ["", "published, test", f"here, {split}", "95 % interval", "parameters", "seconds", ""]
    return table(cells, columns, "\nLog-likelihood, nats a frame", digits=1)
