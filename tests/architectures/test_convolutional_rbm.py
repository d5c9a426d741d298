"""The convolutional RBM: energies against enumeration, convolution against loops, chains, training, files."""

from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest

from course_lib.architectures.boltzmann import ConvolutionalRBM

STEPS, UNITS, HIDDEN, WIDTH = 3, 4, 2, 3


def crbm(scale: float = 1.0, choices: tuple = (), **kwargs: object) -> ConvolutionalRBM:
    model, rng = ConvolutionalRBM(UNITS, HIDDEN, WIDTH, choices, length=STEPS, **kwargs), np.random.default_rng(0)
    for weight in (model.w, model.b, model.c):
        weight.assign(rng.normal(0, scale, weight.shape))
    return model


def every(choices: tuple = ()) -> np.ndarray:
    """All sequences of STEPS steps that the groups allow."""
    steps = np.array(list(product([0, 1], repeat=UNITS)), np.float32)
    first = 0
    for size in choices:
        steps = steps[steps[:, first : first + size].sum(1) == 1]
        first += size
    return np.array(list(product(steps, repeat=STEPS)))


def hidden_input(model: ConvolutionalRBM, v: np.ndarray) -> np.ndarray:
    """With loops over everything."""
    w, c = np.asarray(model.w), np.asarray(model.c)
    out = np.zeros((len(v), STEPS, HIDDEN))
    for n, t, j in product(range(len(v)), range(STEPS), range(HIDDEN)):
        out[n, t, j] = c[j] + sum(
            v[n, t + k - WIDTH // 2] @ w[k, :, j] for k in range(WIDTH) if 0 <= t + k - WIDTH // 2 < STEPS
        )
    return out


def test_the_convolution_is_that_of_explicit_loops() -> None:
    model, v = crbm(), every()[::97]
    np.testing.assert_allclose(model.hidden_input(v, model.c), hidden_input(model, v), atol=1e-5)


def test_the_visible_input_is_the_transpose_of_the_hidden_input() -> None:
    model, rng = crbm(), np.random.default_rng(1)
    v, h = rng.normal(size=(2, STEPS, UNITS)).astype("f4"), rng.normal(size=(2, STEPS, HIDDEN)).astype("f4")
    there = ((np.asarray(model.hidden_input(v, model.c)) - np.asarray(model.c)) * h).sum()
    back = ((np.asarray(model.visible_input(h, model.b, model.transposed())) - np.asarray(model.b)) * v).sum()
    assert there == pytest.approx(back, rel=1e-4)


def test_the_free_energy_sums_the_features_away() -> None:
    model, v = crbm(), every()[::61]
    hidden = np.array(list(product([0, 1], repeat=STEPS * HIDDEN))).reshape(-1, STEPS, HIDDEN)
    energy = -(v @ np.asarray(model.b)).sum(1)[:, None] - np.einsum("ntj,mtj->nm", hidden_input(model, v), hidden)
    np.testing.assert_allclose(model(v), -np.logaddexp.reduce(-energy, axis=1), rtol=1e-4)


@pytest.mark.parametrize("choices", [(), (3,), (2, 2)], ids=["independent", "a choice", "two choices"])
def test_gibbs_chains_come_to_the_distribution(choices: tuple) -> None:
    model, states = crbm(0.6, choices), every(choices)
    p = np.exp(-np.asarray(model(states), np.float64))
    p /= p.sum()
    n = 20_000
    end = np.asarray(model.gibbs(model.independent(n, STEPS), 20))
    numbers = {state.tobytes(): i for i, state in enumerate(states.astype("f4"))}
    share = np.bincount([numbers[v.tobytes()] for v in end], minlength=len(states)) / n
    assert 0.5 * np.abs(share - p).sum() < (0.1 if choices else 0.2)  # distance of that many draws from p itself: 0.17
    by_unit = np.abs((share - p) @ states.reshape(len(states), -1))
    assert by_unit.max() < 0.015


def test_a_sequence_may_have_any_length_and_a_motif_moved_in_time_costs_the_same() -> None:
    model = crbm()
    v = np.zeros((1, 12, UNITS), np.float32)
    v[0, 4:6] = [[1, 0, 1, 0], [0, 1, 1, 1]]
    assert float(model(np.roll(v, 3, axis=1))[0]) == pytest.approx(float(model(v)[0]), rel=1e-5)
    assert np.asarray(model.gibbs(v, 2)).shape == v.shape


def test_the_probabilities_of_a_choice_sum_to_one() -> None:
    model = crbm(choices=(3,))
    odds = np.random.default_rng(0).normal(0, 3, (2, STEPS, UNITS)).astype("f4")
    p = np.asarray(model.probabilities(odds))
    np.testing.assert_allclose(p[..., :3].sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(p[..., 3], 1 / (1 + np.exp(-odds[..., 3])), rtol=1e-5)


def motif(n: int) -> np.ndarray:
    """Unit 0, then unit 1, then unit 2, round and round, from anywhere; unit 3 is on half of the time."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, n)[:, None] + np.arange(9)
    return np.concatenate([np.eye(3)[first % 3], rng.random((n, 9, 1)) < 0.5], axis=-1).astype("f4")


def test_training_finds_what_follows_what() -> None:
    keras.utils.set_random_seed(0)
    model = ConvolutionalRBM(UNITS, 12, WIDTH, (3,), k=3, persistent=20, restart=0.05, length=9, seed=1)
    model.chains.assign(model.independent(20, 9))
    model.compile(keras.optimizers.Adam(0.03, beta_1=0.5), jit_compile=False)
    model.fit(motif(200), epochs=30, batch_size=20, verbose=0)
    end = np.asarray(model.gibbs(model.independent(200, 9), 60))[..., :3].argmax(-1)
    assert ((end[:, 1:] - end[:, :-1]) % 3 == 1).mean() > 0.85  # by chance, a third
    assert np.asarray(model.chains)[..., :3].sum(-1).all()


def test_chains_are_kept_and_may_begin_anew() -> None:
    stay = crbm(choices=(3,), persistent=5, restart=0.0, k=0)
    stay.chains.assign(np.broadcast_to([1, 0, 0, 1], (5, STEPS, UNITS)))
    x = motif(5)[:, :STEPS]
    stay.compute_loss(x, None, stay(x))
    assert (np.asarray(stay.chains) == [1, 0, 0, 1]).all()  # no step, and no restart
    anew = crbm(choices=(3,), persistent=50, restart=1.0, k=0)
    anew.compute_loss(x, None, anew(x))
    assert 0.2 < np.asarray(anew.chains)[..., 0].mean() < 1 and (np.asarray(anew.chains)[..., :3].sum(-1) == 1).all()


def test_it_comes_back_from_a_file(tmp_path: Path) -> None:
    model = crbm(choices=(3,), k=2, persistent=4, restart=0.1, seed=5)
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    v = every((3,))[::50]
    np.testing.assert_array_equal(again(v), model(v))
    assert again.choices == (3,) and (again.k, again.persistent, again.restart, again.seed) == (2, 4, 0.1, 5)


@pytest.mark.parametrize(("width", "choices"), [(4, ()), (3, (3, 2))])
def test_what_cannot_be_is_refused(width: int, choices: tuple) -> None:
    with pytest.raises(ValueError, match="width must be odd"):
        ConvolutionalRBM(UNITS, HIDDEN, width, choices)
