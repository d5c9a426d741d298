"""Phrases of chorales as pairs of rows of numbers: the soprano that is given, the bass that is asked.

A chorale's phrases end under its fermatas, as sentences end with a full stop. They are put on a grid of eighth notes.
A row of numbers: 0 fills up, 1 begins, 2 ends, 3 holds the note, 4 rests, 5 and more are pitches that are struck.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from course_lib.music.chords import moved, triads
from course_lib.music.piece import REST, MusicError, Piece, PitchOutOfRange, WrongMetre, WrongVoices, note_name

PAD, START, END, HOLD, SILENCE, FIRST = range(6)
"""What the numbers below the pitches mean; ``FIRST`` is the lowest pitch struck."""

GRID = 2
"""Time steps in a quarter note."""

LONGEST = 32
"""Eighth notes in a phrase at most: one chorale phrase in fifty is longer, and left out."""


def eighths(piece: Piece) -> Piece:
    """The piece on a grid of eighth notes: what sounds at each eighth; what lies between is lost.

    A pitch is struck where a note begins at the eighth, or since the eighth before and still sounds. Raises WrongMetre
    where an eighth is no whole number of steps, or a bar or the pickup no whole number of eighths.
    """
    wide, rest = divmod(piece.steps_per_quarter, GRID)
    if rest or piece.pickup % wide or piece.bar_steps % wide:
        raise WrongMetre(
            f"{piece.title or 'this piece'!r}: {piece.steps_per_quarter} steps a quarter, {piece.bar_steps} a bar and "
            f"{piece.pickup} in the pickup do not fit a grid of eighths. Take a piece whose bars and pickup are whole "
            "eighths, as in 4/4, 3/4 or 6/8, on a grid of 2, 4, 6, … steps a quarter."
        )
    before = np.pad(piece.onset, ((wide - 1, -len(piece) % wide), (0, 0)))
    struck = np.stack([before[i : i + len(piece) : wide] for i in range(wide)]).any(axis=0)
    pitch = piece.pitch[::wide]
    struck[1:] |= pitch[1:] != pitch[:-1]
    fermata = np.add.reduceat(piece.fermata, np.arange(0, len(piece), wide)) > 0
    return replace(
        piece,
        pitch=pitch,
        onset=struck & (pitch != REST),
        fermata=fermata,
        steps_per_quarter=GRID,
        pickup=piece.pickup // wide,
    )


def phrases(pieces: Iterable[Piece], voices: Sequence[int] = (0, 3), longest: int = LONGEST) -> list[Piece]:
    """The phrases of the pieces on a grid of eighths, of these voices, up to ``longest`` eighths long.

    A phrase ends with the soprano's note under a fermata. Notes held from before it are struck. Cut after splitting,
    never before: phrases of one chorale belong on one side. Notebook: 10.
    """
    found = []
    for piece in map(eighths, pieces):
        silent = piece.pitch[:, 0] == REST
        begins = np.append(np.flatnonzero(piece.onset[:, 0] | silent), len(piece))
        ends = [int(begins[begins > step][0]) for step in np.flatnonzero(piece.fermata)]
        for start, end in zip([0, *ends], [*ends, len(piece)], strict=True):
            if 0 < end - start <= longest and (piece.pitch[start:end, list(voices)] != REST).any(axis=0).all():
                found.append(piece.window(start, end - start).select(*voices).struck())
    return found


@dataclass(frozen=True)
class PhraseNumbers:
    """One voice of a phrase as a row of numbers, and back. low, high: MIDI pitches that have a number. Notebook: 10."""

    low: int
    high: int

    @property
    def symbols(self) -> int:
        """How many numbers there are."""
        return self.high - self.low + 1 + FIRST

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each number."""
        return ("·", "start", "end", "–", "rest", *map(note_name, range(self.low, self.high + 1)))

    def fits(self, pitch: np.ndarray) -> bool:
        """Whether every pitch has a number."""
        return bool(((pitch == REST) | ((pitch >= self.low) & (pitch <= self.high))).all())

    def encode(self, piece: Piece, voice: int = 0) -> np.ndarray:
        """int32 (time_steps + 1,): a number for each eighth, then END. Raises PitchOutOfRange."""
        pitch, onset = piece.pitch[:, voice].astype(int), piece.onset[:, voice].copy()
        if not self.fits(pitch):
            wrong = next(p for p in pitch if p != REST and not self.low <= p <= self.high)
            raise PitchOutOfRange(
                f"pitch {wrong} ({note_name(wrong)}); the numbers hold {self.low}..{self.high} "
                f"({note_name(self.low)}..{note_name(self.high)}). Transpose."
            )
        onset[0] = True  # there is nothing to hold yet
        row = np.where(pitch == REST, SILENCE, np.where(onset, pitch - self.low + FIRST, HOLD))
        return np.append(row, END).astype(np.int32)

    def sounding(self, row: np.ndarray, steps: int | None = None) -> np.ndarray:
        """int (steps,): what sounds at each eighth; after END nothing does. A hold with nothing to hold is a rest."""
        row = np.asarray(row)
        steps = len(row) if steps is None else steps
        pitch, now = np.full(steps, REST), REST
        for t, number in enumerate(row[:steps]):
            if number == END:
                break
            now = now if number == HOLD else number - FIRST + self.low if number >= FIRST else REST
            pitch[t] = now
        return pitch

    def join(self, above: Piece, row: np.ndarray, title: str | None = None) -> Piece:
        """The first voice of ``above`` with this row as the bass below it, as long as ``above``.

        Where the row ends early the bass is silent. Raises MusicError for a number that there is not.
        """
        row = np.asarray(row)
        if row.size and not 0 <= row.min() <= row.max() < self.symbols:
            raise MusicError(f"numbers {row.min()}..{row.max()}; there are 0..{self.symbols - 1}.")
        pitch = self.sounding(row, len(above))
        struck = np.zeros(len(above), bool)
        struck[: len(row)] = row[: len(above)] >= FIRST
        struck &= pitch != REST
        return replace(
            above,
            pitch=np.stack([above.pitch[:, 0], pitch], axis=1),
            onset=np.stack([above.onset[:, 0], struck], axis=1),
            voices=(above.voices[0], "Bass"),
            title=above.title if title is None else title,
        )


SOPRANO, BASS = PhraseNumbers(57, 81), PhraseNumbers(36, 64)


class Pairs(NamedTuple):
    """Phrases as numbers, filled up with PAD: source and target int32 (phrases, steps)."""

    source: np.ndarray
    target: np.ndarray


def pairs(found: Sequence[Piece], semitones: Iterable[int] = (0,), longest: int = LONGEST) -> Pairs:
    """Soprano and bass of two-voice phrases as numbers, in several keys: those that both ranges hold.

    In the order of ``semitones``, then of the phrases. Raises WrongVoices, and MusicError where none fits.
    """
    for piece in found:
        if len(piece.voices) != 2:
            raise WrongVoices(f"{len(piece.voices)} voices {piece.voices}; a pair has two. Use phrases(...).")
    plain = [(piece.pitch.astype(int), piece) for piece in found]
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    for shift in semitones:
        for pitch, piece in plain:
            moved = np.where(pitch == REST, REST, pitch + shift)
            if SOPRANO.fits(moved[:, 0]) and BASS.fits(moved[:, 1]):
                there = piece.transpose(shift) if shift else piece
                rows.append((SOPRANO.encode(there, 0), BASS.encode(there, 1)))
    return _filled(rows, longest + 1, longest + 1)


def chord_pairs(found: Sequence[Piece], semitones: Iterable[int] = (0,), longest: int = LONGEST) -> Pairs:
    """Soprano and chords of phrases in all voices, in several keys: those that the soprano's range holds.

    source int32 (phrases, longest + 1), as in ``pairs``. target int32 (phrases, longest // 2 + 1): for each quarter the
    triad below the soprano (see ``chords.triads``), as its index in CHORDS + FIRST; SILENCE where nothing sounds; then
    END, and PAD. Quarters are counted from the phrase's first note. In the order of ``pairs``. Raises MusicError where
    none fits. Notebook: 10.
    """
    plain = [(piece.select(0), triads(replace(piece, pickup=0), GRID)) for piece in found]
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    for shift in semitones:
        for soprano, chord in plain:
            if SOPRANO.fits(np.where(soprano.pitch == REST, REST, soprano.pitch.astype(int) + shift)):
                there = soprano.transpose(shift) if shift else soprano
                rows.append((SOPRANO.encode(there), np.append(moved(chord, shift) + FIRST, END)))
    return _filled(rows, longest + 1, longest // GRID + 1)


def _filled(rows: Sequence[tuple[np.ndarray, np.ndarray]], *steps: int) -> Pairs:
    """Rows filled up with PAD, to so many steps in source and target. Raises MusicError for none."""
    if not rows:
        raise MusicError("none of the phrases lies within the ranges. Transpose them.")
    both = [np.zeros((len(rows), wide), np.int32) for wide in steps]
    for i, pair in enumerate(rows):
        for filled, row in zip(both, pair, strict=True):
            filled[i, : len(row)] = row
    return Pairs(*both)


# ---------------------------------------------------------------- without a network

CONTEXTS = ("soprano now", "bass before", "beat", "soprano next", "bass before that", "soprano after next")
"""What a table may look at, in the order of the columns of ``contexts``."""


def contexts(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """int (phrases, steps, 6): for each number of ``target`` what ``CONTEXTS`` names, as whole numbers.

    Soprano: the pitch that sounds and whether it is struck. Bass: the pitch that sounded before, and whether it was
    held. Beat: 1 between two beats, counted from the phrase's first note.
    """
    source, target = np.atleast_2d(source), np.atleast_2d(target)
    high, low = _held(source), _held(target)
    n, steps = target.shape

    def later(rows: np.ndarray, by: int) -> np.ndarray:
        return np.pad(rows, ((0, 0), (0, by)))[:, by : by + steps]

    def before(rows: np.ndarray, by: int) -> np.ndarray:
        return np.pad(rows, ((0, 0), (by, 0)))[:, :steps]

    beat = np.broadcast_to(np.arange(steps) % GRID, (n, steps))
    columns = (later(high, 0), before(low, 1), beat, later(high, 1), before(low, 2), later(high, 2))
    return np.stack(columns, axis=-1)


def on_beats(rows: np.ndarray) -> np.ndarray:
    """int (phrases, quarters): what sounds on each quarter, as the number that struck it; END and PAD stay.

    rows: int (phrases, steps), eighths, of phrases that are whole quarters long. Notebook: 10.
    """
    return _held(np.atleast_2d(rows))[:, ::GRID] // 2


def _held(rows: np.ndarray) -> np.ndarray:
    """The rows with each hold replaced by twice the number that it holds, plus one; all others doubled."""
    result, now = np.zeros_like(rows), np.zeros(len(rows), rows.dtype)
    for t in range(rows.shape[1]):
        held = rows[:, t] == HOLD
        now = np.where(held, now, rows[:, t])
        result[:, t] = 2 * now + held
    return result


class ContextTables:
    """p(bass number | context) by counting: each longer context leans on the shorter one.

        p(b | c_1 … c_k) = (count(c_1 … c_k, b) + lean · p(b | c_1 … c_{k−1})) / (count(c_1 … c_k) + lean)

    with p(b) of no context over the uniform distribution. pairs: what is counted. columns: of ``contexts``, the most
    telling first. lean: so many imagined examples of the shorter context. symbols: how many numbers there are to say.
    Source: MacKay & Peto, "A hierarchical Dirichlet language model" (1995). Notebook: 10.
    """

    def __init__(
        self, known: Pairs, columns: Sequence[int] = (0, 1), lean: float = 4.0, symbols: int = BASS.symbols
    ) -> None:
        self.columns, self.lean, self.symbols = tuple(columns), lean, symbols
        seen = contexts(known.source, known.target)
        real = known.target != PAD
        asked = known.target[real]
        self.levels: list[np.ndarray] = []
        self.tables: list[np.ndarray] = []
        table = (np.bincount(asked, minlength=self.symbols) + lean / self.symbols)[None] / (len(asked) + lean)
        self.shortest, row = table, np.zeros(len(asked), np.int64)
        for column in self.columns:
            code = row * 1000 + seen[..., column][real]
            level, first, row = np.unique(code, return_index=True, return_inverse=True)
            counts = np.bincount(row * self.symbols + asked, minlength=len(level) * self.symbols)
            counts = counts.reshape(len(level), self.symbols)
            shorter = table[level // 1000]
            table = (counts + lean * shorter) / (counts.sum(1, keepdims=True) + lean)
            self.levels.append(level)
            self.tables.append(table.astype(np.float32))

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        """float (n, symbols) for contexts (n, 6); a context that was never seen passes on to the shorter one."""
        row = np.zeros(len(seen), np.int64)
        p = np.repeat(self.shortest, len(seen), axis=0)
        known = np.ones(len(seen), bool)
        for column, level, table in zip(self.columns, self.levels, self.tables, strict=True):
            code = row * 1000 + seen[:, column]
            at = np.searchsorted(level, code).clip(max=len(level) - 1)
            known &= level[at] == code
            row = np.where(known, at, 0)
            p[known] = table[at[known]]
        return p

    def log_p(self, asked: Pairs) -> np.ndarray:
        """float (phrases, steps, symbols): log p of every number, given the *true* bass before."""
        seen = contexts(asked.source, asked.target)
        flat = self.probabilities(seen.reshape(-1, seen.shape[-1]))
        return np.log(flat).reshape(*asked.target.shape, self.symbols)

    def write(self, source: np.ndarray) -> np.ndarray:
        """int32 (phrases, steps): the likeliest number each time, given what was written before; as long as source."""
        made = np.zeros(source.shape, np.int32)
        for t in range(source.shape[1]):
            p = self.probabilities(contexts(source, made)[:, t]).copy()
            p[:, [PAD, START, END]] = 0
            made[:, t] = np.where(source[:, t] == PAD, PAD, np.where(source[:, t] == END, END, p.argmax(1)))
        return made


def nearest_phrases(known: Pairs, source: np.ndarray) -> np.ndarray:
    """int32 (phrases, steps): the bass of the known phrase of this length whose soprano agrees in most numbers.

    Where no known phrase has the length, the bass holds nothing and rests. Notebook: 10.
    """
    made = np.zeros(source.shape, np.int32)
    long = (known.source != PAD).sum(1)
    for row, out in zip(source, made, strict=True):
        steps = (row != PAD).sum()
        same = np.flatnonzero(long == steps)
        if len(same):
            out[:] = known.target[same[(known.source[same] == row).sum(1).argmax()]]
        else:
            out[: steps - 1], out[steps - 1] = SILENCE, END
    return made


# ---------------------------------------------------------------- measures


def pitch_accuracy(made: np.ndarray, target: np.ndarray) -> float:
    """Share of the eighths in which the pitch that sounds (or the rest) is that of ``target``; int (phrases, steps)."""
    right = every = 0
    for a, b in zip(made, target, strict=True):
        steps = int((b > END).sum())
        right += int((BASS.sounding(a, steps) == BASS.sounding(b, steps)).sum())
        every += steps
    return right / every


CONSONANT = (0, 3, 4, 7, 8, 9)
"""Semitones over the bass, octaves left out, that the school calls consonant: unison, thirds, fifth, sixths."""


def consonance(piece: Piece, beat_only: bool = True) -> float:
    """Share of the steps in which the first voice is consonant with the last one, 0..1; on the beats only, if asked.

    A fourth over the bass counts as a dissonance, as in the school's rules. NaN where the two never sound together.
    """
    high, low = piece.pitch[:, 0].astype(int), piece.pitch[:, -1].astype(int)
    counted = (high != REST) & (low != REST)
    if beat_only:
        counted &= (np.arange(len(piece)) - piece.pickup) % piece.steps_per_quarter == 0
    return float(np.isin((high - low)[counted] % 12, CONSONANT).mean()) if counted.any() else float("nan")


def last_step(piece: Piece) -> int | None:
    """Semitones that the last voice moves into its last note, upwards above 0; None for less than two notes.

    In a chorale the bass most often comes in by a fourth or a fifth (5, −7), from the dominant to the tonic.
    """
    notes = [note.pitch for note in piece.notes() if note.voice == len(piece.voices) - 1]
    return notes[-1] - notes[-2] if len(notes) > 1 else None
