import keras
import numpy as np
import pytest
from keras import ops

from course_lib.architectures.feedforward import harmoniser, minibach
from course_lib.architectures.losses import GroupedCrossEntropy


def test_minibach_has_the_sizes_of_the_book() -> None:
    model = minibach()
    assert model.input_shape == (None, 64 * 21) == (None, 1344)
    assert model.output_shape == (None, 64 * (21 + 21 + 28)) == (None, 4480)
    assert model.layers[0].units == 200
    assert model.count_params() == 1344 * 200 + 200 + 200 * 4480 + 4480 == 1_169_480


def test_the_loss_is_a_softmax_for_each_voice() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 4 * 7)).astype("float32")
    target = np.random.default_rng(1).integers([3, 4], size=(5, 4, 2))
    by_hand = 0.0
    for voice, (a, b) in enumerate(((0, 3), (3, 7))):
        part = logits.reshape(5, 4, 7)[..., a:b]
        log_p = part - np.log(np.exp(part).sum(-1, keepdims=True))
        by_hand -= np.take_along_axis(log_p, target[..., voice : voice + 1], -1)[..., 0]
    one_hot = np.concatenate([np.eye(3)[target[..., 0]], np.eye(4)[target[..., 1]]], -1).reshape(5, -1)
    loss = GroupedCrossEntropy((3, 4))
    assert float(loss(one_hot, logits)) == pytest.approx(by_hand.mean(), rel=1e-5)
    steps = GroupedCrossEntropy((3, 4))(target[:, 0].astype("int32"), logits.reshape(5, 4, 7)[:, 0])
    assert float(steps) == pytest.approx(by_hand[:, 0].mean(), rel=1e-5)


def test_an_unknown_target_costs_nothing() -> None:
    logits = np.ones((2, 7), "float32") * 3
    loss = GroupedCrossEntropy((3, 4))
    assert float(loss(np.array([[-1, -1], [-1, -1]]), logits)) == 0
    assert float(loss(np.array([[-1, 2], [-1, 0]]), logits)) == pytest.approx(np.log(4), rel=1e-5)


@pytest.mark.parametrize("make", [minibach, lambda: harmoniser(20, 10, 16, 2)])
def test_models_survive_saving(make: object, tmp_path: object) -> None:
    model = make()
    model.compile("adam", GroupedCrossEntropy((model.output_shape[1],)))
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(3, model.input_shape[1])).astype("float32")
    assert np.allclose(ops.convert_to_numpy(model(x)), ops.convert_to_numpy(again(x)), atol=1e-6)
    assert again.loss.sizes == model.loss.sizes


def test_softmax_learns_what_it_is_shown() -> None:
    keras.utils.set_random_seed(0)
    x = np.eye(6, dtype="float32")
    target = np.array([[0, 3], [1, 2], [2, 1], [0, 0], [1, 1], [2, 2]])
    model = harmoniser(6, 7, 32, 1, dropout=0.0)
    model.compile(keras.optimizers.Adam(0.02), GroupedCrossEntropy((3, 4)))
    model.fit(x, target, epochs=200, verbose=0)
    logits = ops.convert_to_numpy(model(x))
    assert logits[:, :3].argmax(1).tolist() == target[:, 0].tolist()
    assert logits[:, 3:].argmax(1).tolist() == target[:, 1].tolist()
