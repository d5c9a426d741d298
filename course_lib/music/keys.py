"""Letters, note names, keys and their signatures on the line of fifths; and which key a piece is in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from course_lib.music.errors import MusicError, PitchOutOfRange

if TYPE_CHECKING:
    from course_lib.music.piece import Piece

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Semitones of each letter above C."""

PITCH_CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MODES = {"major": 0, "minor": -3, "dorian": -2, "phrygian": -4, "lydian": 1, "mixolydian": -1, "locrian": -5}
"""Sharps that each mode adds to the signature of the major key on its tonic; below 0, flats."""

_FIFTHS = "FCGDAEB"
_SIGNS = {"#": 1, "b": -1, "": 0}
_KEY = re.compile(rf"([A-G])([#b]?) ({'|'.join(MODES)})")
_NOTE_NAME = re.compile(r"([A-Ga-g])([#b]?)(-?\d+)")

# Share of each pitch class in pieces whose key is known (Albrecht & Shanahan 2013); index 0 is the tonic.
_PROFILES = {
    "major": (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
    "minor": (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
}


def note_name(pitch: int) -> str:
    """Name of a MIDI pitch, middle C = 60 = C4."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def note_number(name: str) -> int:
    """MIDI number of a name such as ``"C4"``, ``"F#3"`` or ``"Bb5"``; C4 = 60. Raises MusicError, PitchOutOfRange."""
    match = _NOTE_NAME.fullmatch(name.strip())
    if not match:
        raise MusicError(
            f"'{name}' is not a note name: write a letter A..G, perhaps # or b, and the octave, as in F#4."
        )
    letter, sign, octave = match.groups()
    pitch = LETTERS[letter.upper()] + _SIGNS[sign] + 12 * (int(octave) + 1)
    if not 0 <= pitch <= 127:
        raise PitchOutOfRange(f"'{name}' is MIDI {pitch}, outside 0..127 (C-1..G9). Choose another octave.")
    return pitch


def spelled(fifths: int) -> tuple[str, int]:
    """Letter and alteration (sharps above 0, flats below) of the note so many fifths above C: 6 is F#, −2 is Bb."""
    alteration, letter = divmod(fifths + 1, 7)
    return _FIFTHS[letter], alteration


def signature(fifths: int) -> dict[str, int]:
    """The alteration of each letter under so many sharps (above 0) or flats (below 0)."""
    return {letter: (fifths + 6 - n) // 7 for n, letter in enumerate(_FIFTHS)}


def _parts(key: str) -> tuple[str, int, str]:
    """Letter and alteration of the tonic, and the mode. Raises MusicError."""
    match = _KEY.fullmatch(key)
    if not match:
        raise MusicError(f"key '{key}': write tonic and mode, as in 'Bb major'; modes are {', '.join(MODES)}.")
    return match[1], _SIGNS[match[2]], match[3]


def pitch_class(key: str) -> int:
    """Pitch class 0..11 of the tonic of a key such as ``"F# minor"``; C = 0. Raises MusicError."""
    letter, alteration, _ = _parts(key)
    return (LETTERS[letter] + alteration) % 12


def key_name(tonic: int, mode: str) -> str:
    """Name of a key from the pitch class of its tonic, spelled with the fewest sharps or flats."""
    fifths = (7 * tonic + MODES[mode] + 5) % 12 - 5  # a signature of -5..6 never needs more than six accidentals
    letter, alteration = spelled(fifths - MODES[mode])
    return f"{letter}{'#' * alteration}{'b' * -alteration} {mode}"


def key_fifths(key: str | None) -> int:
    """Sharps (above 0) or flats (below 0) of a key's signature, -7..7; 0 where the key is not known.

    A key that needs more than seven is written as its enharmonic twin (G# major as Ab major).
    """
    if key is None:
        return 0
    letter, alteration, mode = _parts(key)
    fifths = _FIFTHS.index(letter) - 1 + 7 * alteration + MODES[mode]
    return fifths - 12 if fifths > 7 else fifths + 12 if fifths < -7 else fifths


def key_of_signature(fifths: int, mode: str) -> str | None:
    """Key with this signature and mode: one sharp and major are G major. None where there is no such key."""
    mode = {"ionian": "major", "aeolian": "minor"}.get(mode, mode)
    if mode not in MODES or abs(fifths) > 7:
        return None
    letter, alteration = spelled(fifths - MODES[mode])
    if abs(alteration) > 1:
        return key_name((fifths - MODES[mode]) * 7 % 12, mode)
    return f"{letter}{'#' * alteration}{'b' * -alteration} {mode}"


def key_profile(key: str) -> np.ndarray:
    """float (12,): share of each pitch class, from C up, in pieces in this key, ``"G major"`` or ``"E minor"``.

    Albrecht & Shanahan 2013. Raises MusicError for other modes. Notebook: 13.
    """
    mode = _parts(key)[2]
    if mode not in _PROFILES:
        raise MusicError(f"there is no profile for {key!r}. Use major or minor.")
    return np.roll(_PROFILES[mode], pitch_class(key))


def estimate_key(piece: Piece) -> str:
    """The major or minor key whose profile correlates best with the pitch classes that sound.

    Returns a name such as ``"G major"``; C major for a piece of silence, where nothing can be known.
    Method: Krumhansl, Cognitive Foundations of Musical Pitch (1990). Profiles: Albrecht & Shanahan, Music
    Perception 31 (2013): of five sets tried, theirs agreed most often with the chorales' last bass note. Notebook: 02.
    """
    sounding = piece.pitch_counts().sum(axis=0).astype(float)
    if sounding.std() == 0:
        return "C major"
    return _KEYS[int((_STANDARDISED @ sounding).argmax())]


_KEYS = [key_name(tonic, mode) for mode in _PROFILES for tonic in range(12)]
# Each profile with mean 0 and length 1, so that a product is a correlation.
_STANDARDISED = np.stack([(p - p.mean()) / np.linalg.norm(p - p.mean()) for p in map(key_profile, _KEYS)])


def shift_to_c(piece: Piece) -> tuple[int, bool]:
    """Semitones (−5..6) that take the piece to C major or A minor, by its estimated key, and whether it is in minor.

    Notebook: 09.
    """
    key = estimate_key(piece)
    minor = key.endswith("minor")
    tonic = (pitch_class(key) + 3 * minor) % 12
    return (-tonic if tonic <= 5 else 12 - tonic), minor
