"""Voices on a grid of eighths as zeros and ones: for each voice the pitch that sounds, and whether it is struck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from course_lib.music.keys import shift_to_c
from course_lib.music.phrases import eighths
from course_lib.music.piece import REST, MusicError, Piece, PitchOutOfRange, WrongVoices

CHORALE_RANGES = ((57, 81), (52, 76), (45, 72), (33, 64))
"""Lowest and highest MIDI pitch of soprano, alto, tenor and bass: nearly all chorales in C major or A minor."""


@dataclass(frozen=True)
class VoiceRoll:
    """A time step as zeros and ones: one pitch for each voice, one-hot, then one unit a voice: struck here.

    ranges: (lowest, highest) MIDI pitch of each voice. There is no rest. Pieces lie on a grid of eighths (``eighths``).
    sizes: the one-hot parts; width: sizes and voices together, the length of a step. Notebook: 13.
    """

    ranges: Sequence[tuple[int, int]] = CHORALE_RANGES

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of pitches of each voice."""
        return tuple(high - low + 1 for low, high in self.ranges)

    @property
    def width(self) -> int:
        """Length of one time step."""
        return sum(self.sizes) + len(self.ranges)

    @property
    def pitches(self) -> np.ndarray:
        """int (width,): the MIDI pitch that each unit stands for; REST for those of the strokes."""
        runs = [np.arange(low, high + 1) for low, high in self.ranges]
        return np.concatenate([*runs, np.full(len(self.ranges), REST)])

    @property
    def sounding(self) -> np.ndarray:
        """float32 (width, 128): 1 where a unit lets a pitch sound. ``v @ sounding`` is a piano roll of counts."""
        return (self.pitches[:, None] == np.arange(128)).astype(np.float32)

    @property
    def classes(self) -> np.ndarray:
        """float32 (width, 12): 1 where a unit lets a pitch class sound."""
        return ((self.pitches[:, None] % 12 == np.arange(12)) & (self.pitches[:, None] != REST)).astype(np.float32)

    @property
    def strokes(self) -> np.ndarray:
        """float32 (width, 1): 1 for the units that say that a voice is struck."""
        return (self.pitches[:, None] == REST).astype(np.float32)

    def encode(self, piece: Piece) -> np.ndarray:
        """bool (time_steps, width). Raises WrongVoices, PitchOutOfRange, or MusicError for a rest."""
        if len(piece.voices) != len(self.ranges):
            raise WrongVoices(f"{len(piece.voices)} voices; this encoding holds {len(self.ranges)}. Use Piece.select.")
        low, high = np.array(self.ranges).T
        wrong = (piece.pitch < low) | (piece.pitch > high)
        if wrong.any():
            step, voice = np.argwhere(wrong)[0]
            pitch = piece.pitch[step, voice]
            if pitch == REST:
                raise MusicError(f"voice {voice} rests at step {step}; this encoding has no rest. Leave the piece out.")
            raise PitchOutOfRange(
                f"pitch {pitch} in voice {voice} at step {step}; this encoding holds {low[voice]}..{high[voice]}. "
                "Transpose, or widen ranges=."
            )
        firsts = np.cumsum((0, *self.sizes[:-1]))
        notes = np.eye(sum(self.sizes), dtype=bool)[piece.pitch - low + firsts].any(axis=1)
        return np.concatenate([notes, piece.onset], axis=1)

    def decode(self, v: np.ndarray, like: Piece | None = None, **facts: object) -> Piece:
        """The piece in v (time_steps, width), zeros and ones or chances.

        A voice may have a new note where it is struck and on each beat, two steps; until the next such place it sings
        the pitch that most steps vote for, and a new pitch is struck. like: takes its key, metre and tempo from there.
        facts: other fields of Piece.
        """
        v = np.asarray(v, np.float32)
        onset = v[:, sum(self.sizes) :] > 0.5
        onset[0] = True
        parts = np.split(v[:, : sum(self.sizes)], np.cumsum(self.sizes)[:-1], axis=1)
        pitch = np.empty(onset.shape, int)
        for voice, ((low, _), part) in enumerate(zip(self.ranges, parts, strict=True)):
            begins = onset[:, voice] | (np.arange(len(v)) % 2 == 0)
            votes = np.add.reduceat(part, np.flatnonzero(begins), axis=0)
            pitch[:, voice] = low + votes.argmax(1)[np.cumsum(begins) - 1]
        onset[1:] |= pitch[1:] != pitch[:-1]
        given = {} if like is None else {n: getattr(like, n) for n in ("key", "time_signature", "tempo")}
        return Piece(pitch, onset, steps_per_quarter=2, **{**given, **facts})


def without_rests(piece: Piece) -> Piece:
    """The piece with each rest filled by the note before it, held on; at the beginning, by the note after it.

    Raises MusicError for a voice that is silent throughout.
    """
    sounds = piece.pitch != REST
    if not sounds.any(axis=0).all():
        raise MusicError(f"voice {int((~sounds.any(axis=0)).argmax())} of {piece.title!r} is silent throughout.")
    last = np.maximum.accumulate(np.where(sounds, np.arange(len(piece))[:, None], -1), axis=0)
    first = sounds.argmax(axis=0)
    pitch = np.take_along_axis(piece.pitch, np.where(last < 0, first, last), axis=0)
    return replace(piece, pitch=pitch)


def chorale_windows(pieces: Sequence[Piece], roll: VoiceRoll, bars: int = 8) -> np.ndarray:
    """bool (windows, time_steps, width): all windows of full bars of 4/4, a bar apart, in C major or A minor.

    A rest is filled with the note before it, or after it. Windows with a note outside the ranges are left out.
    """
    found = []
    for piece in pieces:
        if piece.time_signature != (4, 4):
            continue
        moved = without_rests(eighths(piece.transpose(shift_to_c(piece)[0])))
        for start in moved.bar_lines.tolist():
            if start + bars * moved.bar_steps > len(moved):
                break
            try:
                found.append(roll.encode(moved.window(start, bars * moved.bar_steps).struck()))
            except MusicError:
                continue
    return np.stack(found)
