"""Voices as tensors: each encoding with its exact inverse.

Every encoding has ``encode(piece) -> array`` and ``decode(array, like=None) -> Piece``; ``like`` is a piece whose
title, key, metre and tempo the result takes. None of them can represent a voice that starts with a hold, so what
comes back is ``piece.with_onsets_at_start()``, and equal to ``piece`` where no voice starts with one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from course_lib.music.errors import MusicError, PitchOutOfRange, WrongVoices
from course_lib.music.keys import note_name
from course_lib.music.piece import REST, Piece

MINIBACH_RANGES = ((60, 79), (55, 74), (50, 69), (36, 62))
"""Lowest and highest MIDI pitch of soprano, alto, tenor and bass in MiniBach: 20, 20, 20 and 27 notes."""


def check_ranges(piece: Piece, ranges: Sequence[tuple[int, int]], rests: bool = True) -> None:
    """Raises WrongVoices, PitchOutOfRange, or MusicError for a rest, where a piece does not fit an encoding.

    ranges: lowest and highest MIDI pitch that it holds, of each voice. rests: whether it holds rests.
    """
    if len(piece.voices) != len(ranges):
        raise WrongVoices(
            f"{len(piece.voices)} voices {piece.voices}; this encoding holds {len(ranges)}. "
            "Choose voices with piece.select(...), or give one range a voice."
        )
    low, high = np.array(ranges).T
    silent = piece.pitch == REST
    wrong = ~silent & ((piece.pitch < low) | (piece.pitch > high))
    if wrong.any():
        step, voice = np.argwhere(wrong)[0]
        pitch, low, high = piece.pitch[step, voice], low[voice], high[voice]
        raise PitchOutOfRange(
            f"pitch {pitch} ({note_name(pitch)}) in voice {voice} at step {step}; this encoding holds {low}..{high} "
            f"({note_name(low)}..{note_name(high)}). Transpose, or widen its range."
        )
    if silent.any() and not rests:
        step, voice = np.argwhere(silent)[0]
        raise MusicError(f"voice {voice} rests at step {step}; no symbol here. Use rest=True, or leave it out.")


def held_symbols(symbols: np.ndarray, hold: np.ndarray | int, axis: int = -2) -> np.ndarray:
    """The symbols with each hold replaced by the last symbol before it that is none, along the axis of time steps."""
    symbols = np.moveaxis(np.asarray(symbols), axis, -1)
    hold = np.asarray(hold)[..., None]
    last = np.maximum.accumulate(np.where(symbols != hold, np.arange(symbols.shape[-1]), 0), axis=-1)
    return np.moveaxis(np.take_along_axis(symbols, last, axis=-1), -1, axis)


def likeliest_by_note(scores: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """int (time_steps,): the column of scores (time_steps, n) with the greatest sum over each note; bool begins."""
    return np.add.reduceat(scores, np.flatnonzero(begins)).argmax(1)[np.cumsum(begins) - 1]


def _like(pitch: np.ndarray, onset: np.ndarray, like: Piece | None) -> Piece:
    if like is None:
        return Piece(pitch, onset)
    voices = like.voices if pitch.shape[1] == len(like.voices) else ()
    fermata = like.fermata if len(pitch) == len(like) else None
    return replace(like, pitch=pitch, onset=onset, voices=voices, fermata=fermata)


@dataclass(frozen=True)
class OneHot:
    """One-hot with hold: per voice and time step one of its pitches, or *hold*, or (if asked for) *rest*.

    ranges: (lowest, highest) MIDI pitch of each voice.
    rest: whether there is a symbol for silence; without it a piece with rests is refused, as in MiniBach.

    Symbols of a voice, in order: its pitches from low to high, hold, rest. Notebook: 01.
    """

    ranges: Sequence[tuple[int, int]] = MINIBACH_RANGES
    rest: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of symbols of each voice; (21, 21, 21, 28) for MiniBach."""
        return tuple(high - low + 2 + self.rest for low, high in self.ranges)

    @property
    def width(self) -> int:
        """Length of one time step: the sum of ``sizes``."""
        return sum(self.sizes)

    @property
    def holds(self) -> np.ndarray:
        """int (voices,): the symbol *hold* of each voice."""
        return np.array([high - low + 1 for low, high in self.ranges])

    def symbols(self, piece: Piece) -> np.ndarray:
        """int (time_steps, voices): the index of each voice's symbol.

        Raises WrongVoices, PitchOutOfRange, or MusicError for a rest that has no symbol.
        """
        check_ranges(piece, self.ranges, self.rest)
        silent = piece.pitch == REST
        low = np.array(self.ranges)[:, 0]
        played = np.where(piece.with_onsets_at_start().onset, piece.pitch - low, self.holds)
        return np.where(silent, self.holds + 1, played)

    def sounding(self, symbols: np.ndarray) -> np.ndarray:
        """int (..., time_steps, voices): the MIDI pitch that each of the symbols lets sound, or REST."""
        symbols = held_symbols(symbols, self.holds)
        low = np.array(self.ranges)[:, 0]
        return np.where(symbols < self.holds, low + symbols, REST)  # what is held before any note is silent

    def piece(self, symbols: np.ndarray, like: Piece | None = None) -> Piece:
        """The piece of symbols (time_steps, voices). A hold with nothing to hold is a rest."""
        return _like(self.sounding(symbols), np.asarray(symbols) < self.holds, like)

    def masked_features(self, symbols: np.ndarray, known: np.ndarray, metadata: np.ndarray) -> np.ndarray:
        """The input of a network that fills in masked cells: float32 (batch, steps, 2 · width + voices + numbers).

        symbols: int (batch, steps, voices). known: bool, shaped alike, False where a cell is masked. metadata: float
        (batch, steps, numbers), always known, such as the place in the bar.

        For each voice its symbol, one-hot, and the symbol that it goes on with, zeros where that cell is masked; then
        which cells are known; then ``metadata``. What stands in a masked cell changes nothing. Notebook: 09.
        """
        symbols, parts = np.where(known, symbols, self.sizes), []  # a masked cell: one symbol more
        held = held_symbols(symbols, self.holds)
        for voice, size in enumerate(self.sizes):
            one_hot = np.eye(size + 1, size, dtype=np.float32)
            parts += [one_hot[symbols[..., voice]], one_hot[held[..., voice]]]
        return np.concatenate([*parts, known, metadata], axis=-1, dtype=np.float32)

    def encode(self, piece: Piece) -> np.ndarray:
        """float32 (time_steps, width): the voices' one-hot vectors side by side. Raises as ``symbols``."""
        return self.one_hot(self.symbols(piece)).astype(np.float32)

    def one_hot(self, symbols: np.ndarray) -> np.ndarray:
        """bool (..., width): the symbols (..., voices) of ``symbols`` as one-hot vectors side by side."""
        firsts = np.cumsum((0, *self.sizes[:-1]))
        return np.eye(self.width, dtype=bool)[np.asarray(symbols) + firsts].any(axis=-2)

    def split(self, tensor: np.ndarray) -> list[np.ndarray]:
        """The last axis cut into one part a voice: list of (..., sizes[v])."""
        return np.split(np.asarray(tensor), np.cumsum(self.sizes)[:-1], axis=-1)

    def decode(self, tensor: np.ndarray, like: Piece | None = None) -> Piece:
        """The piece of the most likely symbols of ``tensor`` (time_steps, width), or (time_steps · width,).

        At the first step, and after a rest, there is nothing to hold: there the most likely pitch or rest counts.
        """
        tensor = np.asarray(tensor)
        if tensor.size == 0 or tensor.size % self.width:
            raise MusicError(f"tensor of shape {tensor.shape}; it must hold time steps of width {self.width}.")
        parts = self.split(tensor.reshape(-1, self.width))
        symbols = np.stack([part.argmax(1) for part in parts], axis=1)
        for column, hold, part in zip(symbols.T, self.holds, parts, strict=True):
            likeliest_other = np.where(np.arange(part.shape[1]) == hold, -np.inf, part).argmax(1)
            silent = True
            for step, symbol in enumerate(column):
                if symbol == hold and silent:
                    symbol = column[step] = likeliest_other[step]
                if symbol != hold:
                    silent = symbol > hold
        return self.piece(symbols, like)


def transposed(
    pieces: Sequence[Piece], encoding: OneHot, semitones: Iterable[int] = (0,)
) -> tuple[np.ndarray, np.ndarray]:
    """Windows of one length in several keys, one-hot: those that have no rest and stay within the ranges.

    Notes that were held from before a window start at its first step. Returns bool (windows, time_steps, width)
    and int32 (windows, time_steps, voices): the same as symbols. In the order of ``semitones``, then of ``pieces``.
    Raises MusicError when no window is left. Notebook: 03.
    """
    low, high = np.array(encoding.ranges).T
    pitch, onset = (np.stack(arrays) for arrays in zip(*((p.pitch, p.onset) for p in pieces), strict=True))
    onset = onset.copy()
    onset[:, 0] = True
    kept = []
    for shift in semitones:
        there = pitch.astype(int) + shift
        fits = ((there >= low) & (there <= high) & (pitch != REST)).all(axis=(1, 2))
        kept.append(np.where(onset, there - low, encoding.holds)[fits])
    symbols = np.concatenate(kept).astype(np.int32)
    if not len(symbols):
        raise MusicError(f"none of {len(pieces)} windows is without rests and within {encoding.ranges}. Widen ranges=.")
    return encoding.one_hot(symbols), symbols


@dataclass(frozen=True)
class PianoRoll:
    """Multi-hot piano roll: which pitches sound, and which of them start, without saying whose they are.

    low, high: lowest and highest MIDI pitch.

    Merging the voices loses which voice has which note: decoding gives the notes to voices from high to low, so
    ``encode(decode(roll)) == roll`` always, while the piece itself comes back only if its voices never
    cross, meet or rest. Notebook: 01.
    """

    low: int = 21
    high: int = 108

    def encode(self, piece: Piece) -> np.ndarray:
        """bool (time_steps, pitches, 2): [..., 0] the pitch sounds, [..., 1] it starts. Raises PitchOutOfRange."""
        check_ranges(piece, ((self.low, self.high),) * len(piece.voices))
        piece = piece.with_onsets_at_start()
        roll = np.zeros((len(piece), self.high - self.low + 1, 2), bool)
        step, voice = np.nonzero(piece.pitch != REST)
        roll[step, piece.pitch[step, voice] - self.low, 0] = True
        step, voice = np.nonzero(piece.onset)
        roll[step, piece.pitch[step, voice] - self.low, 1] = True
        return roll

    def decode(self, roll: np.ndarray, like: Piece | None = None, voices: int | None = None) -> Piece:
        """A piece with this ``roll``; ``voices`` of them, or as many as the fullest step needs.

        A pitch that sounds where it has not sounded before starts there, whether or not it is marked.
        Raises WrongVoices when more pitches sound at once than there are voices.
        """
        sounds, starts = np.moveaxis(np.asarray(roll).astype(bool), -1, 0)
        before = np.vstack([np.zeros_like(sounds[:1]), sounds[:-1]])
        starts = sounds & (starts | ~before)
        most = int(sounds.sum(1).max())
        voices = max(most, 1) if voices is None else voices
        if most > voices:
            step = int(sounds.sum(1).argmax())
            raise WrongVoices(f"{most} pitches sound at step {step}; asked for {voices} voices. Raise voices=.")
        pitch = np.full((len(sounds), voices), REST, np.int16)
        onset = np.zeros(pitch.shape, bool)
        for step in range(len(sounds)):
            # A held pitch stays with its voice; new ones fill the free voices from high to low.
            held = sounds[step] & ~starts[step]
            if step:
                stays = [v for v in range(voices) if pitch[step - 1, v] != REST and held[pitch[step - 1, v] - self.low]]
                pitch[step, stays] = pitch[step - 1, stays]
            new = np.flatnonzero(starts[step])[::-1] + self.low
            free = np.flatnonzero(pitch[step] == REST)[: len(new)]
            pitch[step, free], onset[step, free] = new, True
        return _like(pitch, onset, like)


@dataclass(frozen=True)
class Tokens:
    """Integer tokens: one number for each voice and time step.

    0 is hold, 1 is rest, and pitch p is p − low + 2. Every piece within low..high has tokens. Notebook: 01.
    """

    low: int = 0
    high: int = 127

    HOLD = 0
    SILENCE = 1

    @property
    def vocabulary(self) -> int:
        """Number of different tokens."""
        return self.high - self.low + 3

    def encode(self, piece: Piece) -> np.ndarray:
        """int (time_steps, voices). Raises PitchOutOfRange."""
        one_hot = self._one_hot(len(piece.voices))
        return (one_hot.symbols(piece) + 2) % (one_hot.holds + 2)

    def decode(self, tokens: np.ndarray, like: Piece | None = None) -> Piece:
        """The piece of ``tokens`` (time_steps, voices). A hold with nothing to hold is a rest. Raises MusicError."""
        tokens = np.asarray(tokens)
        if tokens.ndim != 2 or tokens.dtype.kind not in "iu":
            raise MusicError(f"tokens are {tokens.dtype} {tokens.shape}; give whole numbers (time_steps, voices).")
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.vocabulary:
            wrong = tokens.min() if tokens.min() < 0 else tokens.max()
            raise MusicError(f"token {wrong}; this encoding has 0..{self.vocabulary - 1}. Widen low=/high=.")
        one_hot = self._one_hot(tokens.shape[1])
        return one_hot.piece((tokens - 2) % (one_hot.holds + 2), like)

    def _one_hot(self, voices: int) -> OneHot:
        return OneHot(((self.low, self.high),) * voices, rest=True)


CHORALE_RANGES = ((57, 81), (52, 76), (45, 72), (33, 64))
"""Lowest and highest MIDI pitch of soprano, alto, tenor and bass: nearly all chorales in C major or A minor."""


@dataclass(frozen=True)
class VoiceRoll:
    """A time step as zeros and ones: one pitch for each voice, one-hot, then one unit a voice: a note starts here.

    ranges: (lowest, highest) MIDI pitch of each voice. There is no rest. Pieces lie on a grid of eighths.
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
        """int (width,): the MIDI pitch that each unit stands for; REST for those of the onsets."""
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
    def onsets(self) -> np.ndarray:
        """float32 (width, 1): 1 for the units of the voices' onsets."""
        return (self.pitches[:, None] == REST).astype(np.float32)

    def encode(self, piece: Piece) -> np.ndarray:
        """bool (time_steps, width). Raises WrongVoices, PitchOutOfRange, or MusicError for a rest."""
        check_ranges(piece, self.ranges, rests=False)
        notes = [np.arange(low, high + 1) == piece.pitch[:, [v]] for v, (low, high) in enumerate(self.ranges)]
        return np.concatenate([*notes, piece.onset], axis=1)

    def decode(self, v: np.ndarray, like: Piece | None = None, **facts: object) -> Piece:
        """The piece in v (time_steps, width), zeros and ones or probabilities.

        A voice may have a new note at its onsets and on each beat, two steps; until the next such place it keeps the
        pitch with the greatest sum over the steps, and a new pitch has an onset. like: takes its key, metre and tempo
        from there. facts: other fields of Piece.
        """
        v = np.asarray(v, np.float32)
        onset = v[:, sum(self.sizes) :] > 0.5
        onset[0] = True
        parts = np.split(v[:, : sum(self.sizes)], np.cumsum(self.sizes)[:-1], axis=1)
        pitch = np.empty(onset.shape, int)
        for voice, ((low, _), part) in enumerate(zip(self.ranges, parts, strict=True)):
            begins = onset[:, voice] | (np.arange(len(v)) % 2 == 0)
            pitch[:, voice] = low + likeliest_by_note(part, begins)
        onset[1:] |= pitch[1:] != pitch[:-1]
        given = {} if like is None else {n: getattr(like, n) for n in ("key", "time_signature", "tempo")}
        return Piece(pitch, onset, steps_per_quarter=2, **{**given, **facts})
