import numpy as np

from course_lib.music.datasets import chorales
from course_lib.music.keys import estimate_key, pitch_class
from course_lib.music.piece import REST, Piece


def scale(*pitches: int) -> Piece:
    return Piece(np.array(pitches)[:, None], np.ones((len(pitches), 1), bool))


def test_scales() -> None:
    assert estimate_key(scale(60, 62, 64, 65, 67, 69, 71, 72, 67, 60)) == "C major"
    assert estimate_key(scale(57, 59, 60, 62, 64, 65, 68, 69, 64, 57)) == "A minor"


def test_silence_has_an_answer() -> None:
    assert estimate_key(Piece(np.full((4, 1), REST), np.zeros((4, 1), bool))) == "C major"


def test_the_estimate_moves_with_the_music() -> None:
    for piece in chorales().valid:
        moved = estimate_key(piece.transpose(3))
        assert (pitch_class(moved) - pitch_class(piece.key)) % 12 == 3
        assert moved.split()[1] == piece.key.split()[1]


def test_most_chorales_end_on_their_tonic() -> None:
    every = [piece for side in chorales() for piece in side]
    ends = [piece.pitch[piece.pitch[:, 3] != REST, 3][-1] % 12 == pitch_class(piece.key) for piece in every]
    assert np.mean(ends) > 0.8
