"""Conditioned networks: sizes of the released code, what is joined where, a bar alone and in a batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.adversarial import GAN, R1
from course_lib.architectures.conditioning import (
    conditioned,
    joined,
    light_discriminator,
    light_generator,
    light_history,
    paper_discriminator,
    paper_generator,
    paper_history,
    products,
)

HALVES = (2, 13)


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


def light_pair(**modes: object) -> tuple[keras.Model, keras.Model]:
    keras.utils.set_random_seed(0)
    generator = conditioned((32,), light_generator(), HALVES, history=light_history(), **modes)
    seen = light_history(halvings=2)
    discriminator = conditioned((16, 24), light_discriminator(), HALVES, history=seen, first=products)
    return generator, discriminator


def inputs(n: int, seed: int = 0) -> list[np.ndarray]:
    """z, condition, history."""
    rng = np.random.default_rng(seed)
    history = np.eye(24, dtype=np.float32)[rng.integers(0, 24, (n, 16))]
    condition = np.zeros((n, *HALVES), np.float32)
    condition[np.arange(n)[:, None], np.arange(2), rng.integers(0, 12, (n, 2))] = 1
    return [rng.normal(size=(n, 32)).astype(np.float32), condition, history]


def test_the_sizes_are_those_of_the_released_code() -> None:
    generator = conditioned((100,), paper_generator(), (1, 13), history=paper_history())
    discriminator = conditioned((16, 128, 1), paper_discriminator(), (1, 13))
    assert (trainable(generator), generator.count_params()) == (530_625, 534_081)
    assert (trainable(discriminator), discriminator.count_params()) == (312_703, 314_905)
    assert generator.output_shape == (None, 16, 128, 1) and discriminator.output_shape == (None, 1)
    first = next(layer for layer in discriminator.layers if isinstance(layer, layers.Conv2D))
    assert first.count_params() == 50_190  # most of these weights see one constant 128 times


@pytest.mark.parametrize("segments", [1, 2, 4])
def test_each_segment_stands_beside_its_share_of_the_positions(segments: int) -> None:
    condition = np.arange(segments, dtype=np.float32)[None, :, None]
    x = np.full((1, 8, 3), 9, np.float32)
    assert np.array_equal(np.asarray(joined(x, condition))[0, :, 3], np.repeat(np.arange(segments), 8 // segments))
    picture = np.zeros((1, 8, 5, 1), np.float32)
    beside = np.asarray(joined(picture, condition))
    assert beside.shape == (1, 8, 5, 2) and (beside[..., 1] == beside[..., :1, 1]).all()
    assert np.array_equal(np.asarray(joined(x[:, 0], condition))[0, 3:], np.arange(segments))


def test_products_can_tell_which_feature_goes_with_which_condition() -> None:
    """x and y agree or not: no sum of a function of x and one of y separates the four cases; a product does."""
    x, y = keras.Input((1, 2)), keras.Input((1, 2))
    model = keras.Model([x, y], keras.ops.sum(products(x, y)[..., 2:], axis=(1, 2)))
    dense = next(layer for layer in model.layers if isinstance(layer, layers.Dense))
    dense.set_weights([np.array([[1, -1], [-1, 1]], np.float32), np.zeros(2, np.float32)])
    eye = np.eye(2, dtype=np.float32)
    table = [[float(model([eye[None, [i]], eye[None, [j]]])[0]) for j in range(2)] for i in range(2)]
    assert table == [[1, -1], [-1, 1]]


def test_a_bar_made_alone_is_the_bar_made_in_a_batch() -> None:
    generator, _ = light_pair()
    z, condition, history = inputs(6)
    together = np.asarray(generator([z, condition, history])).argmax(-1)
    alone = [np.asarray(generator([a[i : i + 1] for a in (z, condition, history)])).argmax(-1)[0] for i in range(6)]
    assert np.array_equal(together, alone)


def reach(generator: keras.Model, history: tuple[int, ...]) -> np.ndarray:
    """bool (16, 16): whether step t of what is made depends on step s of what came before."""
    keras.utils.set_random_seed(0)
    logits = keras.Model(generator.inputs, generator.layers[-1].input)  # before the choice or the sigmoid
    noise, condition, *_ = generator.inputs
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(1, *x.shape[1:])).astype(np.float32).repeat(17, 0) for x in (noise, condition)]
    before = rng.normal(size=(1, *history)).astype(np.float32).repeat(17, 0)
    before[np.arange(16), np.arange(16)] += 1
    made = np.asarray(logits([*given, before])).reshape(17, 16, -1)
    return np.abs(made[:16] - made[16:]).max(axis=-1).T > 1e-7


def test_the_released_generator_cannot_join_a_bar_to_the_end_of_the_one_before() -> None:
    """Its maps meet position for position: steps 1 to 8 never see steps 9 to 16 of the bar before. Ours sees all."""
    released = conditioned((8,), paper_generator(16, 24, 16), (1, 13), history=paper_history(16, 24))
    seen = reach(released, (16, 24, 1))
    assert not seen[:8, 8:].any() and not seen[8:, :8].any() and seen[0, :8].all() and seen[15, 8:].all()
    assert reach(light_pair()[0], (16, 24)).all()


def test_batch_normalisation_left_in_training_makes_a_bar_depend_on_its_batch() -> None:
    """The trap of the released sampler."""
    generator = conditioned((8,), paper_generator(16, 24, 16), (1, 13), history=paper_history(16, 24))
    rng = np.random.default_rng(0)
    given = [rng.normal(size=s).astype(np.float32) for s in ((4, 8), (4, 1, 13), (4, 16, 24, 1))]
    first = [a[:2] for a in given]
    for training, same in ((False, True), (True, False)):
        pair = [np.asarray(generator(x, training=training))[:2] for x in (first, given)]
        assert np.allclose(*pair, atol=1e-6) == same


def test_a_level_without_the_condition_does_not_depend_on_it() -> None:
    keras.utils.set_random_seed(0)
    nowhere, last = (
        conditioned((5,), [[layers.Dense(4)], [layers.Dense(3)]], (1, 2), where=where) for where in ((), (1,))
    )
    x, y = np.ones((1, 5), np.float32), np.eye(2, dtype=np.float32)[:, None]
    differ = [not np.allclose(model([x, y[:1]]), model([x, y[1:]])) for model in (nowhere, last)]
    assert differ == [False, True]


def test_every_input_reaches_the_example_and_the_verdict() -> None:
    for model, own in zip(light_pair(), (32, (16, 24)), strict=True):
        given = inputs(3)
        given[0] = given[0] if own == 32 else inputs(3, seed=1)[2]
        head = keras.Model(model.inputs, model.layers[-1].output if own != 32 else model.layers[-2].output)
        before = np.asarray(head(given))
        for i, other in enumerate((inputs(3, 2)[0] if own == 32 else inputs(3, 2)[2], *inputs(3, 2)[1:])):
            changed = [*given[:i], other, *given[i + 1 :]]
            assert not np.allclose(before, np.asarray(head(changed)))


@pytest.mark.parametrize("where", [None, (5,)])
def test_a_conditioned_pair_survives_serialising_and_trains_as_a_gan(where: tuple | None) -> None:
    generator, discriminator = light_pair(where=where)
    gan = GAN(generator, discriminator, penalty=R1(0.3), average=0.9)
    gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    z, condition, history = inputs(8)
    gan.fit([inputs(8, 1)[2], condition, history], batch_size=4, verbose=0)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(gan))
    again.set_weights(gan.get_weights())
    assert np.allclose(again.generate(z, [condition, history]), gan.generate(z, [condition, history]))
