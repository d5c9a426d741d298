import numpy as np

from course_lib.music.baselines import most_frequent, nearest_neighbour, soprano_table

TRAIN = np.array([[[60, 55, 48], [62, 55, 47], [64, 55, 48], [60, 52, 48]]])


def test_most_frequent() -> None:
    assert most_frequent(TRAIN, np.array([[1, 2]])).tolist() == [[[55, 48], [55, 48]]]


def test_the_table_knows_what_it_saw_and_falls_back() -> None:
    assert soprano_table(TRAIN, np.array([[62, 64, 70]])).tolist() == [[[55, 47], [55, 48], [55, 48]]]


def test_context_tells_two_equal_notes_apart() -> None:
    after_64 = soprano_table(TRAIN, np.array([[64, 60]]), context=(0, -1))
    assert after_64[0, 1].tolist() == [52, 48]


def test_transpositions_reach_other_keys() -> None:
    assert soprano_table(TRAIN, TRAIN[..., 0] + 20).tolist() == most_frequent(TRAIN, TRAIN[..., 0]).tolist()
    moved = soprano_table(TRAIN, TRAIN[..., 0] + 1, (0, -1, 1), transpositions=(0, 1))
    assert moved.tolist() == (TRAIN[..., 1:] + 1).tolist()


def test_the_nearest_neighbour_is_found_in_another_key() -> None:
    other = TRAIN[:, ::-1] - 7
    found = nearest_neighbour(np.concatenate([TRAIN, other]), TRAIN[..., 0] + 3)
    assert found.tolist() == (TRAIN[..., 1:] + 3).tolist()
