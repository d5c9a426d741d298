"""Constraints: values by hand, gradients against small changes, and that samples obey them."""

import keras
import numpy as np
import pytest

from course_lib.architectures.boltzmann import ConvolutionalRBM
from course_lib.architectures.crbm_constraints import (
    Places,
    SelfSimilarity,
    Sums,
    constrained,
    cooling,
    correlate,
    gradient_phase,
    standard,
)

STEPS, UNITS = 12, 5
RNG = np.random.default_rng(0)
KINDS = np.eye(5, 4)
ONSETS = np.eye(5)[:, 4:]


def similar(seed: int = 3, n: int = 4) -> np.ndarray:
    rows = np.random.default_rng(seed).random((n, 6))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T


CONSTRAINTS = {
    "structure": SelfSimilarity(KINDS, 3, similar()),
    "structures": SelfSimilarity(KINDS, 3, np.stack([similar(i) for i in range(3)])),
    "sums": Sums(KINDS, 5, RNG.random(4)),
    "sums of windows": Sums(KINDS, 5, RNG.random((2, 4))),
    "places": Places(ONSETS, RNG.random(5)),
    "places of each": Places(ONSETS, RNG.random((3, 5))),
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_the_gradient_is_that_of_small_changes(name: str) -> None:
    constraint, v = CONSTRAINTS[name], np.random.default_rng(1).random((3, STEPS, UNITS)).astype("f4")
    r, gradient = (np.asarray(part) for part in constraint(v))
    assert r.shape == (3,) and gradient.shape == v.shape and np.abs(r).max() <= 1
    for step, unit in ((0, 0), (4, 2), (7, 4), (9, 1), (11, 3)):
        up, down = v.copy(), v.copy()
        up[:, step, unit] += 0.01
        down[:, step, unit] -= 0.01
        slope = (np.asarray(constraint(up)[0]) - np.asarray(constraint(down)[0])) / 0.02
        np.testing.assert_allclose(gradient[:, step, unit], slope, atol=5e-3)
    assert np.abs(gradient).max() > 0.01


def test_correlation_is_pearsons() -> None:
    a, t = RNG.normal(size=(4, 7)).astype("f4"), RNG.normal(size=7)
    np.testing.assert_allclose(correlate(a, standard(t))[0], [np.corrcoef(row, t)[0, 1] for row in a], atol=1e-5)
    assert np.isfinite(np.asarray(correlate(np.zeros((1, 7), "f4"), standard(t))[1])).all()


def test_self_similarity_compares_pairs_of_parts() -> None:
    v = np.zeros((1, STEPS, UNITS), np.float32)
    v[0, np.arange(STEPS), np.tile([0, 1, 2, 3, 3, 3], 2)] = 1  # A B A B
    wanted = np.kron(np.ones((2, 2)), np.eye(2))
    assert float(SelfSimilarity(KINDS, 3, wanted)(v)[0][0]) == pytest.approx(1, abs=1e-4)
    assert float(SelfSimilarity(KINDS, 3, 1 - wanted)(v)[0][0]) == pytest.approx(-1, abs=1e-4)


def test_places_sum_over_all_periods() -> None:
    v = np.zeros((1, STEPS, UNITS), np.float32)
    v[0, ::4, 4] = 1
    assert float(Places(ONSETS, np.array([1, 0, 0, 0]))(v)[0][0]) == pytest.approx(1, abs=1e-4)
    assert float(Places(ONSETS, np.array([0, 0, 1, 0]))(v)[0][0]) == pytest.approx(-1 / 3, abs=1e-4)


def free_crbm() -> ConvolutionalRBM:
    """Independent units."""
    model = ConvolutionalRBM(UNITS, 2, 3, (4,), seed=1)
    model.w.assign(np.zeros(model.w.shape))
    return model


def test_samples_take_the_structure_and_leave_the_rest() -> None:
    keras.utils.set_random_seed(0)
    model, wanted = free_crbm(), np.kron(np.ones((2, 2)), np.eye(2))
    model.b.assign([0, 0, 0, 0, 2])
    constraint = SelfSimilarity(KINDS, 3, wanted)
    start = model.independent(20, STEPS)
    free = constrained(model, start, [], cooling(60), part=3)
    held = constrained(model, start, [(40.0, constraint)], cooling(60), part=3)
    assert np.asarray(constraint(free)[0]).mean() < 0.3 and np.asarray(constraint(held)[0]).mean() > 0.6
    assert (np.asarray(held)[..., :4].sum(-1) == 1).all()
    assert np.asarray(held)[..., 4].mean() > 0.95  # a unit that likes to be on, and is cooled: sigmoid(2 / 0.3)


def test_without_weight_a_gradient_phase_changes_nothing_and_with_it_what_is_held_stays() -> None:
    model, v = free_crbm(), np.zeros((1, STEPS, UNITS), np.float32)
    v[..., 0] = 1
    from_h, one = np.broadcast_to(model.b, (1, STEPS, UNITS)), np.ones((1, STEPS, 1), "f4")
    constraint = Places(KINDS[:, :1], np.array([1, 0, 0, 0]))
    np.testing.assert_allclose(gradient_phase(model, from_h, v, one, [(0.0, constraint)], 3, 0.5), from_h, atol=1e-6)
    moved = np.asarray(gradient_phase(model, from_h, v, one, [(20.0, constraint)], 3, 0.5))
    assert moved[0, 0, 0] > moved[0, 1, 0]


def test_every_turn_can_be_watched() -> None:
    seen = []
    model = free_crbm()
    constrained(
        model, model.independent(2, STEPS), [], [1.0, 0.5], watch=lambda turn, v: seen.append((turn, v.shape[0]))
    )
    assert seen == [(0, 2), (1, 2)]


def test_it_cools_and_stays_cold() -> None:
    temperatures = cooling(40, 2.0, 0.5)
    assert len(temperatures) == 40 and temperatures[0] == 2 and (temperatures[29:] == 0.5).all()
    assert (np.diff(temperatures) <= 0).all()
