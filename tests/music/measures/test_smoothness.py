import numpy as np
import pytest

from course_lib.music.errors import MusicError, WrongMetre, WrongVoices
from course_lib.music.measures.metrics import Smoothness, interpolation_smoothness, mean_smoothness
from course_lib.music.piece import REST, Piece


def piece(*pitches: int, grid: int = 4) -> Piece:
    pitch = np.array(pitches)[:, None]
    return Piece(pitch, pitch != REST, steps_per_quarter=grid)


A, B = piece(60, 60, 60, 60), piece(62, 62, 62, 62)
HALF = piece(62, 62, 60, 60)


def test_an_even_way_and_a_jump() -> None:
    assert interpolation_smoothness([A, HALF, B]) == Smoothness(1, 1, 0.5, 0)
    assert interpolation_smoothness([A, A, B]) == Smoothness(1, 1, 1, 0)


def test_a_detour_counts_what_changes_twice_or_in_vain() -> None:
    assert interpolation_smoothness([A, B, A, B]) == pytest.approx(Smoothness(1, 3, 1 / 3, 1 / 3))
    assert interpolation_smoothness([A, piece(64, 64, 64, 64), B]) == Smoothness(1, 2, 0.5, 0)


def test_the_shorter_piece_is_padded_with_silence() -> None:
    short = piece(60, 60)
    assert interpolation_smoothness([A, short]) == Smoothness(0.5, 1, 1, 0)
    assert interpolation_smoothness([short, piece(60, 60, REST, REST)]).whole == 0
    # One longest piece for all distances: else the detour could be less than 1.
    assert interpolation_smoothness([short, A, piece(60, 62)]).whole == 0.25


def test_no_way_is_shorter_than_the_straight_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        row = [piece(*rng.integers(60, 63, rng.integers(1, 9))) for _ in range(6)]
        found = interpolation_smoothness(row)
        assert found.whole == 0 or (found.detour >= 1 - 1e-12 and 0.2 - 1e-12 <= found.largest <= 1)


def test_what_does_not_move_has_no_way() -> None:
    found = interpolation_smoothness([A, HALF, A])
    assert found.whole == 0 and np.isnan([found.detour, found.largest, found.back]).all()
    assert mean_smoothness([found, interpolation_smoothness([A, HALF, B])]) == Smoothness(0.5, 1, 0.5, 0)
    assert np.isnan(mean_smoothness([found]).detour)


def test_pieces_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MusicError, match="two at least"):
        interpolation_smoothness([A])
    with pytest.raises(WrongMetre, match="steps per quarter"):
        interpolation_smoothness([A, piece(60, grid=8)])
    two = Piece(np.full((4, 2), 60), np.ones((4, 2), bool), steps_per_quarter=4)
    with pytest.raises(WrongVoices, match="voices"):
        interpolation_smoothness([A, two])
