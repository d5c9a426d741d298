import numpy as np
import pytest

from course_lib.music.baselines.harmony import (
    chord_chain,
    most_frequent,
    nearest_neighbour,
    nearest_window,
    soprano_table,
)
from course_lib.music.baselines.linear import PrincipalComponents
from course_lib.music.datasets import chorales, windows

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


def test_the_nearest_window_agrees_in_most_cells() -> None:
    train = np.concatenate([TRAIN, TRAIN + 5, TRAIN])
    wanted = np.stack([TRAIN[0] + 5, TRAIN[0]])
    wanted[0, 0, 0] = 1
    assert nearest_window(train, wanted).tolist() == [1, 0]


def test_principal_components_are_those_of_the_singular_value_decomposition() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(90, 5)) * [9, 5, 3, 2, 1] @ rng.normal(size=(5, 40)) + rng.normal(size=40)).astype(np.float32)
    x += rng.normal(size=x.shape).astype(np.float32) / 20
    pca = PrincipalComponents(x, 3)
    u, s, v = np.linalg.svd(x - x.mean(0), full_matrices=False)
    best = x.mean(0) + (u[:, :3] * s[:3]) @ v[:3]
    assert np.abs(pca.decode(pca.encode(x)) - best).max() < 1e-2
    assert pca.encode(x).shape == (90, 3)
    assert np.allclose(pca.components @ pca.components.T, np.eye(3), atol=1e-4)
    assert np.all(np.diff(pca.encode(x).var(0)) < 0)


def test_all_components_lose_nothing_and_more_are_refused() -> None:
    x = np.random.default_rng(1).normal(size=(6, 9)).astype(np.float32)
    whole = PrincipalComponents(x, 6)
    assert np.abs(whole.decode(whole.encode(x)) - x).max() < 1e-3
    for size in (0, 7):
        with pytest.raises(ValueError, match="allow 1..6"):
            PrincipalComponents(x, size)


def test_the_chain_follows_chords_that_it_has_seen() -> None:
    train = windows(chorales().train)[:200]
    made = chord_chain(train, 5, seed=1)
    assert made == chord_chain(train, 5, seed=1) != chord_chain(train, 5, seed=2)
    heard = {(w.pitch[s - 1].tobytes(), w.pitch[s : s + 4].tobytes()) for w in train for s in range(4, len(w), 4)}
    for piece in made:
        assert len(piece) == 64
        assert all((piece.pitch[s - 1].tobytes(), piece.pitch[s : s + 4].tobytes()) in heard for s in range(4, 64, 4))
    assert not any((piece.pitch == w.pitch).all() for piece in made for w in train)
