"""Is it a copy? The longest run that a piece shares with the training pieces, and its nearest neighbour there.

Shared is not yet stolen: chorales share their tunes and cadences with one another. Judge the results beside those
for real pieces that are not among the training pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from course_lib.music.errors import MusicError, WrongMetre, WrongVoices
from course_lib.music.piece import REST, Piece

_RESTING = 1000  # in a chord: no interval is as large


class Copy(NamedTuple):
    """The longest run that a piece shares with a training piece.

    length: time steps; without rhythm the number of onsets (a melody's notes).
    quarters, bars: how long the run lasts in the piece.
    start, source_start: the time step at which it begins in the piece and in the training piece.
    source, title: index and title of the training piece; None and "" if nothing is shared.
    transposition: semitones from the training piece up to this one; 0 for a run of silence.
    """

    length: int
    quarters: float
    bars: float
    start: int
    source: int | None
    title: str
    source_start: int
    transposition: int

    def __str__(self) -> str:
        if self.source is None:
            return "nothing shared"
        return (
            f"{self.bars:.2f} bars from step {self.start} on are those of {self.title!r} "
            f"from step {self.source_start} on, transposed by {self.transposition:+d}"
        )


class Neighbour(NamedTuple):
    """The training window most like a piece; ``distance`` is the share of (time step, voice) cells that differ.

    source, title, source_start, transposition: as in Copy.
    """

    distance: float
    source: int
    title: str
    source_start: int
    transposition: int


class _Rows(NamedTuple):
    """A piece, one row for each time step that counts. Chord and motion stay the same when it is transposed.

    at: (rows,), the time step.
    pitch: (rows, voices).
    chord: (rows, voices), intervals from the first voice that sounds.
    motion: (rows, 2 × voices + 1), chord, which voices start a note, and the interval by which the first voice that
        sounds has moved since there last was one.
    """

    at: np.ndarray
    pitch: np.ndarray
    chord: np.ndarray
    motion: np.ndarray


class CopyDetector:
    """Finds what a piece has in common with training pieces, in any transposition.

    training: pieces with the same number of voices on one grid. If the piece in question is among them, it is
        found: give the training side of a split only.
    voice: None for all voices together, or the index of the one to look at: 0 for the melody of a chorale.
    rhythm: False leaves durations and rests out: only the time steps with an onset count.

    Raises MusicError (WrongVoices, WrongMetre), here and later, for pieces that do not fit together. Notebook: 02.
    """

    def __init__(self, training: Sequence[Piece], voice: int | None = None, rhythm: bool = True) -> None:
        if not training:
            raise MusicError("0 training pieces. Give at least one.")
        self.training, self.voice, self.rhythm = tuple(training), voice, rhythm
        parts = [self._rows(piece) for piece in self.training]
        # A row before each piece that equals no other keeps runs from going on into the next piece.
        self._lengths = np.array([len(part.at) for part in parts])
        self._firsts = np.cumsum(self._lengths + 1) - self._lengths
        self._at = np.concatenate([[REST, *part.at] for part in parts])
        self._pitch = np.concatenate([np.pad(part.pitch, ((1, 0), (0, 0)), constant_values=REST) for part in parts])
        self._numbers: dict[bytes, int] = {}
        for part in parts:
            for row in (*part.chord, *part.motion):
                self._numbers.setdefault(row.tobytes(), len(self._numbers))
        numbered = [self._numbered(part) for part in parts]
        kinds = (np.concatenate([[-1, *rows[kind]] for rows in numbered]) for kind in range(2))
        self._chord, self._motion = (kind.astype(np.int32) for kind in kinds)

    def _rows(self, piece: Piece) -> _Rows:
        model = self.training[0]
        if len(piece.voices) != len(model.voices):
            raise WrongVoices(
                f"{piece.title!r} has {len(piece.voices)} voices and the first training piece {len(model.voices)}. "
                "Use Piece.select to make them equal."
            )
        if self.rhythm and piece.steps_per_quarter != model.steps_per_quarter:
            raise WrongMetre(
                f"{piece.title!r} has {piece.steps_per_quarter} steps per quarter and the first training piece "
                f"{model.steps_per_quarter}. Bring them to one grid, or compare with rhythm=False."
            )
        if self.voice is not None:
            piece = piece.select(self.voice)
        at = np.arange(len(piece)) if self.rhythm else np.flatnonzero(piece.onset.any(axis=1))
        pitch, onset = piece.pitch[at], piece.onset[at]
        sounds = pitch != REST
        # Through silence the reference stays, so that a run that spans it has one transposition.
        latest = np.maximum.accumulate(np.where(sounds.any(axis=1), np.arange(len(at)), 0))
        reference = pitch[latest, sounds[latest].argmax(axis=1)]
        chord = np.where(sounds, pitch - reference[:, None], _RESTING).astype(np.int16)
        motion = np.column_stack([chord, onset, np.diff(reference, prepend=0)]).astype(np.int16)
        return _Rows(at, pitch, chord, motion)

    def _numbered(self, rows: _Rows) -> list[list[int]]:
        """Chord and motion with each row as one number, -2 where no training piece has it."""
        return [[self._numbers.get(row.tobytes(), -2) for row in kind] for kind in (rows.chord, rows.motion)]

    def longest(self, piece: Piece) -> Copy:
        """The longest run of consecutive time steps that ``piece`` shares with a training piece.

        Shared means, with one transposition for the whole run: the same pitches and rests in every step, and
        the same onsets in every step but the run's first, which may cut into a note. So silence and
        held notes count as anything else does. Of several longest runs, the first in the piece, then in the
        training pieces.
        """
        rows = self._rows(piece)
        # run[j]: length of the shared run that ends in row i of the piece and row j of the training pieces.
        run = np.zeros(len(self._chord), np.int32)
        length = last = source_last = silent = 0
        for i, (chord, motion) in enumerate(zip(*self._numbered(rows), strict=True)):
            before = run[:-1] * (self._motion[1:] == motion)
            if silent:
                # A run that begins in the silence just before has no transposition yet.
                before = np.maximum(before, np.minimum(run[:-1], silent))
            run[1:] = (before + 1) * (self._chord[1:] == chord)
            silent = 0 if (rows.pitch[i] != REST).any() else silent + 1
            end = int(run.argmax())
            if run[end] > length:
                length, last, source_last = int(run[end]), i, end
        if not length:
            return Copy(0, 0.0, 0.0, 0, None, "", 0, 0)
        first, source_first = last - length + 1, source_last - length + 1
        shared = rows.pitch[first : last + 1]
        sounds = shared != REST
        intervals = (shared - self._pitch[source_first : source_last + 1])[sounds]
        steps = int(np.append(rows.at, len(piece))[last + 1] - rows.at[first])
        return Copy(
            length,
            steps / piece.steps_per_quarter,
            steps / piece.bar_steps,
            int(rows.at[first]),
            *self._place(source_first),
            int(intervals[0]) if intervals.size else 0,
        )

    def nearest(self, piece: Piece) -> Neighbour:
        """The training window of the same length that differs from ``piece`` in the fewest cells.

        A cell is the pitch of one voice in one time step; onsets are not compared. All windows
        at every time step and in every transposition are tried, which takes a tenth of a second or two for
        four bars and 300 chorales. Of several nearest windows, the first, in the lowest transposition. Without
        rhythm, onsets take the place of time steps. Raises WrongMetre if no training piece is long enough.
        """
        pitch = self._rows(piece).pitch.astype(int)
        pieces = zip(self._firsts, self._lengths, strict=True)
        starts = np.concatenate([np.arange(first, first + n - len(pitch) + 1) for first, n in pieces])
        if not len(pitch) or not len(starts):
            raise WrongMetre(
                f"{piece.title!r} has {len(pitch)} steps to compare, the longest training piece {self._lengths.max()}. "
                "Compare a window that is neither empty nor longer."
            )
        # same[w, k]: cells in which window w, transposed by low + k, agrees; the last column takes what never agrees.
        own, source = pitch[pitch != REST], self._pitch[self._pitch != REST]
        low = high = 0
        if own.size and source.size:
            low, high = own.min() - source.max(), own.max() - source.min()
        same = np.zeros((len(starts), high - low + 2), np.int32)
        silent = np.zeros(len(starts), np.int32)
        line = np.arange(len(starts))
        for step, voice in np.ndindex(pitch.shape):
            theirs = self._pitch[starts + step, voice]
            if pitch[step, voice] == REST:
                silent += theirs == REST
            else:
                same[line, np.where(theirs == REST, -1, pitch[step, voice] - theirs - low)] += 1
        same = same[:, :-1] + silent[:, None]
        window, k = np.unravel_index(same.argmax(), same.shape)
        distance = 1 - same[window, k] / pitch.size
        return Neighbour(float(distance), *self._place(starts[window]), int(low + k))

    def _place(self, row: int) -> tuple[int, str, int]:
        """Index and title of the training piece and its time step, for a row of all training pieces together."""
        source = int(np.searchsorted(self._firsts, row, side="right") - 1)
        return source, self.training[source].title, int(self._at[row])
