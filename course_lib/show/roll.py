"""The geometry of a piano roll: what the drawn roll and the player's roll have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from course_lib.music.keys import note_name
from course_lib.music.piece import REST, SATB, Note, Piece

VOICE_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Soprano, alto, tenor, bass, further voices: the set of Okabe and Ito, distinct with any colour vision."""

_NATURALS = (0, 2, 4, 7, 9)  # without F and B, whose names would stand on those of E and C


class NoteBox(NamedTuple):
    """One note as a box: ``left`` and ``right`` in time steps, ``bottom`` and ``top`` in MIDI pitch."""

    voice: int
    left: float
    right: float
    bottom: float
    top: float


def place(piece: Piece, voice: int) -> int:
    """Where a voice stands in the choir, from 0: by its name if it is one of the four, else by its index.

    So an alto alone looks and sounds like an alto.
    """
    name = piece.voices[voice]
    return SATB.index(name) if name in SATB else voice


def voice_colour(piece: Piece, voice: int) -> str:
    """Colour of a voice by its place; the last colour stays for all further voices."""
    return VOICE_COLOURS[min(place(piece, voice), len(VOICE_COLOURS) - 1)]


def note_boxes(piece: Piece) -> list[NoteBox]:
    """A box for each note, in the order in which they are to be drawn.

    A box ends a little before its note does: two notes of one pitch are two boxes, a held note is one. A note that was
    sounding before the piece began sticks out on the left. Where voices share a pitch, the shorter note is drawn
    over the longer at half the height: above its middle for the higher voice, below for the lower.
    """
    notes = piece.notes()
    halves = _shorter_in_unison(notes)
    found = []
    for note in sorted(notes, key=lambda n: (n in halves, n.start)):
        gap = min(0.08 * piece.steps_per_quarter, note.length / 6)
        left = note.start - (lead(piece) if note.held else 0.0)
        half = halves.get(note, 0)
        bottom, top = (note.pitch if half > 0 else note.pitch - 0.45), (note.pitch if half < 0 else note.pitch + 0.45)
        found.append(NoteBox(note.voice, left, note.start + note.length - gap, bottom, top))
    return found


def _shorter_in_unison(notes: Sequence[Note]) -> dict[Note, int]:
    """Notes that a longer note of the same pitch would hide: +1 for the higher voice of the two, -1 for the lower."""
    halves = {}
    by_pitch = sorted(notes, key=lambda n: (n.pitch, n.start))
    for i, first in enumerate(by_pitch):
        for other in by_pitch[i + 1 :]:
            if other.pitch != first.pitch or other.start >= first.start + first.length:
                break
            short, long = sorted((first, other), key=lambda n: (n.length, n.voice))
            halves[short] = 1 if short.voice < long.voice else -1
    return halves


def lead(piece: Piece) -> float:
    """Time steps that a roll shows before step 0, where notes that were already sounding stick out."""
    return piece.steps_per_quarter / 8


def pitch_span(pieces: Sequence[Piece]) -> tuple[int, int]:
    """The lowest and the highest MIDI pitch that a roll of all these pieces needs, at least an octave apart."""
    sounding = np.concatenate([piece.pitch[piece.pitch != REST] for piece in pieces])
    low, high = (int(sounding.min()), int(sounding.max())) if len(sounding) else (60, 72)
    spare = max(0, 12 - (high - low))
    return max(0, low - 1 - spare // 2), min(127, high + 1 + (spare + 1) // 2)


def pitch_marks(low: int, high: int) -> list[int]:
    """The MIDI pitches to be named beside a roll: every C and G, or five of the white keys when the span is small."""
    classes = _NATURALS if high - low <= 16 else (0, 7)
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in classes]


def bar_numbers(piece: Piece) -> list[tuple[int, int]]:
    """(time step, number) of the bars that get a number: all, or every 2nd, 4th, … when there are many."""
    lines = piece.bar_lines
    every = next((n for n in (1, 2, 4, 5, 10, 20, 50) if len(lines) / n <= 12), 100)
    return [(int(step), n) for n, step in enumerate(lines, 1) if (n - 1) % every == 0]


def bar_count(piece: Piece) -> str:
    """``"12 bars"``, a pickup not counted."""
    count = len(piece.bar_lines)
    return f"{count} bar" if count == 1 else f"{count} bars"


def roll_alt(piece: Piece) -> str:
    """What the roll shows, in words: key, metre, length, and the range of each voice."""
    beats, unit = piece.time_signature
    ranges = []
    for voice, name in enumerate(piece.voices):
        pitch = piece.pitch[:, voice]
        pitch = pitch[pitch != REST]
        extent = f"{note_name(int(pitch.min()))} to {note_name(int(pitch.max()))}" if len(pitch) else "silent"
        ranges.append(f"{name} {extent}")
    facts = [piece.key or "", f"{beats}/{unit} time", bar_count(piece), f"{piece.seconds:.0f} seconds"]
    title = piece.title or "a piece without title"
    return f"Piano roll of {title}: {', '.join(filter(None, facts))}. {'; '.join(ranges)}."
