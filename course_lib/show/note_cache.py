"""The sound of many pieces that have notes in common: each note is rendered once, a piece is the sum of its notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock

import numpy as np

from course_lib.music.piece import Note, Piece
from course_lib.show.audio import LONGEST, SAMPLE_RATE, level, programs, rendered

HARMONICS = 24

ATTACK = (0.0, 0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.25, 0.4, 0.7, 1.2)
"""Seconds after the start of a note at which ``NoteCache.swell`` tells its loudness."""

_SHORTEST = 2  # seconds for which a note is rendered at least; a longer one once it is needed

_RELEASE = 0.4  # seconds in which a note dies away after its end

_BLOCK = 160  # samples over which loudness is taken

_STEADY = slice(round(0.3 * SAMPLE_RATE), round(1.3 * SAMPLE_RATE))


class NoteCache:
    """Sound for pieces that follow each other quickly, in the instruments of ``synthesize``.

    A note that has been rendered once is cut to the length that is asked for, with the release that the sound font
    gives it. A piece whose notes are known takes a millisecond, a hundredth of ``synthesize``.
    instruments: as in ``synthesize``. Several threads may use it.
    """

    def __init__(self, instruments: str | int | Sequence[str | int] | None = None) -> None:
        self.instruments = instruments

    def learn(self, pieces: Iterable[Piece]) -> None:
        """Renders all notes of the pieces that no mixer has rendered yet."""
        for piece in pieces:
            numbers = programs(piece, self.instruments)
            for note in piece.notes():
                _note(numbers[note.voice], note.pitch, note.length * piece.step_seconds)

    def loop(self, piece: Piece) -> tuple[np.ndarray, int]:
        """The piece as a loop: float32 (samples,), mono, exactly ``piece.seconds`` long, and the sample rate in Hz.

        What dies away after the last step does so at the beginning. As loud as from ``synthesize``.
        """
        seconds = min(piece.seconds, LONGEST)
        samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
        numbers = programs(piece, self.instruments)
        for note in piece.notes():
            start = round(note.start * piece.step_seconds * SAMPLE_RATE)
            sound = _note(numbers[note.voice], note.pitch, note.length * piece.step_seconds)
            while start < len(samples) and len(sound):
                part, sound = np.split(sound, [len(samples) - start])
                samples[start : start + len(part)] += part
                start = 0
        return level(samples), SAMPLE_RATE

    def harmonics(self, program: int, pitch: int) -> np.ndarray:
        """Amplitudes of the first partials of a steady note: float (HARMONICS,), full scale is 1."""
        steady = _whole(program, pitch, _SHORTEST)[0][_STEADY]
        spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)))) * 4 / len(steady)
        hertz = 440 * 2 ** ((pitch - 69) / 12) * np.arange(1, HARMONICS + 1)
        bins = (hertz * len(steady) / SAMPLE_RATE).astype(int)
        near = max(2, round(0.02 * bins[0]))  # bins, of one hertz each: half a semitone
        return np.array([spectrum[max(0, b - near) : b + near + 1].max(initial=0.0) for b in bins])

    def swell(self, program: int, pitch: int) -> np.ndarray:
        """Loudness of a note at the seconds of ``ATTACK``, as a share of its steady loudness."""
        sound = _whole(program, pitch, _SHORTEST)[0]
        loudness = _loudness(sound)
        times = (np.arange(len(loudness)) + 0.5) * _BLOCK / SAMPLE_RATE
        steady = np.sqrt(np.square(sound[_STEADY]).mean()) + 1e-9
        return np.interp(ATTACK, np.append(0, times), np.append(0, loudness)) / steady


_known: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}  # some 130 kB a note

_lock = Lock()


def _whole(program: int, pitch: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """The note held for at least ``seconds``, and how it dies away once it ends, from 1 to 0."""
    with _lock:
        found = _known.get((program, pitch))
        if found is None or len(found[0]) < seconds * SAMPLE_RATE:
            found = _known[program, pitch] = _render(program, pitch, seconds)
        return found


def _note(program: int, pitch: int, seconds: float) -> np.ndarray:
    """The note as it sounds when it is held for so long."""
    whole, release = _whole(program, pitch, min(seconds, LONGEST) + _RELEASE)
    length = round(min(seconds, LONGEST) * SAMPLE_RATE)
    sound = whole[: length + len(release)].copy()
    sound[length:] *= release
    return sound


def _render(program: int, pitch: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    held = _SHORTEST
    while held < seconds:
        held *= 2
    one = Piece.from_notes([Note(0, pitch, 0, held)], held, 1, steps_per_quarter=1, tempo=60)  # a step a second
    sound = rendered(one, [program])
    end, size = held * SAMPLE_RATE, round(_RELEASE * SAMPLE_RATE)
    loudness = _loudness(sound[end - 5 * _BLOCK : end + size])
    share = np.minimum.accumulate(np.minimum(loudness[5:] / (loudness[:5].mean() + 1e-9), 1))
    release = np.interp(np.arange(size), (np.arange(len(share)) + 0.5) * _BLOCK, share) * np.linspace(1, 0, size) ** 0.5
    return sound[:end], release.astype(np.float32)


def _loudness(samples: np.ndarray) -> np.ndarray:
    """Root of the mean power of each block."""
    return np.sqrt(np.square(samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)).mean(axis=1))
