import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.losses import GroupedCrossEntropy
from course_lib.architectures.manipulation import CodeSearch, Gaussian

JIT = keras.backend.backend() == "jax"


def decoder(symbols: int = 5) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), layers.Dense(4 * symbols), layers.Reshape((4, symbols))])


def searching(model: keras.Model, start: np.ndarray, penalty: object = None, rate: float = 0.1) -> CodeSearch:
    made = CodeSearch(model, start, penalty)
    made.compile(keras.optimizers.Adam(rate), GroupedCrossEntropy((2, 3)), jit_compile=JIT)
    return made


def test_it_finds_a_code_and_leaves_the_decoder_alone() -> None:
    model = decoder()
    before = [w.copy() for w in model.get_weights()]
    wanted = np.random.default_rng(1).normal(size=(2, 3)).astype("float32") * 3
    made = np.asarray(model(wanted))
    target = np.stack([made[..., :2].argmax(-1), made[..., 2:].argmax(-1)], -1)
    search = searching(model, np.zeros((2, 3)))
    path = search.search(target, 150)
    assert path.shape == (151, 2, 3)
    assert not path[0].any()
    out = np.asarray(model(path[-1]))
    assert (np.stack([out[..., :2].argmax(-1), out[..., 2:].argmax(-1)], -1) == target).all()
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.trainable_variables  # and it can still be trained


def test_what_the_target_does_not_fix_costs_nothing() -> None:
    model = decoder()
    free = np.full((1, 4, 2), -1)
    path = searching(model, np.ones((1, 3))).search(free, 5)
    assert np.allclose(path, 1)


def test_each_code_goes_its_own_way() -> None:
    model = decoder()
    target = np.array([[[0, 1]] * 4, [[1, 2]] * 4])
    both = searching(model, np.zeros((2, 3)), rate=0.05).search(target, 20)
    alone = searching(model, np.zeros((1, 3)), rate=0.05).search(target[1:], 20)
    assert np.allclose(both[:, 1], alone[:, 0], atol=1e-4)


def test_the_gaussian_holds_codes_near_the_data() -> None:
    codes = np.random.default_rng(0).normal(size=(500, 3)) @ np.diag([1.0, 2.0, 0.5]) + 4
    leash = Gaussian(codes)
    off = (codes - codes.mean(0))[:7]
    by_hand = 0.5 * np.einsum("ni,ij,nj->n", off, np.linalg.inv(np.cov(codes, rowvar=False)), off)
    assert np.allclose(np.asarray(leash(codes[:7].astype("float32"))), by_hand, rtol=2e-2)
    drawn = leash.sample(4000, seed=1)
    assert np.allclose(drawn.mean(0), 4, atol=0.2)
    assert np.allclose(np.cov(drawn, rowvar=False), np.cov(codes, rowvar=False), atol=0.4)
    model = decoder()
    path = searching(model, np.zeros((1, 3)), Gaussian(codes, weight=10.0)).search(np.full((1, 4, 2), -1), 200)
    assert np.abs(path[-1] - codes.mean(0)).max() < 0.3


def test_a_start_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"start has shape \(2, 4\); the decoder takes codes \(3,\)"):
        CodeSearch(decoder(), np.zeros((2, 4)))
