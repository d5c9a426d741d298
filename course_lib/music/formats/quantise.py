"""What MIDI, MusicXML and ABC have in common: limits, the metadata that files carry, the way to the grid."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from course_lib.music.errors import EmptyScore, PitchOutOfRange, TooLarge, TooLong
from course_lib.music.piece import Note, Piece

MARK = "course_lib"
DEFAULT_GRID = 4
MAX_STEPS = 30_000  # about two hours on the sixteenth grid at 60 quarters a minute
MAX_NOTES = 100_000
MAX_VOICES = 64
_GRIDS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96, 480)
_ON_GRID = 0.02  # of a step: what rounding in a file may cost


class RawNote(NamedTuple):
    """A note as a file has it: start and end in quarters, MIDI pitch, already sounding when the file begins."""

    start: float
    end: float
    pitch: int
    held: bool = False


@dataclass
class Part:
    """A part of a file: its name and one or more streams of notes, each of which may sound several notes at once."""

    name: str
    streams: list[list[RawNote]] = field(default_factory=list)


@dataclass
class Raw:
    """A file as it was read, before it is put on the grid. Times in quarters; None where the file has none."""

    parts: list[Part]
    ordered: bool = True  # the parts stand from high to low
    title: str = ""
    key: str | None = None
    time_signature: tuple[int, int] | None = None
    pickup: float = 0.0
    tempo: float | None = None
    length: float = 0.0
    fermatas: list[float] = field(default_factory=list)
    chords: list[tuple[float, str]] = field(default_factory=list)  # chord symbols, as a lead sheet has them
    facts: str | None = None
    remarks: list[str] = field(default_factory=list)

    def keep_metre(self, metre: tuple[int, int], later: Sequence[tuple[int, int]]) -> None:
        """Keeps one time signature throughout, with a remark where others follow it."""
        self.time_signature = metre
        changes = [other for other in later if other != metre]
        if changes:
            self.remarks.append(
                f"the time signature changes {len(changes)} times (first to {changes[0][0]}/{changes[0][1]}); "
                f"{metre[0]}/{metre[1]} is kept throughout"
            )


def runs(flags: np.ndarray) -> list[list[int]]:
    """``[start, length]`` of every run of True in a bool (time_steps,) array."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [[int(a), int(b - a)] for a, b in edges.reshape(-1, 2)]


def _checksum(piece: Piece) -> int:
    """CRC-32 of the notes, by which a reader sees whether the facts still describe them."""
    return zlib.crc32(piece.pitch.astype("<i2").tobytes() + piece.onset.tobytes())


def facts_text(piece: Piece) -> str:
    """All that a Piece holds besides its notes, as ASCII JSON: files carry it where their format cannot."""
    facts = {
        "steps_per_quarter": piece.steps_per_quarter,
        "steps": len(piece),
        "time_signature": piece.time_signature,
        "pickup": piece.pickup,
        "tempo": piece.tempo,
        "key": piece.key,
        "title": piece.title,
        "voices": piece.voices,
        "held": [note.voice for note in piece.notes() if note.held],
        "fermata": runs(piece.fermata),
        "notes": _checksum(piece),
    }
    return json.dumps(facts, separators=(",", ":"))


def to_piece(raw: Raw, steps_per_quarter: int | None, native: Callable[[Piece], dict[str, object]]) -> Piece:
    """Puts a file on the grid.

    steps_per_quarter: the grid; None takes that of the file, else DEFAULT_GRID.
    native: title, key, tempo, time_signature and voices of a Piece as its file format holds them, by which one sees
        what another program has changed in a file that this library wrote.

    Raises EmptyScore, TooLarge, TooLong, PitchOutOfRange, and what Piece raises.
    """
    piece = _restore(raw, native)
    if piece is not None and steps_per_quarter in (None, piece.steps_per_quarter):
        return piece
    if piece is not None:
        raw = _unfold(piece, raw.remarks)
    lines = _lines(raw, steps_per_quarter or DEFAULT_GRID, keep_silent=piece is not None)
    return _on_grid(raw, lines, steps_per_quarter or DEFAULT_GRID)


def _restore(raw: Raw, native: Callable[[Piece], dict[str, object]]) -> Piece | None:
    """The piece that this library wrote, by the facts in the file; None where they do not describe the notes."""
    try:
        facts = json.loads(raw.facts or "null")
        grid, steps, held = int(facts["steps_per_quarter"]), int(facts["steps"]), set(facts["held"])
        names = tuple(str(name) for name in facts["voices"])
        if not 1 <= steps <= MAX_STEPS or len(names) != len(raw.parts):
            return None
        fermata = np.zeros(steps, bool)
        for start, length in facts["fermata"]:
            fermata[start : start + length] = True
        notes = []
        for voice, part in enumerate(raw.parts):
            for note in (note for stream in part.streams for note in stream):
                start, end = _nearest(note.start * grid), _nearest(note.end * grid)
                if not 0 <= start < end <= steps:
                    return None
                notes.append(Note(voice, note.pitch, start, end - start, start == 0 and voice in held))
        piece = Piece.from_notes(
            notes,
            steps,
            names,
            steps_per_quarter=grid,
            title=str(facts["title"]),
            key=facts["key"],
            time_signature=tuple(facts["time_signature"]),
            pickup=facts["pickup"],
            tempo=facts["tempo"],
            fermata=fermata,
        )
        if _checksum(piece) != facts["notes"]:
            return None
        found = {"title": raw.title, "key": raw.key, "tempo": raw.tempo, "time_signature": raw.time_signature}
        found["voices"] = tuple(part.name for part in raw.parts)
        changed = {name: found[name] for name, value in native(piece).items() if found[name] != value}
        return replace(piece, **{name: value for name, value in changed.items() if value is not None})
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError):
        return None


def _unfold(piece: Piece, remarks: list[str]) -> Raw:
    """A piece as if a file had been read, to put it on another grid."""
    quarter = piece.steps_per_quarter
    parts = [Part(name, [[]]) for name in piece.voices]
    for note in piece.notes():
        end = (note.start + note.length) / quarter
        parts[note.voice].streams[0].append(RawNote(note.start / quarter, end, note.pitch, note.held))
    return Raw(
        parts,
        title=piece.title,
        key=piece.key,
        time_signature=piece.time_signature,
        pickup=piece.pickup / quarter,
        tempo=piece.tempo,
        length=len(piece) / quarter,
        fermatas=[step / quarter for step in np.flatnonzero(piece.fermata)],
        remarks=remarks,
    )


def _lines(raw: Raw, grid: int, keep_silent: bool) -> list[tuple[str, list[RawNote]]]:
    """Voices, each with its name and its notes, of which no two sound at once."""
    notes = [note for part in raw.parts for stream in part.streams for note in stream]
    if not notes and not keep_silent:
        raise EmptyScore("there is no note in it; drums and grace notes do not count. Choose a file with notes.")
    if len(notes) > MAX_NOTES:
        raise TooLarge(f"it has {len(notes)} notes; up to {MAX_NOTES} are read. Take a part of it.")
    odd = next((n.pitch for n in notes if not 0 <= n.pitch <= 127), None)
    if odd is not None:
        raise PitchOutOfRange(f"pitch {odd}; MIDI holds 0..127. Transpose the music.")
    last = max((note.end for note in notes), default=0.0)
    length = max(raw.length, last)
    if not length * grid <= MAX_STEPS:
        tempo = raw.tempo or Piece.tempo
        raise TooLong(
            f"it lasts {length / tempo / 60:.3g} hours ({length * grid:.6g} steps at {grid} steps a quarter); up to "
            f"{MAX_STEPS} steps ({MAX_STEPS / grid / tempo / 60:.3g} hours) are read. Cut it, or use a coarser grid."
        )
    parts = raw.parts
    if not raw.ordered:
        for part in parts:
            part.streams.sort(key=_depth)
        parts = sorted(parts, key=lambda part: _depth([note for stream in part.streams for note in stream]))
    lines = []
    for number, part in enumerate(parts, 1):
        found = [line for stream in part.streams for line in _divide(stream, grid)]
        if keep_silent and not found:
            found = [[]]
        name = part.name.strip() or (f"Part {number}" if len(parts) > 1 else "")
        for n, line in enumerate(found, 1):
            lines.append((f"{name} {n}".strip() if len(found) > 1 else name, line))
        if len(lines) > MAX_VOICES:
            raise TooLarge(f"it has more than {MAX_VOICES} voices; up to {MAX_VOICES} are read. Leave parts out.")
    if not any(part.name.strip() for part in raw.parts):
        lines = [("", line) for _, line in lines]  # nameless: Piece names the voices
    return lines


def _depth(notes: list[RawNote]) -> float:
    """How low a stream of notes lies, by its mean pitch."""
    return -sum(note.pitch for note in notes) / len(notes) if notes else 0.0


def _divide(notes: list[RawNote], grid: int) -> list[list[RawNote]]:
    """Notes that may sound at once, divided into voices: high to low within a chord, near in time else."""
    notes = sorted(notes, key=lambda n: (n.start, -n.pitch, -n.end))
    # Where a note makes room for the next: overlaps that vanish on the grid do not count, chords do.
    room = [
        min(n.end, max((_nearest(n.end * grid) - 0.5) / grid, n.start + (n.end - n.start) / 2))
        if n.end > n.start
        else n.start + 0.25 / grid
        for n in notes
    ]
    free_from: list[float] = []
    for note, until in zip(notes, room, strict=True):
        voice = next((v for v, time in enumerate(free_from) if time <= note.start), len(free_from))
        free_from[voice : voice + 1] = [until]
        if len(free_from) > MAX_VOICES:
            raise TooLarge(f"more than {MAX_VOICES} notes sound at once; up to {MAX_VOICES} are read. Leave parts out.")
    count = len(free_from)
    free_from = [-math.inf] * count
    lines: list[list[RawNote]] = [[] for _ in range(count)]
    first = 0
    while first < len(notes):
        start, step = notes[first].start, _nearest(notes[first].start * grid)
        free = [v for v in range(count) if free_from[v] <= start]
        sounding = [(v, lines[v][-1].pitch) for v in range(count) if free_from[v] > start]
        # A chord is what begins together on the grid, for fingers are never quite together.
        after = first + 1
        while after < len(notes) and notes[after].start < room[first] and _nearest(notes[after].start * grid) == step:
            after += 1
        if after - first > len(free):
            after = next(n for n in range(first, after) if notes[n].start > start)
        chord = sorted(range(first, after), key=lambda n: (-notes[n].pitch, -notes[n].end))
        seats = _seats([notes[n] for n in chord], free, sounding, lines)
        for voice, n in zip(seats, chord, strict=True):
            lines[voice].append(notes[n])
            free_from[voice] = room[n]
        first = after
    return lines


def _seats(
    chord: Sequence[RawNote], free: list[int], sounding: list[tuple[int, int]], lines: list[list[RawNote]]
) -> list[int]:
    """A free voice for each note of a chord (high to low): in order, near to the last note of the voice."""
    if len(chord) == len(free):
        return free
    crossing = 1000.0
    cost = np.empty((len(chord), len(free)))
    for column, voice in enumerate(free):
        ceiling = min((pitch for v, pitch in sounding if v < voice), default=math.inf)
        floor = max((pitch for v, pitch in sounding if v > voice), default=-math.inf)
        before = lines[voice][-1].pitch if lines[voice] else None
        for row, note in enumerate(chord):
            crossed = (note.pitch > ceiling) + (note.pitch < floor)
            leap = abs(note.pitch - before) if before is not None else 6.0
            cost[row, column] = crossing * crossed + leap + 0.01 * column
    # best[i, j]: least cost of seating the first i notes in the first j free voices.
    best = np.full((len(chord) + 1, len(free) + 1), math.inf)
    best[0] = 0.0
    for i in range(1, len(chord) + 1):
        for j in range(i, len(free) + 1):
            best[i, j] = min(best[i, j - 1], best[i - 1, j - 1] + cost[i - 1, j - 1])
    seats, i, j = [], len(chord), len(free)
    while i:
        if j > i and best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            seats.append(free[j])
    return seats[::-1]


def _on_grid(raw: Raw, lines: list[tuple[str, list[RawNote]]], grid: int) -> Piece:
    """Rounds every note to the grid; what that cost goes into ``raw.remarks``."""
    notes, off, far, lost = [], 0, 0.0, 0
    for voice, (_, line) in enumerate(lines):
        taken: dict[int, RawNote] = {}
        homeless = []
        # Those nearest to the grid first: of two notes for one step the other moves aside, where there is room.
        for note in sorted(line, key=lambda n: (abs(n.start * grid - _nearest(n.start * grid)), n.start - n.end)):
            step = _nearest(note.start * grid)
            if step in taken:
                homeless.append(note)
            else:
                taken[step] = note
        for note in homeless:
            step = _nearest(note.start * grid)
            aside = step - 1 if note.start * grid < step else step + 1
            if aside >= 0 and aside not in taken:
                taken[aside] = note
            else:
                lost += 1
        for step, note in taken.items():
            shift = abs(note.start * grid - step)
            off += shift > _ON_GRID
            far = max(far, shift)
            length = max(1, _nearest(note.end * grid) - step)
            notes.append(Note(voice, note.pitch, step, length, note.held and step == 0))
    steps = max([_nearest(raw.length * grid), 1, *(note.start + note.length for note in notes)])
    if off or lost:
        starts = [note.start for _, line in lines for note in line]
        finer = next((g for g in _GRIDS if all(abs(t * g - _nearest(t * g)) <= _ON_GRID for t in starts)), None)
        raw.remarks.append(
            f"{off + lost} of {len(starts)} notes start off the grid of {grid} steps a quarter: moved by up to "
            f"{far:.2g} of a step"
            + (f", {lost} left out for want of a free step" if lost else "")
            + (f" (steps_per_quarter={finer} would hold them all)" if finer else "")
        )
    beats, unit = raw.time_signature or Piece.time_signature
    if not 1 <= beats <= 64 or unit not in (1, 2, 4, 8, 16, 32, 64):
        raw.remarks.append(f"time signature {beats}/{unit} cannot be kept, 4/4 is taken")
        beats, unit = Piece.time_signature
    tempo = Piece.tempo if raw.tempo is None else raw.tempo
    if not 1 <= tempo <= 1000:
        raw.remarks.append(f"tempo {tempo:.6g} lies outside 1..1000 quarters a minute, the nearest is taken")
        tempo = min(max(tempo, 1.0), 1000.0) if math.isfinite(tempo) else Piece.tempo
    pickup = _nearest(raw.pickup * grid)
    if not 0 <= pickup * unit < beats * 4 * grid:
        pickup = 0
    fermata = np.zeros(steps, bool)
    fermata[[min(_nearest(time * grid), steps - 1) for time in raw.fermatas]] = True
    names = [name for name, _ in lines]
    return Piece.from_notes(
        notes,
        steps,
        names if any(names) else len(names),
        steps_per_quarter=grid,
        title=raw.title,
        key=raw.key,
        time_signature=(beats, unit),
        pickup=pickup,
        tempo=tempo,
        fermata=fermata,
    )


def _nearest(number: float) -> int:
    """The nearest whole number, halves up, so that later times never come out earlier."""
    return math.floor(number + 0.5)
