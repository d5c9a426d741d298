from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.bidirectional import Gibbs, Sounding, bidirectional, forward_only, neighbours
from course_lib.architectures.feedforward import VoiceCrossEntropy

SIZES = (5, 4, 6)


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(0)


def network(dropout: float = 0.0) -> keras.Model:
    return neighbours(SIZES, 3, layers.GRUCell(8), layers.GRUCell(8), 16, dropout)


def some(count: int = 2, steps: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Symbols that begin with a pitch, and metadata."""
    rng = np.random.default_rng(1)
    symbols = np.stack([rng.integers(0, size, (count, steps)) for size in SIZES], axis=-1)
    symbols[:, 0] = rng.integers(0, 3, (count, 3))
    return symbols, rng.random((count, steps, 3)).astype(np.float32)


def changes(model: keras.Model, x: np.ndarray, step: int) -> np.ndarray:
    """At which steps the answer changes when the input at ``step`` does: bool (steps,)."""
    other = x.copy()
    other[:, step] += 1
    return (abs(np.asarray(model(x)) - np.asarray(model(other))) > 1e-6).any(axis=(0, 2))


def test_who_sees_what() -> None:
    x = np.random.default_rng(0).random((2, 7, 4)).astype(np.float32)
    forward = forward_only(4, 6, layers.LSTMCell(5))
    both = bidirectional(4, 6, layers.LSTMCell(5), layers.LSTMCell(5))
    assert forward(x).shape == both(x).shape == (2, 7, 6)
    assert changes(forward, x, 3).tolist() == [False] * 3 + [True] * 4
    assert changes(both, x, 3).all()


def test_the_two_directions_meet_at_the_same_step() -> None:
    """With the same cell and no backward past, the last step's future is one step long."""
    cell = layers.SimpleRNNCell(3, activation="linear", recurrent_initializer="zeros", bias_initializer="ones")
    model = bidirectional(2, 3, layers.SimpleRNNCell(3), cell)
    x = np.random.default_rng(0).random((1, 4, 2)).astype(np.float32)
    rnn = next(layer for layer in model.layers if isinstance(layer, layers.RNN) and layer.go_backwards)
    wanted = x @ np.asarray(cell.kernel) + 1  # no memory: what it says at t is about x_t
    got = np.asarray(keras.ops.flip(rnn(x), axis=1))
    assert np.allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["forward", "both"])
def test_padding_changes_nothing(kind: str) -> None:
    cells = [layers.GRUCell(5), layers.GRUCell(5)]
    model = forward_only(4, 6, cells[0]) if kind == "forward" else bidirectional(4, 6, *cells)
    x = np.random.default_rng(0).random((3, 5, 4)).astype(np.float32)
    longer = np.pad(x, ((0, 0), (0, 3), (0, 0)))
    assert np.allclose(model(x), np.asarray(model(longer))[:, :5], atol=1e-5)


def test_sounding_holds_what_was_struck() -> None:
    gibbs = Gibbs(network(), SIZES)
    symbols = np.array([[[0, 3, 2], [4, 1, 5], [4, 3, 5], [1, 3, 0], [4, 3, 5]]])  # holds: 4, 3, 5
    wanted = np.array([[[0, 3, 2], [0, 1, 2], [0, 1, 2], [1, 1, 0], [1, 1, 0]]])
    assert np.array_equal(np.asarray(Sounding(SIZES)(gibbs.one_hot(symbols))), gibbs.one_hot(wanted))


def test_what_is_asked_is_never_seen() -> None:
    """A voice's answer at a step depends on everything except its own symbol there."""
    model, (symbols, about) = network(), some()
    gibbs = Gibbs(model, SIZES)
    at, voice = 4, 1
    before = np.asarray(model([gibbs.one_hot(symbols), about]))
    for symbol in range(SIZES[voice]):
        other = symbols.copy()
        other[:, at, voice] = symbol
        after = np.asarray(model([gibbs.one_hot(other), about]))
        asked = slice(gibbs.cuts[voice], gibbs.cuts[voice + 1])
        assert np.allclose(before[:, at, asked], after[:, at, asked], atol=1e-6)
    for step, who in ((at - 1, voice), (at + 1, voice), (at, 0), (at, 2)):
        other = symbols.copy()
        other[:, step, who] = (other[:, step, who] + 1) % 3
        after = np.asarray(model([gibbs.one_hot(other), about]))
        assert not np.allclose(before[:, at, asked], after[:, at, asked], atol=1e-6)


def test_every_weight_learns_and_the_model_is_saved(tmp_path: Path) -> None:
    import tensorflow as tf

    model, (symbols, about) = network(0.3), some(8)
    x = [Gibbs(model, SIZES).one_hot(symbols), about]
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(VoiceCrossEntropy(SIZES)(symbols, model(x, training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.abs(np.asarray(gradient)).max() > 0 for gradient in gradients)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.allclose(model(x), again(x), atol=1e-6)


def gibbs_of(table: np.ndarray) -> Gibbs:
    """A sampler whose network knows the true conditional of two binary cells (voices 0 and 1 at each step)."""
    log = np.log(table)

    class Exact:
        def predict_on_batch(self, x: list[np.ndarray]) -> np.ndarray:
            one, other = x[0][..., :2], x[0][..., 2:]
            return np.concatenate([other @ log.T, one @ log], axis=-1)

    return Gibbs(Exact(), (2, 2))


def test_gibbs_draws_from_the_joint_distribution() -> None:
    table = np.array([[0.5, 0.1], [0.1, 0.3]])
    start = np.zeros((4000, 2, 2), int)  # at the first step symbol 1 is a hold, and not drawn
    drawn = gibbs_of(table).sample(start, np.zeros((4000, 2, 1)), np.ones((2, 2), bool), [1.0] * 30)
    share = np.bincount(drawn[:, 1, 0] * 2 + drawn[:, 1, 1], minlength=4) / 4000
    assert np.abs(share - table.ravel()).max() < 0.03
    cold = gibbs_of(table).sample(start, np.zeros((4000, 2, 1)), np.ones((2, 2), bool), np.linspace(1.0, 0.05, 30))
    assert (cold[:, 1, 0] == cold[:, 1, 1]).mean() > 0.99


def test_gibbs_changes_only_what_is_free() -> None:
    symbols, about = some(3)
    gibbs = Gibbs(network(), SIZES)
    free = np.zeros((9, 3), bool)
    free[2:6, 1:] = True
    new = gibbs.sample(symbols, about, free, [2.0] * 4, seed=3)
    assert (new == symbols)[:, ~free].all() and (new != symbols)[:, free].any()
    assert np.array_equal(new, gibbs.sample(symbols, about, free, [2.0] * 4, seed=3))
    assert not np.array_equal(new, gibbs.sample(symbols, about, free, [2.0] * 4, seed=4))
    assert np.array_equal(gibbs.sample(symbols, about, np.zeros((9, 3), bool), [1.0]), symbols)
    assert (new < SIZES).all() and (new >= 0).all()


def test_nothing_is_held_at_the_first_step() -> None:
    symbols, about = some(20)
    new = Gibbs(network(), SIZES).sample(symbols, about, np.ones((9, 3), bool), [5.0] * 3)
    assert (new[:, 0] < np.array(SIZES) - 1).all()


def test_every_sweep_is_given() -> None:
    symbols, about = some(2)
    gibbs, free = Gibbs(network(), SIZES, apart=20), np.ones((9, 3), bool)
    every = list(gibbs.sweeps(symbols, about, free, [1.0, 0.5, 0.5]))
    assert len(every) == 3 and np.array_equal(every[-1], gibbs.sample(symbols, about, free, [1.0, 0.5, 0.5]))
    assert not np.array_equal(every[0], every[1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"temperatures": (1.0, 0.0)}, r"each above 0"),
        ({"temperatures": ()}, r"at least one"),
        ({"symbols": np.zeros((9, 3), int)}, r"\(9, 3\)"),
        ({"about": np.zeros((2, 8, 3))}, r"\(2, 8, 3\)"),
        ({"symbols": np.full((2, 9, 3), 5)}, r"0\.\.\[4 3 5\]"),
        ({"free": np.ones((8, 3), bool)}, r"\(8, 3\)"),
    ],
)
def test_gibbs_says_what_is_wrong(change: dict, says: str) -> None:
    symbols, about = some()
    with pytest.raises(ValueError, match=says):
        Gibbs(network(), SIZES).sample(
            **{"symbols": symbols, "about": about, "free": np.ones((9, 3), bool), "temperatures": [1.0]} | change
        )
