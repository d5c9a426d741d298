"""Polyphonic frames: which of the piano's 88 keys sound in each time step; and the sets of their pitch classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_lib.music.errors import MusicError
from course_lib.music.keys import PITCH_CLASSES
from course_lib.music.piece import REST, Piece

KEYS, LOWEST = 88, 21
"""Keys of a piano, and the MIDI number of the lowest: column 0 of a frame."""


def piano_frames(piece: Piece, steps: int | None = None, start: int | None = None, transpose: int = 0) -> np.ndarray:
    """bool (frames, 88): what sounds at every ``steps``-th time step of a piece, from ``start`` on.

    steps: default, a quarter note. start: default, where the first quarter after a shorter pickup begins.
    transpose: semitones. Raises MusicError when a note is not on the piano. Notebook: 12.
    """
    steps = steps or piece.steps_per_quarter
    pitch = piece.pitch[piece.pickup % steps if start is None else start :: steps].astype(int)
    step, voice = np.nonzero(pitch != REST)
    column = pitch[step, voice] + transpose - LOWEST
    if column.size and not 0 <= column.min() <= column.max() < KEYS:
        raise MusicError(f"a note of {piece.title!r} is not among MIDI {LOWEST}..{LOWEST + KEYS - 1}. Transpose less.")
    roll = np.zeros((len(pitch), KEYS), bool)
    roll[step, column] = True
    return roll


def frames_piece(roll: np.ndarray, title: str = "", tempo: float = 80.0, tied: bool = False) -> Piece:
    """Frames (n, 88) as four voices, to be played: a quarter note each, one step a frame.

    A frame has no voices. The highest notes go to the first voices, the lowest one to the last: a frame of three has
    no tenor, one of two sounds in soprano and bass, a single note in the soprano. Of more than four, the three highest
    and the lowest stay. tied: a voice that keeps its pitch goes on; otherwise each frame's notes start anew, for a
    frame has no onsets either. Raises MusicError where the shape is another, or nothing sounds. Notebook: 12.
    """
    roll = np.asarray(roll)
    if roll.ndim != 2 or roll.shape[1] != KEYS or not roll.any():
        raise MusicError(f"frames are {roll.shape} with {int(roll.sum())} notes; give (n, {KEYS}), one note at least.")
    pitch = np.full((len(roll), 4), REST, np.int16)
    for voices, frame in zip(pitch, roll, strict=True):
        notes = np.flatnonzero(frame)[::-1] + LOWEST
        voices[: len(notes)] = notes[:4]
        if len(notes) > 1:
            voices[len(notes) - 1 : 3] = REST
            voices[3] = notes[-1]
    onset = pitch != REST
    if tied:
        onset[1:] &= pitch[1:] != pitch[:-1]
    return Piece(pitch, onset, steps_per_quarter=1, title=title, tempo=tempo)


def with_transposition(roll: np.ndarray, semitones: int | np.random.Generator = 0, shift: int = 0) -> np.ndarray:
    """int8 (n, 88 + 2 shift + 1): frames (n, 88) moved by ``semitones``, and beside each, one-hot, by how many.

    semitones: or a generator of random numbers, which draws one of −shift..shift. shift: the most that a network is
    trained for; 0: nothing is moved and no columns are added. Raises MusicError when that is not enough, or when a note
    would leave the piano. Notebook: 12.
    """
    semitones = int(semitones.integers(-shift, shift + 1)) if isinstance(semitones, np.random.Generator) else semitones
    if abs(semitones) > shift:
        raise MusicError(f"semitones is {semitones}; the network is trained for −{shift}..{shift}. Raise shift.")
    if (roll[:, -semitones:] if semitones > 0 else roll[:, :-semitones]).any():
        raise MusicError(f"moved by {semitones} semitones, a note would leave the piano. Lower shift.")
    moved = np.roll(roll, semitones, axis=1).astype(np.int8)
    where = np.eye(2 * shift + 1, dtype=np.int8)[semitones + shift] if shift else np.zeros(0, np.int8)
    return np.concatenate([moved, np.broadcast_to(where, (len(moved), len(where)))], axis=1)


TRIADS = {"": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8)}
SEVENTHS = {"7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "m7b5": (0, 3, 6, 10), "dim7": (0, 3, 6, 9)}
"""Semitones above the root, by what is written after the root's name."""

_BITS = 1 << np.arange(12)
ALL_SETS = (np.arange(1 << 12)[:, None] & _BITS).astype(bool)
"""bool (4096, 12): every set of pitch classes, by its number."""

_BASS, _LOWEST_UPPER = 36, 55  # MIDI: the bass stands in the octave from C2, what is above it from G3


def pitch_sets(frames: np.ndarray) -> np.ndarray:
    """bool (n, 12): the pitch classes that sound in piano frames, bool (n, 88), as of ``piano_frames``.

    Notebook: 06.
    """
    if frames.ndim != 2 or frames.shape[1] != KEYS:
        raise MusicError(f"frames are {frames.shape}; they must be (n, {KEYS}), as piano_frames gives them.")
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
    """Sets (n, 12) one after the other, to be played: each lasts ``steps`` sixteenths, voiced as ``set_pitches``.

    spread: the notes of a set enter one after the other, a sixteenth apart, from the bass upwards, and stay.
    Raises MusicError when no note sounds or ``steps`` is below 1. Notebook: 06.
    """
    chords = [set_pitches(chord) for chord in sets]
    width = max(map(len, chords), default=0)
    if not width or steps < 1:
        raise MusicError(f"{len(chords)} sets of up to {width} notes, {steps} steps each: nothing sounds. Give notes.")
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
