from itertools import product

import numpy as np
import pytest

from course_lib.music.baselines.harmony import HiddenMarkov


def example() -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(0)
    states = [np.array([0, 1, 1, 2, 0]), np.array([1, 2, 0, 0]), np.array([0, 0, 2])]
    return states, [rng.integers(0, 4, (len(row), 5)).astype(float) for row in states]


def test_probabilities_come_from_counts() -> None:
    states, counts = example()
    model = HiddenMarkov(states, counts, 3, smoothing=1.0)
    assert np.allclose(np.exp(model.first), [3 / 6, 2 / 6, 1 / 6])
    # From 0: to 1 once, to 0 twice, to 2 once, with one more of each.
    assert np.allclose(np.exp(model.move[0]), [3 / 7, 2 / 7, 2 / 7])
    counted = sum(count[row == 1].sum(axis=0) for row, count in zip(states, counts, strict=True)) + 1
    assert np.allclose(np.exp(model.seen[1]), counted / counted.sum())


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_viterbi_finds_the_best_of_all_paths(weight: float) -> None:
    states, counts = example()
    model = HiddenMarkov(states, counts, 3, weight=weight)
    seen = np.random.default_rng(1).integers(0, 3, (6, 5))

    def log_p(path: tuple[int, ...]) -> float:
        moves = sum(model.move[a, b] for a, b in zip(path, path[1:], strict=False))
        return model.first[path[0]] + moves + weight * sum(seen[t] @ model.seen[s] for t, s in enumerate(path))

    assert tuple(model.likeliest(seen)) == max(product(range(3), repeat=6), key=log_p)


def test_unknown_states_are_not_counted() -> None:
    states, counts = example()
    extra = [*states, np.array([-1, -1])], [*counts, np.full((2, 5), 99.0)]
    for name in ("first", "move", "seen"):
        assert np.allclose(getattr(HiddenMarkov(states, counts, 3), name), getattr(HiddenMarkov(*extra, 3), name))


def test_nothing_to_learn_from() -> None:
    with pytest.raises(ValueError, match="0 rows of states for 0 pieces"):
        HiddenMarkov([], [], 3)
