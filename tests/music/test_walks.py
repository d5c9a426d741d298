import numpy as np
import pytest

from course_lib.music.piece import REST, MusicError, Piece, WrongMetre, WrongVoices
from course_lib.music.walks import Walk, mean_walk, walk


def piece(*pitches: int, grid: int = 4) -> Piece:
    pitch = np.array(pitches)[:, None]
    return Piece(pitch, pitch != REST, steps_per_quarter=grid)


A, B = piece(60, 60, 60, 60), piece(62, 62, 62, 62)
HALF = piece(62, 62, 60, 60)


def test_an_even_way_and_a_jump() -> None:
    assert walk([A, HALF, B]) == Walk(1, 1, 0.5, 0)
    assert walk([A, A, B]) == Walk(1, 1, 1, 0)


def test_a_detour_counts_what_changes_twice_or_in_vain() -> None:
    assert walk([A, B, A, B]) == pytest.approx(Walk(1, 3, 1 / 3, 1 / 3))
    assert walk([A, piece(64, 64, 64, 64), B]) == Walk(1, 2, 0.5, 0)


def test_the_shorter_piece_is_filled_up_with_silence() -> None:
    short = piece(60, 60)
    assert walk([A, short]) == Walk(0.5, 1, 1, 0)
    assert walk([short, piece(60, 60, REST, REST)]).whole == 0
    # One longest piece for all distances: else the detour could be less than 1.
    assert walk([short, A, piece(60, 62)]).whole == 0.25


def test_no_way_is_shorter_than_the_straight_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        row = [piece(*rng.integers(60, 63, rng.integers(1, 9))) for _ in range(6)]
        found = walk(row)
        assert found.whole == 0 or (found.detour >= 1 - 1e-12 and 0.2 - 1e-12 <= found.largest <= 1)


def test_what_does_not_move_has_no_way() -> None:
    found = walk([A, HALF, A])
    assert found.whole == 0 and np.isnan([found.detour, found.largest, found.back]).all()
    assert mean_walk([found, walk([A, HALF, B])]) == Walk(0.5, 1, 0.5, 0)
    assert np.isnan(mean_walk([found]).detour)


def test_pieces_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MusicError, match="two at least"):
        walk([A])
    with pytest.raises(WrongMetre, match="steps per quarter"):
        walk([A, piece(60, grid=8)])
    two = Piece(np.full((4, 2), 60), np.ones((4, 2), bool), steps_per_quarter=4)
    with pytest.raises(WrongVoices, match="voices"):
        walk([A, two])
