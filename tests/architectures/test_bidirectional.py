from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.batches import MaskedBatches
from course_lib.architectures.decoding import Gibbs
from course_lib.architectures.losses import GroupedCrossEntropy
from course_lib.architectures.recurrent import bidirectional, labeller
from course_lib.music.encodings import OneHot

SIZES = (5, 4, 6)
WIDTH = 2 * sum(SIZES) + 3 + 2


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(0)


ENCODING = OneHot(tuple((60, 58 + size) for size in SIZES))
BARRED = np.zeros((9, sum(SIZES)), bool)
BARRED[0, np.cumsum(SIZES) - 1] = True


def gru(units: int = 5) -> layers.Layer:
    return layers.GRU(units, return_sequences=True)


def readers(units: int = 5, count: int = 1) -> list:
    return [bidirectional(gru(units), gru(units)) for _ in range(count)]


def network(dropout: float = 0.0) -> keras.Model:
    return labeller(WIDTH, sum(SIZES), readers(8, 2), dropout)


def sampler() -> Gibbs:
    return Gibbs(network(), SIZES, ENCODING.masked_features, BARRED)


def some(count: int = 2, steps: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Symbols that begin with a pitch, and two numbers a step that are always known."""
    rng = np.random.default_rng(1)
    symbols = np.stack([rng.integers(0, size, (count, steps)) for size in SIZES], axis=-1)
    symbols[:, 0] = rng.integers(0, 3, (count, 3))
    return symbols, rng.random((count, steps, 2)).astype(np.float32)


def changes(model: keras.Model, x: np.ndarray, step: int) -> list[bool]:
    """At which steps the answer changes when the input at ``step`` does."""
    other = x.copy()
    other[:, step] += 1
    return (abs(np.asarray(model(x)) - np.asarray(model(other))) > 1e-6).any(axis=(0, 2)).tolist()


@pytest.mark.parametrize("count", [1, 2])
def test_who_sees_what(count: int) -> None:
    x = np.random.default_rng(0).random((2, 7, 4)).astype(np.float32)
    forward = labeller(4, 6, [layers.LSTM(5, return_sequences=True) for _ in range(count)])
    both = labeller(4, 6, readers(count=count))
    assert forward(x).shape == both(x).shape == (2, 7, 6)
    assert changes(forward, x, 3) == [False] * 3 + [True] * 4
    assert changes(both, x, 3) == [True] * 7


def test_the_two_directions_meet_at_the_same_step() -> None:
    """Cells without memory answer at each step with what is there, in both directions."""
    here = {"activation": "linear", "recurrent_initializer": "zeros", "kernel_initializer": "ones"}
    memoryless = [layers.SimpleRNN(1, return_sequences=True, **here) for _ in range(2)]
    model = labeller(2, 2, [bidirectional(*memoryless)])
    model.layers[-1].set_weights([np.eye(2), np.zeros(2)])
    x = 1 + np.random.default_rng(0).random((1, 4, 2)).astype(np.float32)
    assert np.allclose(np.asarray(model(x)), np.repeat(x.sum(-1, keepdims=True), 2, axis=-1), atol=1e-5)


def test_it_can_be_nested() -> None:
    x = np.random.default_rng(0).random((2, 7, 4)).astype(np.float32)
    nested = labeller(4, 6, [bidirectional(bidirectional(gru(3), gru(4)), gru(5))])
    assert nested(x).shape == (2, 7, 6) and changes(nested, x, 3) == [True] * 7


@pytest.mark.parametrize("parts", [lambda: readers(count=2), lambda: [gru(), gru()]])
def test_padding_changes_nothing(parts: object) -> None:
    network = labeller(4, 6, parts())
    x = np.random.default_rng(0).random((3, 5, 4)).astype(np.float32)
    longer = np.pad(x, ((0, 0), (0, 3), (0, 0)))
    assert np.allclose(network(x), np.asarray(network(longer))[:, :5], atol=1e-5)


# ---------------------------------------------------------------- cells that are not known


def test_masked_features() -> None:
    hold = SIZES[0] - 1
    symbols = np.array([[[2, 0, 0], [hold, 0, 0], [1, 0, 0], [hold, 0, 0], [hold, 0, 0]]])
    known = np.ones((1, 5, 3), bool)
    known[0, 2, 0] = False
    x = ENCODING.masked_features(symbols, known, np.full((1, 5, 2), 7.0))
    assert x.shape == (1, 5, WIDTH) and x.dtype == np.float32
    row = np.eye(SIZES[0])
    assert np.array_equal(x[0, :, :5], [row[2], row[hold], 0 * row[0], row[hold], row[hold]])
    # What is held after a cell that is not known is not known either.
    assert np.array_equal(x[0, :, 5:10], [row[2], row[2], 0 * row[0], 0 * row[0], 0 * row[0]])
    assert np.array_equal(x[0, :, -5:-2], known[0]) and (x[0, :, -2:] == 7).all()


def test_what_stands_in_a_masked_cell_changes_nothing() -> None:
    symbols, metadata = some(4)
    rng = np.random.default_rng(2)
    for share in (0.1, 0.5, 0.9):
        known = rng.random(symbols.shape) >= share
        other = np.where(known, symbols, rng.integers(0, 4, symbols.shape))
        assert not np.array_equal(symbols, other)
        assert np.array_equal(
            ENCODING.masked_features(symbols, known, metadata), ENCODING.masked_features(other, known, metadata)
        )


def test_masked_batches() -> None:
    symbols, metadata = some(10)
    data = MaskedBatches(symbols, metadata, ENCODING.masked_features, batch=4)
    assert len(data) == 3 and [len(data[i][0]) for i in range(3)] == [4, 4, 2]
    for number in range(3):
        x, targets, weight = data[number]
        asked = targets >= 0
        rows = data.order[number * 4 : number * 4 + 4]
        assert np.array_equal(targets[asked], symbols[rows][asked])
        assert np.array_equal(x[..., 2 * sum(SIZES) : 2 * sum(SIZES) + 3], ~asked)
        assert asked.any(axis=(1, 2)).all()
        assert np.allclose(weight * asked.sum(axis=(1, 2)), symbols[0].size)
    assert sorted(data.order) == list(range(10))


def test_each_epoch_masks_anew_and_validation_does_not() -> None:
    symbols, metadata = some(8)
    for reshuffle in (True, False):
        data = MaskedBatches(symbols, metadata, ENCODING.masked_features, batch=8, reshuffle=reshuffle)
        before = data[0][1]
        assert np.array_equal(before, data[0][1])
        data.on_epoch_end()
        assert np.array_equal(before, data[0][1]) != reshuffle
    assert data.order.tolist() == list(range(8))


def test_the_loss_is_that_of_a_random_order() -> None:
    """For a network that knows nothing it is the log of the sizes, whatever is masked."""
    symbols, metadata = some(64)
    x, targets, weight = MaskedBatches(symbols, metadata, ENCODING.masked_features, batch=64)[0]
    nats = GroupedCrossEntropy(SIZES)(targets, np.zeros((64, 9, sum(SIZES)), np.float32), sample_weight=weight)
    asked = (targets >= 0).sum(axis=1) * weight[:, None] / 9
    assert np.allclose(float(nats), (asked @ np.log(SIZES)).mean(), atol=1e-4)
    assert abs(float(nats) - np.log(SIZES).sum()) < 0.2


def test_every_weight_learns_and_the_model_is_saved(tmp_path: Path) -> None:
    import tensorflow as tf

    model = network(0.3)
    x, targets, _ = MaskedBatches(*some(8), ENCODING.masked_features)[0]
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(GroupedCrossEntropy(SIZES)(targets, model(x, training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.abs(np.asarray(gradient)).max() > 0 for gradient in gradients)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.allclose(model(x), again(x), atol=1e-6)


def test_it_learns_what_two_columns_have_to_do_with_each_other() -> None:
    """The second voice copies the first: what is masked in one of them is found in the other."""
    rng = np.random.default_rng(0)
    symbols = np.repeat(rng.integers(0, 3, (256, 6, 1)), 2, axis=2)
    metadata = np.zeros((256, 6, 1), np.float32)
    two = OneHot(((60, 62), (60, 62)))
    model = labeller(2 * 8 + 3, 8, readers(16))
    model.compile(keras.optimizers.Adam(0.01), GroupedCrossEntropy((4, 4)), jit_compile=False)
    model.fit(MaskedBatches(symbols, metadata, two.masked_features, batch=32), epochs=25, verbose=0)
    known = np.ones((256, 6, 2), bool)
    known[..., 1] = False
    answer = model.predict_on_batch(two.masked_features(symbols, known, metadata))[..., 4:].argmax(axis=-1)
    assert (answer == symbols[..., 0]).mean() > 0.95


# ---------------------------------------------------------------- sampling


TWO = OneHot(((60, 60), (60, 60)))
BARRED_TWO = np.array([[False, True, False, True], [False] * 4])


class Exact:
    """Knows p(voice 0, voice 1) at each of two steps, and answers with the conditionals, or the marginals."""

    table = np.array([[0.5, 0.1], [0.1, 0.3]])

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        one, other = x[..., 0:2], x[..., 4:6]
        p = [np.where(k.any(-1, keepdims=True), k @ t, t.sum(0)) for k, t in ((other, self.table), (one, self.table))]
        return np.log(np.concatenate(p, axis=-1))


def exact() -> Gibbs:
    return Gibbs(Exact(), (2, 2), TWO.masked_features, BARRED_TWO)


def test_gibbs_draws_from_the_joint_distribution() -> None:
    # At the first step symbol 1 is barred: look at the second. Each sweep masks one of the voices.
    drawn, metadata, gibbs = (
        np.zeros((6000, 2, 2), int),
        np.zeros((6000, 2, 0)),
        exact(),
    )
    for turn in range(30):
        free = np.tile(np.arange(2) == turn % 2, (2, 1))
        drawn = gibbs.sample(drawn, metadata, free, [1.0], [1.0], seed=turn)
    share = np.bincount(drawn[:, 1, 0] * 2 + drawn[:, 1, 1], minlength=4) / 6000
    assert np.abs(share - Exact.table.ravel()).max() < 0.03
    # Both at once know nothing of one another.
    drawn = gibbs.sample(drawn, metadata, np.ones((2, 2), bool), [1.0], [1.0])
    share = np.bincount(drawn[:, 1, 0] * 2 + drawn[:, 1, 1], minlength=4) / 6000
    assert np.abs(share - np.outer(*[[0.6, 0.4]] * 2).ravel()).max() < 0.03


def test_gibbs_changes_only_what_is_free() -> None:
    symbols, metadata = some(3)
    gibbs = sampler()
    free = np.zeros((9, 3), bool)
    free[2:6, 1:] = True
    ways = ([1.0, 0.5, 0.2], [2.0, 2.0, 1.0])
    new = gibbs.sample(symbols, metadata, free, *ways, seed=3)
    assert (new == symbols)[:, ~free].all() and (new != symbols)[:, free].any()
    assert np.array_equal(new, gibbs.sample(symbols, metadata, free, *ways, seed=3))
    assert not np.array_equal(new, gibbs.sample(symbols, metadata, free, *ways, seed=4))
    assert np.array_equal(gibbs.sample(symbols, metadata, ~free & free, *ways), symbols)
    assert (new < SIZES).all() and (new >= 0).all()


def test_every_sweep_is_given() -> None:
    symbols, metadata = some(2)
    gibbs, free = sampler(), np.ones((9, 3), bool)
    every = list(gibbs.sweeps(symbols, metadata, free, [1.0, 0.0, 0.5], [1.0] * 3))
    assert len(every) == 3 and np.array_equal(every[0], every[1]) and not np.array_equal(every[1], every[2])
    assert np.array_equal(every[2], gibbs.sample(symbols, metadata, free, [1.0, 0.0, 0.5], [1.0] * 3))


def test_what_is_masked_leaves_no_trace() -> None:
    symbols, metadata = some(2)
    gibbs, free = sampler(), np.ones((9, 3), bool)
    made = [gibbs.sample(start, metadata, free, [1.0, 0.5], [1.0, 1.0]) for start in (symbols, 0 * symbols)]
    assert np.array_equal(*made)


def test_a_second_expert_multiplies_the_distribution() -> None:
    """p(a, b) · exp(−2 [a = b]), by Metropolis steps that each redraw one of the two."""
    drawn, metadata, gibbs = (
        np.zeros((6000, 2, 2), int),
        np.zeros((6000, 2, 0)),
        exact(),
    )
    for turn in range(80):
        free = np.array([[False, False], np.arange(2) == turn % 2])
        drawn = gibbs.sample(drawn, metadata, free, [0.9], [1.0], lambda s: 2.0 * (s[:, 1, 0] == s[:, 1, 1]), seed=turn)
    share = np.bincount(drawn[:, 1, 0] * 2 + drawn[:, 1, 1], minlength=4) / 6000
    wanted = Exact.table * np.exp(-2 * np.eye(2))
    assert np.abs(share - (wanted / wanted.sum()).ravel()).max() < 0.03


def test_with_all_masked_it_begins_anew() -> None:
    symbols, metadata = some(40)
    gibbs, free = sampler(), np.ones((9, 3), bool)
    asked = []

    def worse(made: np.ndarray) -> np.ndarray:
        asked.append(made)
        return np.full(len(made), 50.0 * len(asked))

    anew = gibbs.sample(symbols, metadata, free, [1.0, 0.5], [1.0, 1.0], worse)
    assert len(asked) == 3 and np.array_equal(anew, asked[1])  # the second sweep is worse, and is not kept
    assert not np.array_equal(anew, symbols)


def test_what_is_barred_is_not_sampled() -> None:
    symbols, metadata = some(20)
    new = sampler().sample(symbols, metadata, np.ones((9, 3), bool), [1.0], [5.0])
    assert (new[:, 0] < np.array(SIZES) - 1).all()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"temperatures": (0.0,)}, r"each above 0"),
        ({"temperatures": (1.0, 1.0)}, r"1 shares, temperatures"),
        ({"shares": (), "temperatures": ()}, r"at least one"),
        ({"shares": (1.5,)}, r"each 0\.\.1"),
        ({"symbols": np.zeros((9, 3), int)}, r"\(9, 3\)"),
        ({"metadata": np.zeros((2, 8, 2))}, r"\(2, 8, 2\)"),
        ({"symbols": np.full((2, 9, 3), 5)}, r"0\.\.\[4 3 5\]"),
        ({"free": np.ones((8, 3), bool)}, r"\(8, 3\)"),
    ],
)
def test_gibbs_refuses_what_is_wrong(change: dict, error: str) -> None:
    symbols, metadata = some()
    plain = {
        "symbols": symbols,
        "metadata": metadata,
        "free": np.ones((9, 3), bool),
        "shares": [1.0],
        "temperatures": [1.0],
    }
    with pytest.raises(ValueError, match=error):
        sampler().sample(**plain | change)
