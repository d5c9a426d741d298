"""Is it music? Measures of a piece, of groups of pieces, and of a row of pieces that turn into one another.

No measure shows that a piece is good. Each shows how far it lies from real pieces in one respect; compare pieces
of about the same length and with the same number of voices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import isnan, nan
from typing import NamedTuple

import numpy as np

from course_lib.music.encodings.phrases import BASS
from course_lib.music.errors import MusicError, WrongMetre, WrongVoices
from course_lib.music.measures.voice_leading import parallel_motion
from course_lib.music.piece import REST, Piece
from course_lib.symbols import END

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "harmonic minor": (0, 2, 3, 5, 7, 8, 11)}
"""Pitch classes of each scale above its tonic."""


def _pitch_class_counts(piece: Piece) -> np.ndarray:
    """int (12,): number of notes of each pitch class."""
    return np.bincount(piece.pitch[piece.with_onsets_at_start().onset] % 12, minlength=12)


def pitch_class_entropy(piece: Piece) -> float:
    """Entropy of the pitch classes of all notes, in bits: −Σ p(c) log₂ p(c).

    Each note counts once, long or short. From 0 (a single pitch class) to log₂ 12 ≈ 3.585 (all twelve equally
    often); a major scale with its seven notes equally often has log₂ 7 ≈ 2.807. NaN if there is no note.
    Wu & Yang 2020, arXiv:2008.01307.
    """
    counts = _pitch_class_counts(piece)
    if not counts.any():
        return nan
    share = counts[counts > 0] / counts.sum()
    return float((share * np.log2(1 / share)).sum())


def scale_consistency(piece: Piece) -> float:
    """Share of the notes that lie in the scale that fits the piece best, 0..1.

    The best of 36: major, natural minor and harmonic minor on each of the twelve tonics. Each note counts once.
    Seven pitch classes of twelve always fit, so the least value is 7/12. NaN if there is no note.
    Mogren 2016, arXiv:1611.09904.
    """
    counts = _pitch_class_counts(piece)
    if not counts.any():
        return nan
    tonics = np.arange(12)[:, None]
    best = max(counts[(tonics + scale) % 12].sum(axis=1).max() for scale in map(np.array, SCALES.values()))
    return float(best / counts.sum())


def note_density(piece: Piece) -> float:
    """Notes that begin in a quarter note, for each voice: onsets / (quarter notes × voices).

    1 for a chorale in quarter notes alone, 4 where every voice strikes every sixteenth; at most
    ``steps_per_quarter``. Never NaN; 0 if no note begins.
    """
    return float(piece.onset.mean() * piece.steps_per_quarter)


def repetition(piece: Piece, n: int = 3) -> float:
    """Share of the n-grams of notes that the same voice has played before, 0..1.

    An n-gram is n pitches that follow one another in one voice, whatever their rhythm and the rests between
    them. It is a repetition if an equal one begins at least n notes earlier, so that the two do not overlap.
    Counted over all voices, among the n-grams that have room for an earlier one. It grows with the length of
    the piece. NaN if no voice has 2n notes.
    After the repetitions of Mogren 2016, arXiv:1611.09904, there a count of pairs.
    """
    if n < 1:
        raise MusicError(f"n is {n}; an n-gram needs at least 1 note. Use 2..9.")
    repeated = possible = 0
    for pitch, begins in zip(piece.pitch.T, piece.with_onsets_at_start().onset.T, strict=True):
        notes = pitch[begins].tolist()
        first: dict[tuple[int, ...], int] = {}
        for i in range(len(notes) - n + 1):
            earliest = first.setdefault(tuple(notes[i : i + n]), i)
            repeated += earliest <= i - n
            possible += i >= n
    return repeated / possible if possible else nan


def tone_span(piece: Piece) -> float:
    """Semitones from the lowest to the highest note, 0..127. NaN if there is no note.

    Of one voice: ``tone_span(piece.select(0))``. Mogren 2016, arXiv:1611.09904.
    """
    sounding = piece.pitch[piece.pitch != REST]
    return float(np.ptp(sounding)) if sounding.size else nan


def _pitches_sounding(piece: Piece) -> np.ndarray:
    """int (steps that are not silent,): how many different pitches sound."""
    ordered = np.sort(piece.pitch, axis=1)
    new = (ordered != REST) & np.diff(ordered, axis=1, prepend=REST).astype(bool)
    count = new.sum(axis=1)
    return count[count > 0]


def polyphony(piece: Piece) -> float:
    """Mean number of different pitches that sound together, 1..voices, over the steps that are not silent.

    Two voices in unison are one pitch. NaN if all is silent. Dong et al. 2020 (MusPy), arXiv:2008.01951.
    """
    count = _pitches_sounding(piece)
    return float(count.mean()) if count.size else nan


def polyphony_rate(piece: Piece) -> float:
    """Share of the steps that are not silent in which at least two different pitches sound, 0..1.

    NaN if all is silent. Mogren 2016, arXiv:1611.09904, calls it polyphony and counts events in place of steps.
    """
    count = _pitches_sounding(piece)
    return float((count >= 2).mean()) if count.size else nan


def voice_crossings(piece: Piece) -> float:
    """Share of the steps in which a voice sounds below one that is written under it, 0..1.

    Any two voices can cross; a unison is no crossing. Counted over the steps in which at least two voices
    sound; NaN if there are none.
    """
    together = ((piece.pitch != REST).sum(axis=1) >= 2).sum()
    crossed = np.zeros(len(piece), bool)
    for upper, lower in combinations(piece.pitch.T, 2):
        crossed |= (upper != REST) & (lower != REST) & (upper < lower)
    return float(crossed.sum() / together) if together else nan


class Parallel(NamedTuple):
    """Voices ``upper`` and ``lower`` move in parallel into time step ``step``."""

    step: int
    upper: int
    lower: int


def parallels(piece: Piece, interval: int) -> list[Parallel]:
    """Where two voices move in parallel at ``interval``: 7 for perfect fifths, 0 for octaves and unisons.

    For each pair of voices, as ``parallel_motion`` defines it: so repeated notes, a voice that stays, contrary motion
    and a rest between make no event, and neither do fifths on two beats with another chord between them. The step to a
    new phrase after a fermata counts like any other, because generated pieces do not mark the ends of their phrases.
    In time order. Compare Fang et al. 2020, arXiv:2006.13329.
    """
    found = []
    for (a, upper), (b, lower) in combinations(enumerate(piece.pitch.T.astype(int)), 2):
        found += [Parallel(int(step) + 1, a, b) for step in np.flatnonzero(parallel_motion(upper, lower, interval))]
    return sorted(found)


def _parallels_per_bar(piece: Piece, interval: int) -> float:
    return len(parallels(piece, interval)) * piece.bar_steps / len(piece) if len(piece.voices) > 1 else nan


def parallel_fifths(piece: Piece) -> float:
    """Perfect fifths, of ``parallels(piece, 7)``, per bar, over all pairs of voices: 0 or more. NaN for one."""
    return _parallels_per_bar(piece, 7)


def parallel_octaves(piece: Piece) -> float:
    """Octaves and unisons, of ``parallels(piece, 0)``, per bar, over all pairs of voices: 0 or more. NaN for one."""
    return _parallels_per_bar(piece, 0)


def tonal_centroid(chroma: np.ndarray) -> np.ndarray:
    """Place of chords in the six-dimensional tonal space of Harte, Sandler & Gasser.

    chroma: (chords, 12), weight of each pitch class, not all zero; only the proportions matter.
    Returns float (chords, 6): sine and cosine of each pitch class l on the circles of fifths, minor thirds and
    major thirds (angles 7πl/6, 3πl/2, 2πl/3; radii 1, 1, 1/2), averaged with the weights.
    Harte, Sandler & Gasser 2006, doi:10.1145/1178723.1178727.
    """
    angle = np.pi * np.outer(np.arange(12), (7 / 6, 3 / 2, 2 / 3))
    radius = np.array((1.0, 1.0, 0.5))
    circles = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=2).reshape(12, 6)
    return chroma / chroma.sum(axis=1, keepdims=True) @ circles


def harmonic_distance(piece: Piece) -> float:
    """Mean distance in tonal space between the chords of consecutive quarter notes, 0..2√2.

    The chord of a quarter note is what sounds in it: each pitch class weighted with its voices and time steps.
    The distance is the Euclidean one between the two tonal centroids. 0 if the harmony never changes; from a
    C major to a G major triad 1.21, to an F sharp major triad 1.97. Pairs with a silent quarter note are left
    out; NaN if no pair is left. Harte, Sandler & Gasser 2006, doi:10.1145/1178723.1178727.
    """
    quarter = (np.arange(len(piece)) - piece.pickup) // piece.steps_per_quarter
    quarter -= quarter[0]
    chroma = np.zeros((quarter[-1] + 1, 12))
    np.add.at(chroma, quarter, piece.pitch_counts())
    sounding = np.flatnonzero(chroma.any(axis=1))
    follows = np.diff(sounding) == 1
    if not follows.any():
        return nan
    move = np.diff(tonal_centroid(chroma[sounding]), axis=0)[follows]
    return float(np.linalg.norm(move, axis=1).mean())


MEASURES: dict[str, tuple[Callable[[Piece], float], str]] = {
    "pitch-class entropy": (pitch_class_entropy, "bits"),
    "scale consistency": (scale_consistency, "share of notes"),
    "note density": (note_density, "notes per quarter and voice"),
    "repetition": (repetition, "share of 3-grams"),
    "tone span": (tone_span, "semitones"),
    "polyphony": (polyphony, "pitches"),
    "voice crossings": (voice_crossings, "share of steps"),
    "parallel fifths": (parallel_fifths, "per bar"),
    "parallel octaves": (parallel_octaves, "per bar"),
    "harmonic distance": (harmonic_distance, "tonal space"),
}
"""The lines of the scoreboard: name → (function, unit)."""


def voice_accuracy(made: Sequence[Piece], real: Sequence[Piece]) -> np.ndarray:
    """Share of time steps in which the sounding pitch (or rest) is right, float (voices,), each in 0..1.

    made, real: pieces pairwise of one shape; all their steps are pooled. Categorical: only the exact pitch counts.
    Raises MusicError when they do not pair up. Notebook: 02.
    """
    shapes = [(a.pitch.shape, b.pitch.shape) for a, b in zip(made, real, strict=False)]
    if not made or len(made) != len(real) or any(a != b for a, b in shapes):
        raise MusicError(
            f"{len(made)} pieces against {len(real)}; they must pair up, in time steps and in voices too. "
            "Give one for one, cut to the same windows."
        )
    right = np.concatenate([a.pitch == b.pitch for a, b in zip(made, real, strict=True)])
    return right.mean(axis=0)


class Spread(NamedTuple):
    """Mean, 5th and 95th percentile of a measure over the ``count`` pieces for which it is defined."""

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f}–{self.high:.2f})" if self.count else "–"


def measurements(piece: Piece) -> dict[str, float]:
    """Every measure of ``MEASURES`` for one piece; NaN where a measure is not defined for it. Notebook: 02."""
    return {name: function(piece) for name, (function, _) in MEASURES.items()}


def spread(pieces: Sequence[Piece]) -> dict[str, Spread]:
    """The Spread of every measure over ``pieces``. Raises MusicError if there are none."""
    boards = [measurements(piece) for piece in pieces]
    if not boards:
        raise MusicError("0 pieces have no spread. Give at least one.")
    found = {}
    for name in MEASURES:
        values = [board[name] for board in boards if not isnan(board[name])]
        low, high = np.percentile(values, [5, 95]) if values else (nan, nan)
        found[name] = Spread(float(np.mean(values)) if values else nan, float(low), float(high), len(values))
    return found


def within(real: Mapping[str, Spread], values: Mapping[str, float]) -> dict[str, bool]:
    """For each measure, whether a piece lies between the 5th and 95th percentile of the real pieces.

    real: from ``spread``; values: from ``measurements``. A NaN is outside. Measures that are not defined for the
    real pieces (voice crossings of single melodies) are left out.
    """
    return {name: bool(of.low <= values[name] <= of.high) for name, of in real.items() if of.count}


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
    return float(np.isin((high - low)[counted] % 12, CONSONANT).mean()) if counted.any() else nan


def last_step(piece: Piece) -> int | None:
    """Semitones that the last voice moves into its last note, upwards above 0; None for less than two notes.

    In a chorale the bass most often comes in by a fourth or a fifth (5, −7), from the dominant to the tonic.
    """
    notes = [note.pitch for note in piece.notes() if note.voice == len(piece.voices) - 1]
    return notes[-1] - notes[-2] if len(notes) > 1 else None


class Smoothness(NamedTuple):
    """A row of n + 1 pieces, measured by what sounds: distances count (time step, voice) cells that differ.

    A cell is the pitch that sounds or the rest; onsets are not compared. Shorter pieces are padded with silence to
    the longest of the row, and all distances are shares of its cells, so that they obey the triangle inequality.

    whole: distance between the first piece and the last, 0..1.
    detour: length of the way / whole, 1 or more; 1 where no cell changes that need not, and none twice.
    largest: the largest single step / length of the way, 1/n..1; 1/n where all steps are alike, 1 for one jump.
    back: share of the n steps on which the distance to the first piece falls, 0..1.

    detour, largest and back are NaN where the first piece and the last sound the same. Notebook: 11.
    """

    whole: float
    detour: float
    largest: float
    back: float


def interpolation_smoothness(pieces: Sequence[Piece]) -> Smoothness:
    """Measures a row of at least two pieces. Raises MusicError (WrongVoices, WrongMetre) for pieces that do not fit.

    Notebook: 11.
    """
    if len(pieces) < 2:
        raise MusicError(f"{len(pieces)} pieces; give two at least.")
    voices, grids = {piece.pitch.shape[1] for piece in pieces}, {piece.steps_per_quarter for piece in pieces}
    if len(voices) > 1:
        raise WrongVoices(f"the pieces have {sorted(voices)} voices; give all of them the same number.")
    if len(grids) > 1:
        raise WrongMetre(f"the pieces have {sorted(grids)} steps per quarter; bring them to one grid.")
    sounds = np.full((len(pieces), max(map(len, pieces)), voices.pop()), REST, int)
    for row, piece in zip(sounds, pieces, strict=True):
        row[: len(piece)] = piece.pitch
    steps = (sounds[1:] != sounds[:-1]).mean(axis=(1, 2))
    away = (sounds != sounds[0]).mean(axis=(1, 2))
    whole, length = float(away[-1]), float(steps.sum())
    if not whole:
        return Smoothness(0.0, np.nan, np.nan, np.nan)
    return Smoothness(whole, length / whole, float(steps.max()) / length, float((np.diff(away) < 0).mean()))


def mean_smoothness(rows: Sequence[Smoothness]) -> Smoothness:
    """The mean of each measure, over the rows for which it is defined (NaN if over none). Notebook: 11."""
    values = np.array(rows, float).reshape(-1, len(Smoothness._fields))
    kept = [column[~np.isnan(column)] for column in values.T]
    return Smoothness(*(float(column.mean()) if len(column) else np.nan for column in kept))
