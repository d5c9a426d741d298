"""Which key is it in? The method of Krumhansl and Schmuckler."""

from __future__ import annotations

import numpy as np

from course_lib.music.piece import REST, MusicError, Piece, key_name, pitch_class

# Share of each pitch class in pieces whose key is known (Albrecht & Shanahan 2013); index 0 is the tonic.
_MAJOR = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
_MINOR = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)


def _standardised(key_profile: tuple[float, ...]) -> np.ndarray:
    """float (12, 12): the profile for each tonic, with mean 0 and length 1, so that a product is a correlation."""
    centred = np.array(key_profile) - np.mean(key_profile)
    return np.stack([np.roll(centred, tonic) for tonic in range(12)]) / np.linalg.norm(centred)


_PROFILES = np.concatenate([_standardised(_MAJOR), _standardised(_MINOR)])


def pitch_class_histogram(piece: Piece) -> np.ndarray:
    """float (12,): time steps in which each pitch class sounds, summed over voices."""
    sounding = piece.pitch[piece.pitch != REST]
    return np.bincount(sounding % 12, minlength=12).astype(float)


def estimate_key(piece: Piece) -> str:
    """The major or minor key whose profile correlates best with the pitch classes that sound.

    Returns a name such as ``"G major"``; C major for a piece of silence, where nothing can be known.
    Method: Krumhansl, Cognitive Foundations of Musical Pitch (1990). Profiles: Albrecht & Shanahan, Music
    Perception 31 (2013): of five sets tried, theirs agreed most often with the chorales' last bass note.
    """
    heard = pitch_class_histogram(piece)
    if heard.std() == 0:
        return "C major"
    best = int((_PROFILES @ heard).argmax())
    return key_name(best % 12, "major" if best < 12 else "minor")


def key_profile(key: str) -> np.ndarray:
    """float (12,): share of each pitch class, from C up, in pieces in this key, ``"G major"`` or ``"E minor"``.

    Albrecht & Shanahan 2013. Raises MusicError for other modes.
    """
    tonic, mode = pitch_class(key), key.split(" ")[1]
    if mode not in ("major", "minor"):
        raise MusicError(f"there is no profile for {key!r}. Use major or minor.")
    return np.roll(_MAJOR if mode == "major" else _MINOR, tonic)


def shift_to_c(piece: Piece) -> tuple[int, bool]:
    """Semitones (−5..6) that take the piece to C major or A minor, by its estimated key, and whether it is in minor."""
    key = estimate_key(piece)
    minor = key.endswith("minor")
    tonic = (pitch_class(key) + 3 * minor) % 12
    return (-tonic if tonic <= 5 else 12 - tonic), minor
