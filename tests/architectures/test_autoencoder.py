from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from course_lib import training
from course_lib.architectures.autoencoder import Autoencoder, KLSparsity, L1Sparsity, Stack, TiedDense
from course_lib.architectures.losses import GroupedCrossEntropy

JIT = keras.backend.backend() == "jax"  # for networks this small TensorFlow is quicker without


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training, "PRETRAINED", tmp_path / "pretrained")
    monkeypatch.setattr(training, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    keras.utils.set_random_seed(0)


def patterns(count: int = 64, width: int = 12) -> np.ndarray:
    """Examples with three hidden causes, each of which switches a third of the values on."""
    causes = np.random.default_rng(0).integers(2, size=(count, 3))
    return np.repeat(causes, width // 3, axis=1).astype("float32")


def dense(inputs: int, units: int, tied: bool = False, penalty: object = None, loss: str = "mse") -> Autoencoder:
    there = layers.Dense(units, activation="sigmoid")
    encoder = keras.Sequential([keras.Input((inputs,)), there])
    back = TiedDense(there, "sigmoid") if tied else layers.Dense(inputs, activation="sigmoid")
    made = Autoencoder(encoder, keras.Sequential([keras.Input((units,)), back]), penalty)
    made.compile(keras.optimizers.Adam(0.05, name="adam"), loss, jit_compile=JIT)
    return made


def stack(tied: bool = False) -> Stack:
    made = Stack([dense(12, 8, tied), dense(8, 6, tied), dense(6, 3, tied)])
    made.compile(keras.optimizers.Adam(0.05, name="adam"), "mse", jit_compile=JIT)
    return made


def recurrent(steps: int = 5, symbols: int = 7, code: int = 4) -> Autoencoder:
    encoder = keras.Sequential([keras.Input((steps, symbols)), layers.GRU(6), layers.Dense(code)])
    decoder = keras.Sequential(
        [keras.Input((code,)), layers.RepeatVector(steps), layers.GRU(6, return_sequences=True), layers.Dense(symbols)]
    )
    return Autoencoder(encoder, decoder)


def same_weights(a: keras.Model, b: keras.Model) -> bool:
    return all(np.array_equal(v, w) for v, w in zip(a.get_weights(), b.get_weights(), strict=True))


def test_sparsity_is_the_kl_of_the_mean_activations() -> None:
    code = np.array([[0.1, 0.6], [0.3, 0.8]], "float32")
    by_hand = sum(0.05 * np.log(0.05 / a) + 0.95 * np.log(0.95 / (1 - a)) for a in (0.2, 0.7))
    assert float(KLSparsity(0.05, weight=3.0)(code)) == pytest.approx(3 * by_hand, rel=1e-5)
    assert float(KLSparsity(0.2)(np.full((4, 3), 0.2, "float32"))) == pytest.approx(0, abs=1e-6)
    in_time = KLSparsity(0.05, weight=3.0)(code.reshape(1, 2, 2))
    assert float(in_time) == pytest.approx(3 * by_hand, rel=1e-5)
    assert np.isfinite(float(KLSparsity()(np.array([[0.0, 1.0]], "float32"))))


def test_l1_is_the_mean_sum_of_the_absolute_activations() -> None:
    code = np.array([[1.0, -2.0], [0.0, 0.5]], "float32")
    assert float(L1Sparsity(weight=0.5)(code)) == pytest.approx(0.5 * (3 + 0.5) / 2)


@pytest.mark.parametrize("target", [0.0, 1.5])
def test_a_target_is_a_share(target: float) -> None:
    with pytest.raises(ValueError, match="it is a share between 0 and 1"):
        KLSparsity(target)


def test_reconstruction_and_penalty_are_reported_apart() -> None:
    x = patterns(40)
    model = dense(12, 6, penalty=KLSparsity(weight=0.3))
    values = model.evaluate(x, verbose=0, return_dict=True, batch_size=32)  # the second batch is a small one
    parts = [(x[:32], 32), (x[32:], 8)]
    mse = sum(n * float(np.mean((model(part) - part) ** 2)) for part, n in parts) / 40
    price = sum(n * float(KLSparsity(weight=0.3)(model.encode(part))) for part, n in parts) / 40
    assert values["reconstruction"] == pytest.approx(mse, rel=1e-5)
    assert values["penalty"] == pytest.approx(price, rel=1e-4)
    assert values["loss"] == pytest.approx(mse + price, rel=1e-5)
    history = training.fit(model, x, validation_data=x, epochs=2).history
    assert {"loss", "reconstruction", "penalty", "val_reconstruction", "val_penalty"} <= set(history)
    assert "penalty" not in dense(12, 6).evaluate(x, verbose=0, return_dict=True)


def test_sparsity_silences_the_code() -> None:
    x = patterns()
    active = []
    for penalty in (None, KLSparsity(0.05, weight=1.0)):
        model = dense(12, 6, penalty=penalty)
        training.fit(model, x, epochs=40)
        active.append(np.asarray(model.encode(x)).mean())
    assert active[1] < 0.15 < active[0]


def test_the_target_is_the_input_or_another_form_of_it() -> None:
    symbols = np.random.default_rng(1).integers([3, 4], size=(10, 5, 2))
    x = np.concatenate([np.eye(3)[symbols[..., 0]], np.eye(4)[symbols[..., 1]]], -1).astype("float32")
    model = recurrent()
    model.compile("sgd", GroupedCrossEntropy((3, 4)))
    one_hot = model.evaluate(x, verbose=0, return_dict=True)
    assert model.evaluate(x, symbols, verbose=0, return_dict=True) == pytest.approx(one_hot, rel=1e-5)
    assert one_hot["loss"] == pytest.approx(float(GroupedCrossEntropy((3, 4))(symbols, model(x))), rel=1e-5)
    model = dense(12, 4)
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.evaluate(patterns(), verbose=0, return_dict=True)["mae"] > 0


def test_the_parts_know_when_they_are_trained() -> None:
    encoder = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), layers.Dense(2)])
    model = Autoencoder(encoder, keras.Sequential([keras.Input((2,)), layers.Dense(4)]))
    x = np.ones((8, 4), "float32")
    assert np.ptp(np.asarray(model(x)), axis=0).max() == 0
    assert np.ptp(np.asarray(model(x, training=True)), axis=0).max() > 0
    model.compile(keras.optimizers.SGD(0.0), "mse")
    at_rest = model.evaluate(x, verbose=0)
    assert model.fit(x, epochs=1, verbose=0).history["loss"][0] != pytest.approx(at_rest, rel=1e-3)


def test_two_codes_give_two_outputs() -> None:
    model = recurrent()
    one, other = np.asarray(model.decode(np.array([[1, 0, 0, 0], [0, 1, 0, 0]], "float32")))
    assert one.shape == (5, 7)
    assert np.abs(one - other).max() > 1e-3
    x = np.random.default_rng(0).normal(size=(3, 5, 7)).astype("float32")
    assert np.allclose(model(x), model.decode(model.encode(x)), atol=1e-6)
    assert np.allclose(model(x), model.reconstruct(x), atol=1e-6)


def test_parts_that_do_not_fit_are_refused() -> None:
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
    with pytest.raises(ValueError, match="gives 3 numbers and the decoder takes 2. Let the encoder end with 2"):
        Autoencoder(encoder, decoder)
    with pytest.raises(ValueError, match="Begin each with keras.Input"):
        Autoencoder(keras.Sequential([layers.Dense(3)]), decoder)
    with pytest.raises(ValueError, match="level 1 has codes of shape .8,.; level 2 must take them, and takes .6,."):
        Stack([dense(12, 8), dense(6, 3)])


def test_a_decoder_may_take_more_than_the_code() -> None:
    code, previous = keras.Input((4,)), keras.Input((5, 7))
    hidden = layers.GRU(6, return_sequences=True)(previous, initial_state=layers.Dense(6)(code))
    decoder = keras.Model([code, previous], layers.Dense(7)(hidden))
    model, x = Autoencoder(recurrent().encoder, decoder), np.random.default_rng(0).random((6, 5, 7)).astype("float32")
    assert model.code_shape == (4,)
    assert model.decode(np.zeros((2, 4), "float32"), np.zeros((2, 5, 7), "float32")).shape == (2, 5, 7)
    assert np.allclose(model([x, x]), decoder([model.encode(x), ops.convert_to_tensor(x)]), atol=1e-6)
    assert np.allclose(model.reconstruct([x, x]), model([x, x]), atol=1e-6)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    losses = model.fit([x, 0 * x], epochs=3, verbose=0).history["loss"]  # the target is the first
    assert losses[-1] < losses[0]
    assert model.evaluate([x, 0 * x], verbose=0) == pytest.approx(model.evaluate([x, 0 * x], x, verbose=0))


def test_tied_weights_are_one_weight_with_both_gradients() -> None:
    tied = dense(4, 3, tied=True)
    assert tied.count_params() == 4 * 3 + 3 + 4
    kernel = tied.encoder.layers[-1].kernel
    code = np.array([[1.0, 2.0, -1.0]], "float32")
    expected = 1 / (1 + np.exp(-code @ np.asarray(kernel).T))
    assert np.allclose(tied.decode(code), expected, atol=1e-6)
    # One step of plain gradient descent: the free model's two gradients add up in the tied one.
    free, x = dense(4, 3), patterns(8, 12)[:, ::3]
    free.set_weights([*tied.encoder.get_weights(), np.asarray(kernel).T, np.zeros(4)])
    before = np.asarray(kernel)
    for model in (tied, free):
        model.compile(keras.optimizers.SGD(1.0), "mse")
        model.fit(x, batch_size=8, epochs=1, verbose=0)
    down, up = (np.asarray(part.layers[-1].kernel) for part in (free.encoder, free.decoder))
    assert np.abs(down - before).max() > 1e-4 and np.abs(up.T - before).max() > 1e-4
    assert np.allclose(np.asarray(kernel) - before, (down - before) + (up.T - before), atol=1e-6)


def test_a_tie_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="has no weights to share yet"):
        keras.Sequential([keras.Input((3,)), TiedDense(layers.Dense(3))])
    source = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="there")]).layers[-1]
    with pytest.raises(ValueError, match="a code of 5 numbers; there has 3 units"):
        keras.Sequential([keras.Input((5,)), TiedDense(source)])


MODELS = {
    "plain": lambda: dense(12, 4),
    "sparse": lambda: dense(12, 4, penalty=L1Sparsity(0.7)),
    "tied": lambda: dense(12, 4, tied=True),
    "stack": stack,
    "tied stack": lambda: stack(tied=True),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_models_survive_saving(make: object, tmp_path: Path) -> None:
    model, x = make(), patterns()
    model.fit(x, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    assert same_weights(model, again)
    assert np.allclose(model(x), again(x), atol=1e-6)
    assert again.evaluate(x, verbose=0) == pytest.approx(model.evaluate(x, verbose=0), rel=1e-5)
    history = [m.fit(x, batch_size=len(x), epochs=2, verbose=0).history["loss"] for m in (model, again)]
    assert history[0] == pytest.approx(history[1], rel=1e-4)


def test_a_recurrent_autoencoder_survives_saving_before_its_first_call(tmp_path: Path) -> None:
    model = recurrent()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert same_weights(model, again)


@pytest.mark.parametrize("shape", [(5, 4), (4,)])
def test_weights_stay_tied_in_a_file(shape: tuple, tmp_path: Path) -> None:
    there = layers.Dense(2)
    encoder = keras.Sequential([keras.Input(shape), there])
    model = Autoencoder(encoder, keras.Sequential([keras.Input((*shape[:-1], 2)), TiedDense(there)]))
    model(np.zeros((1, *shape), "float32"))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.count_params() == model.count_params() == 4 * 2 + 2 + 4
    assert again.decoder.layers[-1].source is again.encoder.layers[-1]
    again.encoder.layers[-1].kernel.assign(np.zeros((4, 2)))
    assert float(ops.max(ops.abs(again.decode(np.ones((1, *shape[:-1], 2), "float32"))))) == 0


@pytest.mark.parametrize("tied", [False, True])
def test_a_stack_learns_level_by_level_and_then_as_a_whole(tied: bool) -> None:
    model, x = stack(tied), patterns()
    levels = model.pretrain(x, training.fit, validation_data=x[:16], epochs=15, batch_size=16)
    assert len(levels) == 3
    for trained in levels:
        assert trained.history["loss"][-1] < 0.8 * trained.history["loss"][0]
        assert trained.history["val_loss"][-1] < trained.history["val_loss"][0]
    by_hand = x
    for level in model.levels:
        by_hand = level.encode(by_hand)
    assert np.allclose(model.encode(x), by_hand, atol=1e-5)
    for level in reversed(model.levels):
        by_hand = level.decode(by_hand)
    assert np.allclose(model(x), by_hand, atol=1e-5)
    before = model.evaluate(x, verbose=0, return_dict=True)["loss"]
    kernel = np.asarray(model.levels[1].encoder.layers[-1].kernel)
    training.fit(model, x, epochs=15, batch_size=16)
    assert model.evaluate(x, verbose=0, return_dict=True)["loss"] < 0.8 * before
    assert not np.allclose(kernel, model.levels[1].encoder.layers[-1].kernel)


def test_pretraining_passes_names_on_and_wants_compiled_levels() -> None:
    names = []
    model = stack()
    assert model.pretrain(patterns(), lambda level, x, name, **_: names.append((name, x.shape[1])), name="deep") == (
        [None] * 3
    )
    assert names == [("deep_1", 12), ("deep_2", 8), ("deep_3", 6)]
    levels = [Autoencoder(level.encoder, level.decoder) for level in model.levels]
    with pytest.raises(ValueError, match="level 1 has no loss yet: call its compile"):
        Stack(levels).pretrain(patterns(), training.fit, epochs=1)


def test_a_full_training_resumes_and_ships_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "full")
    x = patterns()
    settings = {"epochs": 6, "name": "stack", "batch_size": len(x)}
    keras.utils.set_random_seed(1)
    straight = training.fit(stack(tied=True), x, **{**settings, "name": "straight"})

    def stop(history: dict, epoch: int, epochs: int, left: float) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    keras.utils.set_random_seed(1)
    with pytest.raises(KeyboardInterrupt):
        training.fit(stack(tied=True), x, **settings, watch=stop)
    model = stack(tied=True)
    resumed = training.fit(model, x, **settings)
    assert resumed.history["loss"] == pytest.approx(straight.history["loss"], rel=1e-4)
    other = stack(tied=True)
    shipped = training.load_pretrained(other, "stack")
    assert shipped.pop("model")["class_name"] == "Stack"
    assert shipped == resumed.record
    assert same_weights(model, other)
    assert np.allclose(model(x), other(x), atol=1e-6)
