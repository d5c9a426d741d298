"""Chords as sets of pitch classes: which of the twelve sound, in any octave, their names, and a table of them.

A set is bool (12,), C first; its number, 0..4095, has bit i set where pitch class i sounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_lib.music.piece import PITCH_CLASSES, REST, MusicError, Piece
from course_lib.music.polyphony import KEYS, LOWEST

TRIADS = {"": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8)}
SEVENTHS = {"7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "m7b5": (0, 3, 6, 10), "dim7": (0, 3, 6, 9)}
"""Semitones above the root, by what is written after the root's name."""

_BITS = 1 << np.arange(12)
_BASS, _LOWEST_UPPER = 36, 55  # MIDI: the bass stands in the octave from C2, what is above it from G3


def pitch_sets(frames: np.ndarray) -> np.ndarray:
    """bool (n, 12): the pitch classes that sound in piano frames, bool (n, 88), as of ``polyphony.frames``.

    Notebook: 06.
    """
    if frames.ndim != 2 or frames.shape[1] != KEYS:
        raise MusicError(f"frames are {frames.shape}; they must be (n, {KEYS}), as polyphony.frames gives them.")
    found = np.zeros((len(frames), 12), bool)
    for key in range(KEYS):
        found[:, (key + LOWEST) % 12] |= frames[:, key].astype(bool)
    return found


def set_numbers(sets: np.ndarray) -> np.ndarray:
    """int (…,): the number of each set (…, 12). Notebook: 06."""
    sets = np.asarray(sets)
    if sets.shape[-1:] != (12,):
        raise MusicError(f"sets are {sets.shape}; the last axis must be the 12 pitch classes.")
    return sets.astype(bool) @ _BITS


def _number(root: int, shape: Sequence[int]) -> int:
    return sum(1 << (root + step) % 12 for step in shape)


# An augmented triad and a diminished seventh have several roots; the first one from C upwards names them.
_NAMED: dict[int, tuple[str, int]] = {}
for _suffix, _shape in (TRIADS | SEVENTHS).items():
    for _root in range(12):
        _NAMED.setdefault(_number(_root, _shape), (PITCH_CLASSES[_root] + _suffix, _root))
_OF_TRIADS = {_number(root, shape) for shape in TRIADS.values() for root in range(12)}


def set_name(chord: np.ndarray) -> str:
    """Name of a set (12,): ``"C"``, ``"Dm7"``, … or its pitch classes, ``"C D F"``; ``"silence"`` when it is empty.

    A C major triad with an A in it is called ``"Am7"``: a set has no bass that would decide. Notebook: 06.
    """
    number = int(set_numbers(chord))
    if number in _NAMED:
        return _NAMED[number][0]
    return " ".join(np.array(PITCH_CLASSES)[np.asarray(chord).astype(bool)]) or "silence"


def set_kinds(sets: np.ndarray) -> dict[str, float]:
    """What a group of sets (n, 12) is like: mean ``notes``; the shares of ``triads`` and ``sevenths`` as named here;
    ``semitones``, the share with two pitch classes a semitone apart; ``distinct`` sets.

    Notebook: 06.
    """
    sets = np.asarray(sets).astype(bool)
    numbers = set_numbers(sets)
    triads = np.isin(numbers, list(_OF_TRIADS))
    return {
        "notes": float(sets.sum(1).mean()),
        "triads": float(triads.mean()),
        "sevenths": float((np.isin(numbers, list(_NAMED)) & ~triads).mean()),
        "semitones": float((sets & np.roll(sets, 1, axis=1)).any(1).mean()),
        "distinct": len(np.unique(numbers)),
    }


def set_pitches(chord: np.ndarray) -> list[int]:
    """MIDI numbers for a set (12,), from the bass upwards: the root in the bass, the others close above G3.

    The root is that of the name; a set without one stands on its lowest pitch class from C. Notebook: 06.
    """
    classes = np.flatnonzero(np.asarray(chord).astype(bool)).tolist()
    if not classes:
        return []
    root = _NAMED.get(int(set_numbers(chord)), ("", classes[0]))[1]
    return [_BASS + root, *sorted(_LOWEST_UPPER + (c - _LOWEST_UPPER) % 12 for c in classes if c != root)]


def sets_piece(sets: np.ndarray, title: str = "", steps: int = 4, tempo: float = 80.0, spread: bool = False) -> Piece:
    """Sets (n, 12) one after the other, to be heard: each lasts ``steps`` sixteenths, voiced as ``set_pitches``.

    spread: the notes of a set enter one after the other, a sixteenth apart, from the bass upwards, and stay.
    Raises MusicError when no note sounds or ``steps`` is below 1. Notebook: 06.
    """
    chords = [set_pitches(chord) for chord in sets]
    width = max(map(len, chords), default=0)
    if not width or steps < 1:
        raise MusicError(
            f"{len(chords)} sets of at most {width} notes, {steps} steps each: nothing sounds. Give notes."
        )
    pitch = np.full((len(chords) * steps, width), REST, np.int16)
    onset = np.zeros(pitch.shape, bool)
    for i, notes in enumerate(chords):
        for rank, note in enumerate(notes):
            voice = width - 1 - rank if rank == 0 else len(notes) - 1 - rank  # the bass is always the last voice
            start = i * steps + (min(rank, steps - 1) if spread else 0)
            pitch[start : (i + 1) * steps, voice] = note
            onset[start, voice] = True
    names = tuple(f"Voice {v + 1}" for v in range(width - 1)) + ("Bass",)
    return Piece(pitch, onset, voices=names, title=title, tempo=tempo)


class IndependentNotes:
    """Each pitch class sounds by itself, as often as in the training sets: (sounding + ½) / (n + 1). Notebook: 06."""

    def __init__(self, train: np.ndarray) -> None:
        self.p = (np.asarray(train, float).sum(0) + 0.5) / (len(train) + 1)
        every = np.arange(4096)[:, None] >> np.arange(12) & 1
        self.log_p = (every * np.log(self.p) + (1 - every) * np.log1p(-self.p)).sum(1)
        """float (4096,): log p of each set, by its number."""


class SetTable:
    """How often each set was heard, smoothed with independent notes: p(v) = (c(v) + a · q(v)) / (n + a).

    train, valid: sets (n, 12). a, what the smoothing weighs, is chosen on ``valid`` among powers of two.
    ``log_p``: float (4096,), by the set's number. Notebook: 06.
    """

    def __init__(self, train: np.ndarray, valid: np.ndarray) -> None:
        counts = np.bincount(set_numbers(train), minlength=4096)
        q = np.exp(IndependentNotes(train).log_p)
        chosen = set_numbers(valid)
        best = -np.inf
        for a in 2.0 ** np.arange(-4, 14):
            log_p = np.log(counts + a * q) - np.log(len(train) + a)
            if log_p[chosen].mean() > best:
                best, self.a, self.log_p = log_p[chosen].mean(), float(a), log_p


def conditional(log_p: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """float (4096,): p of each set given what is fixed, exactly: 0 for the sets that do not agree with it.

    log_p: float (4096,), of any model of sets. fixed: int (12,), 1 sounds, 0 is silent, -1 is free. Notebook: 06.
    """
    fixed = np.asarray(fixed)
    if fixed.shape != (12,) or not np.isin(fixed, (-1, 0, 1)).all():
        raise MusicError(f"fixed is {fixed.tolist()}; it must be twelve of 1 (sounds), 0 (silent) and -1 (free).")
    every = np.arange(4096)[:, None] >> np.arange(12) & 1
    agrees = ((every == fixed) | (fixed < 0)).all(1)
    shifted = np.where(agrees, log_p, -np.inf)
    shifted = np.exp(shifted - shifted.max())
    return shifted / shifted.sum()
