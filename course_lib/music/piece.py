"""Piece, the one object that carries music everywhere: voices on a time grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from course_lib.music.errors import MusicError, PitchOutOfRange, WrongMetre, WrongVoices
from course_lib.music.keys import key_name, pitch_class

REST = -1
"""The value in ``Piece.pitch`` where a voice is silent. A rest is not a pitch."""

SATB = ("Soprano", "Alto", "Tenor", "Bass")


class Note(NamedTuple):
    """One note: ``voice`` index, MIDI ``pitch``, ``start`` and ``length`` in time steps.

    ``held`` is True where it goes on from before ``start`` (only at step 0 in what ``Piece.notes`` gives).
    """

    voice: int
    pitch: int
    start: int
    length: int
    held: bool = False


@dataclass(frozen=True, eq=False)
class Piece:
    """Voices on a time grid. It validates itself: a Piece that exists can be played, drawn and saved.

    pitch: int (time_steps, voices), MIDI number 0..127 or ``REST``.
    onset: bool (time_steps, voices), True where a note starts, False where it is held or rests.
        A voice may start with a hold: its first note then began before the piece.
    steps_per_quarter: time steps in a quarter note (4 = sixteenth grid).
    key: ``"G major"``, ``"F# minor"``, … or None where it is not known.
    time_signature: (beats, beat unit), as in (4, 4).
    pickup: time steps before the first full bar, less than one bar.
    tempo: quarter notes per minute.
    voices: a name for each voice, highest first.
    fermata: bool (time_steps,), True where a fermata stands over the step's notes.

    Raises MusicError (PitchOutOfRange, WrongVoices, WrongMetre) when the parts contradict each other.
    Notebook: 01.
    """

    pitch: np.ndarray
    onset: np.ndarray
    steps_per_quarter: int = 4
    title: str = ""
    key: str | None = None
    time_signature: tuple[int, int] = (4, 4)
    pickup: int = 0
    tempo: float = 80.0
    voices: tuple[str, ...] = ()
    fermata: np.ndarray = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731 (frozen dataclass)
        pitch = np.array(self.pitch)
        if pitch.ndim != 2 or 0 in pitch.shape:
            raise WrongVoices(f"pitch has shape {pitch.shape}; a Piece needs (time_steps, voices), one or more each.")
        if pitch.dtype.kind not in "iu":
            raise MusicError(f"pitch has type {pitch.dtype}; it must hold whole MIDI numbers.")
        bad = (pitch != REST) & ((pitch < 0) | (pitch > 127))
        if bad.any():
            step, voice = np.argwhere(bad)[0]
            raise PitchOutOfRange(
                f"pitch {pitch[step, voice]} in voice {voice} at step {step}; "
                f"MIDI holds 0..127 (a rest is {REST}). Transpose, or mend the data."
            )
        pitch = pitch.astype(np.int16)
        onset = np.array(self.onset)
        if onset.shape != pitch.shape or onset.dtype != bool:
            raise MusicError(f"onset is {onset.dtype} {onset.shape}; it must be bool {pitch.shape}, as pitch is.")
        silent = onset & (pitch == REST)
        without_onset = ~onset[1:] & (pitch[1:] != REST) & (pitch[1:] != pitch[:-1])
        if silent.any():
            step, voice = np.argwhere(silent)[0]
            raise MusicError(f"voice {voice} has an onset at step {step} but rests there. Clear it or set a pitch.")
        if without_onset.any():
            step, voice = np.argwhere(without_onset)[0] + (1, 0)
            raise MusicError(
                f"voice {voice} changes to pitch {pitch[step, voice]} at step {step} without an onset. Set one."
            )
        fermata = np.zeros(len(pitch), bool) if self.fermata is None else np.array(self.fermata, bool)
        if fermata.shape != (len(pitch),):
            raise MusicError(f"fermata has shape {fermata.shape}; it must be ({len(pitch)},), one flag a time step.")
        for name, array in (("pitch", pitch), ("onset", onset), ("fermata", fermata)):
            array.setflags(write=False)
            put(name, array)

        if int(self.steps_per_quarter) != self.steps_per_quarter or not 1 <= self.steps_per_quarter <= 480:
            raise MusicError(f"steps_per_quarter is {self.steps_per_quarter}; use 1..480, whole (4 = sixteenths).")
        put("steps_per_quarter", int(self.steps_per_quarter))
        beats, unit = (int(n) for n in self.time_signature)
        put("time_signature", (beats, unit))
        if not 1 <= beats <= 64 or unit not in (1, 2, 4, 8, 16, 32, 64):
            raise WrongMetre(f"time signature {beats}/{unit}: beats must be 1..64 and the unit a power of 2 up to 64.")
        if beats * 4 * self.steps_per_quarter % unit:
            raise WrongMetre(
                f"a bar of {beats}/{unit} is no whole number of steps at steps_per_quarter={self.steps_per_quarter}. "
                "Use a finer grid."
            )
        if int(self.pickup) != self.pickup or not 0 <= self.pickup < self.bar_steps:
            raise WrongMetre(f"pickup of {self.pickup} steps; it must be a whole number 0..{self.bar_steps - 1}.")
        put("pickup", int(self.pickup))
        if not 1 <= self.tempo <= 1000:
            raise MusicError(f"tempo {self.tempo}; it must lie in 1..1000 quarter notes per minute.")
        put("tempo", float(self.tempo))
        if self.key is not None:
            pitch_class(self.key)
        count = pitch.shape[1]
        names = tuple(self.voices) or (SATB if count == 4 else tuple(f"Voice {v + 1}" for v in range(count)))
        if len(names) != count:
            raise WrongVoices(f"{len(names)} voice names {names} for {count} voices. Give one name a voice.")
        put("voices", names)

    def _facts(self) -> tuple:
        arrays = (self.pitch.shape, self.pitch.tobytes(), self.onset.tobytes(), self.fermata.tobytes())
        grid = (self.steps_per_quarter, self.time_signature, self.pickup, self.tempo)
        return (*arrays, *grid, self.title, self.key, self.voices)

    def __eq__(self, other: object) -> bool:
        return self._facts() == other._facts() if isinstance(other, Piece) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._facts())

    def __len__(self) -> int:
        """Number of time steps."""
        return len(self.pitch)

    def __repr__(self) -> str:
        beats, unit = self.time_signature
        count = len(self.voices)
        facts = [f"{count} voice{'s' * (count != 1)} × {len(self)} steps", f"{beats}/{unit}", self.key or "no key"]
        return f"Piece({self.title!r}, {', '.join(facts)}, {self.seconds:.0f} s)"

    @property
    def bar_steps(self) -> int:
        """Time steps in one bar."""
        beats, unit = self.time_signature
        return beats * 4 * self.steps_per_quarter // unit

    @property
    def bar_lines(self) -> np.ndarray:
        """int (bars,): the steps at which full bars begin."""
        return np.arange(self.pickup, len(self), self.bar_steps)

    @property
    def step_seconds(self) -> float:
        """Length of one time step in seconds."""
        return 60.0 / self.tempo / self.steps_per_quarter

    @property
    def seconds(self) -> float:
        """Length of the piece in seconds."""
        return len(self) * self.step_seconds

    def notes(self) -> list[Note]:
        """All notes, voice by voice, in time order."""
        found = []
        for v in range(len(self.voices)):
            pitch, onset = self.pitch[:, v], self.onset[:, v]
            begins = onset.copy()
            begins[0] |= pitch[0] != REST
            ends = begins | (pitch == REST)
            starts = np.flatnonzero(begins)
            stops = np.append(np.flatnonzero(ends), len(pitch))
            following = stops[np.searchsorted(stops, starts, side="right")]
            for start, stop in zip(starts.tolist(), following.tolist(), strict=True):
                found.append(Note(v, int(pitch[start]), start, stop - start, not onset[start]))
        return found

    def pitch_counts(self, modulo: int = 12) -> np.ndarray:
        """int (time_steps, modulo): how many voices sound each pitch class; modulo 128, each MIDI pitch."""
        counts = np.zeros((len(self), modulo), int)
        step, voice = np.nonzero(self.pitch != REST)
        np.add.at(counts, (step, self.pitch[step, voice] % modulo), 1)
        return counts

    @classmethod
    def from_notes(cls, notes: Iterable[Note], steps: int, voices: int | Sequence[str], **facts: object) -> Piece:
        """The inverse of ``notes``: ``steps`` time steps, ``voices`` as names or as a number.

        A later note cuts an earlier one of its voice short; a held note with nothing to go on from starts anew.
        Other fields of Piece go into ``facts``.
        """
        count = voices if isinstance(voices, int) else len(voices)
        pitch = np.full((steps, count), REST, np.int16)
        onset = np.zeros((steps, count), bool)
        for note in sorted(notes, key=lambda n: n.start):
            pitch[note.start : note.start + note.length, note.voice] = note.pitch
            onset[note.start : note.start + note.length, note.voice] = False
            goes_on = note.start == 0 or pitch[note.start - 1, note.voice] == note.pitch
            onset[note.start, note.voice] = not (note.held and goes_on)
            end = note.start + note.length
            # What an earlier, longer note left beyond this one's end falls silent.
            while end < steps and pitch[end, note.voice] != REST and not onset[end, note.voice]:
                pitch[end, note.voice] = REST
                end += 1
        names = () if isinstance(voices, int) else tuple(voices)
        return cls(pitch, onset, voices=names, **facts)  # type: ignore[arg-type]

    def window(self, start: int, length: int) -> Piece:
        """The ``length`` time steps from ``start`` on; a note that began earlier stays held."""
        if start < 0 or length < 1 or start + length > len(self):
            raise WrongMetre(
                f"window of {length} steps at step {start}: this piece has {len(self)} steps. Ask for a part inside it."
            )
        part = slice(start, start + length)
        return replace(
            self,
            pitch=self.pitch[part],
            onset=self.onset[part],
            fermata=self.fermata[part],
            pickup=(self.pickup - start) % self.bar_steps,
        )

    def with_onsets_at_start(self) -> Piece:
        """The same piece, in which what was held from before its beginning starts at step 0."""
        onset = self.onset.copy()
        onset[0] = self.pitch[0] != REST
        return replace(self, onset=onset)

    def regrid(self, steps_per_quarter: int) -> Piece:
        """The piece on another grid, a whole number of times finer or coarser.

        On a coarser grid what sounds at each of its steps is kept and what lies between is lost; a note starts where
        it begins at the step, or since the step before and still sounds. Raises WrongMetre where neither grid divides
        the other, or a bar or the pickup is no whole number of the new steps. Notebook: 10.
        """
        old, new = self.steps_per_quarter, steps_per_quarter
        if new < 1 or (old % new and new % old) or self.pickup * new % old or self.bar_steps * new % old:
            raise WrongMetre(
                f"{self.title or 'this piece'!r}: {old} steps a quarter, {self.bar_steps} a bar and {self.pickup} in "
                f"the pickup do not fit a grid of {new} steps a quarter. Take a grid of which they are whole steps."
            )
        at = np.arange(-(-len(self) * new // old)) * old // new  # the old step at which each new one begins
        so_far = np.cumsum(np.vstack([np.zeros_like(self.onset[:1]), self.onset]), axis=0)
        pitch, onset = self.pitch[at], np.diff(so_far[at + 1], axis=0, prepend=so_far[:1]) > 0
        onset[1:] |= pitch[1:] != pitch[:-1]
        onset &= pitch != REST
        fermata = np.add.reduceat(self.fermata, at) > 0
        pickup = self.pickup * new // old
        return replace(self, pitch=pitch, onset=onset, fermata=fermata, steps_per_quarter=new, pickup=pickup)

    def transpose(self, semitones: int) -> Piece:
        """Every note moved by ``semitones``; the key moves along. Raises PitchOutOfRange."""
        key = self.key
        if key is not None and semitones % 12:
            key = key_name((pitch_class(key) + semitones) % 12, key.split(" ")[1])
        pitch = np.where(self.pitch == REST, REST, self.pitch.astype(int) + semitones)
        if ((pitch < 0) & (self.pitch != REST)).any():
            low = int(self.pitch[self.pitch != REST].min())
            raise PitchOutOfRange(
                f"transposing pitch {low} by {semitones} gives {low + semitones}; MIDI begins at 0. Transpose less."
            )
        return replace(self, pitch=pitch, key=key)

    def select(self, *voices: int) -> Piece:
        """Only the voices with these indices, in this order."""
        wrong = [v for v in voices if not 0 <= v < len(self.voices)]
        if wrong or not voices:
            raise WrongVoices(f"voices {list(voices)} of a piece with 0..{len(self.voices) - 1}. Name at least one.")
        chosen = list(voices)
        return replace(
            self, pitch=self.pitch[:, chosen], onset=self.onset[:, chosen], voices=tuple(self.voices[v] for v in chosen)
        )
