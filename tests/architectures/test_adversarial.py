import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from course_lib.architectures.adversarial import GAN, OBJECTIVES, R1, Choice, GradientPenalty, squared_slope


def dense(how: str = "gumbel", **settings: object) -> GAN:
    keras.utils.set_random_seed(0)
    z, x = keras.Input((4,)), keras.Input((5,))
    generator = keras.Model(z, Choice((3, 2), how)(layers.Dense(5)(layers.Dense(8, "gelu")(z))))
    discriminator = keras.Model(x, layers.Dense(1)(layers.Dense(8, "gelu", name="hidden")(x)))
    return compiled(GAN(generator, discriminator, **settings))


def recurrent(**settings: object) -> GAN:
    keras.utils.set_random_seed(0)
    z, x = keras.Input((6, 2)), keras.Input((6, 3))
    generator = keras.Model(z, layers.Dense(3)(layers.LSTM(4, return_sequences=True)(z)))
    hidden = layers.LSTM(4, return_sequences=True, name="hidden")(x)
    discriminator = keras.Model(x, layers.Dense(1)(hidden))
    return compiled(GAN(generator, discriminator, **settings))


def conditioned(**settings: object) -> GAN:
    keras.utils.set_random_seed(0)
    z, x, given = keras.Input((4,)), keras.Input((5,)), keras.Input((3,))
    normed = layers.BatchNormalization()(layers.Dense(8)(layers.Concatenate()([z, given])))
    generator = keras.Model([z, given], Choice((3, 2))(layers.Dense(5)(normed)))
    hidden = layers.Dense(8, "gelu", name="hidden")(layers.Concatenate()([x, given]))
    discriminator = keras.Model([x, given], layers.Dense(1)(hidden))
    return compiled(GAN(generator, discriminator, **settings))


def compiled(gan: GAN, rate: float = 0.01) -> GAN:
    gan.compile(keras.optimizers.Adam(rate), keras.optimizers.Adam(rate))
    return gan


def examples(kind: object, n: int = 32) -> list[np.ndarray]:
    """What fit takes: real examples, and the condition where there is one."""
    rng = np.random.default_rng(0)
    if kind is recurrent:
        return [rng.normal(size=(n, 6, 3)).astype("float32")]
    real = np.concatenate([np.eye(3)[rng.integers(0, 3, n)], np.eye(2)[rng.integers(0, 2, n)]], axis=1).astype(bool)
    return [real, np.eye(3, dtype="float32")[rng.integers(0, 3, n)]] if kind is conditioned else [real]


KINDS = pytest.mark.parametrize("kind", [dense, recurrent, conditioned])


@pytest.mark.parametrize(
    ("kind", "objective"),
    [*((dense, name) for name in OBJECTIVES), (recurrent, "feature matching"), (conditioned, "hinge")],
)
def test_any_parts_are_trained_by_any_objective(kind: object, objective: str) -> None:
    gan = kind(objective=objective, features={"hidden": 0.1})
    before = gan.get_weights()
    history = gan.fit(examples(kind), batch_size=16, epochs=1, verbose=0).history
    assert np.isfinite([*history.values()]).all()
    moved = [not np.array_equal(a, b) for a, b in zip(before, gan.get_weights(), strict=True)]
    count = len(gan.generator.weights)
    assert any(moved[:count]) and any(moved[count:])


@KINDS
@pytest.mark.parametrize("penalty", [R1(0.5), GradientPenalty(10.0)])
def test_any_parts_are_trained_with_any_penalty(kind: object, penalty: R1) -> None:
    history = kind(penalty=penalty, average=0.9).fit(examples(kind), epochs=1, verbose=0).history
    assert 0 < history["penalty"][0] < 100


def test_one_step_is_the_basic_training_algorithm() -> None:
    # G(z) = b for every z, D(x) = w · x: all gradients are known.
    z, x = keras.Input((1,)), keras.Input((2,))
    generator = keras.Model(z, layers.Dense(2, kernel_initializer="zeros")(z))
    discriminator = keras.Model(x, layers.Dense(1, use_bias=False)(x))
    generator.layers[-1].kernel.trainable = False
    w, b = np.array([0.5, -1.0], "float32"), np.array([0.3, 0.2], "float32")
    discriminator.set_weights([w[:, None]])
    generator.set_weights([np.zeros((1, 2)), b])
    gan = GAN(generator, discriminator)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2))
    real = np.array([[1.0, 0.0], [0.0, 1.0]], "float32")
    report = gan.train_step(real)

    def sigmoid(a: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-a))

    d_loss = np.mean(-np.log(sigmoid(real @ w))) - np.log(1 - sigmoid(b @ w))
    w = w - 0.1 * (-(sigmoid(-real @ w)[:, None] * real).mean(0) + sigmoid(b @ w) * b)
    np.testing.assert_allclose(discriminator.get_weights()[0][:, 0], w, rtol=1e-5)
    slope = -sigmoid(-b @ w) * w  # of −log D(G(z)), from the discriminator as it is now
    np.testing.assert_allclose(gan.generator.layers[-1].bias, b - 0.2 * slope, rtol=1e-5)
    assert float(report["d_loss"]) == pytest.approx(d_loss, rel=1e-5)
    assert float(report["g_loss"]) == pytest.approx(-np.log(sigmoid(b @ w)), rel=1e-5)
    assert float(report["real_right"]) == 0.5  # logits 0.5 and −1
    assert float(report["fake_right"]) == 1.0  # logit −0.05


def test_a_step_of_one_part_leaves_the_other_alone() -> None:
    gan = dense()
    for still, rates in ((gan.generator, (0.1, 0.0)), (gan.discriminator, (0.0, 0.1))):
        gan.compile(*(keras.optimizers.SGD(rate) for rate in rates))
        before = [(part is still, part.get_weights()) for part in (gan.generator, gan.discriminator)]
        gan.train_step(examples(dense))
        for (stays, old), part in zip(before, (gan.generator, gan.discriminator), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(old, part.get_weights(), strict=True)) == stays


@pytest.mark.parametrize("steps", [(1, 0), (0, 1)])
def test_one_part_may_be_trained_alone(steps: tuple[int, int]) -> None:
    gan = dense(steps=steps)
    before = [part.get_weights() for part in (gan.discriminator, gan.generator)]
    report = gan.fit(examples(dense), verbose=0).history
    for old, part, count in zip(before, (gan.discriminator, gan.generator), steps, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(old, part.get_weights(), strict=True)) == (count == 0)
    assert (report["d_loss"][0] == 0, report["g_loss"][0] == 0) == (steps[0] == 0, steps[1] == 0)


def test_where_the_discriminator_is_sure_only_the_non_saturating_loss_has_a_gradient() -> None:
    logit = tf.Variable(np.log(0.01 / 0.99))  # D = 0.01
    slopes = {}
    for name in ("saturating", "non-saturating"):
        with tf.GradientTape() as tape:
            loss = OBJECTIVES[name][1](logit)
        slopes[name] = float(tape.gradient(loss, logit))
    assert slopes == pytest.approx({"saturating": -0.01, "non-saturating": -0.99}, abs=1e-6)
    blind = ops.zeros(3)
    assert float(OBJECTIVES["saturating"][0](blind, blind)) == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 3)])
def test_penalties_of_a_linear_discriminator_are_exact(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    real, fake = (ops.convert_to_tensor(rng.normal(size=(5, *shape)), "float32") for _ in range(2))
    w = rng.normal(size=shape).astype("float32")
    w *= 3 / np.sqrt((w**2).sum())
    seed = keras.random.SeedGenerator(0)

    def critic(x: object) -> object:
        return ops.sum(x * w, axis=list(range(1, len(shape) + 1)), keepdims=True)

    np.testing.assert_allclose(squared_slope(critic, real), [9] * 5, rtol=1e-5)
    assert float(R1(0.5)(critic, real, fake, seed)) == pytest.approx(0.5 / 2 * 9, rel=1e-5)
    assert float(GradientPenalty(10)(critic, real, fake, seed)) == pytest.approx(10 * (3 - 1) ** 2, rel=1e-4)


def test_the_penalty_has_a_gradient_where_the_slope_is_zero() -> None:
    w = tf.Variable(np.zeros((3, 1), "float32"))
    with tf.GradientTape() as tape:
        value = GradientPenalty(1)(lambda x: x @ w, ops.ones((4, 3)), ops.zeros((4, 3)), keras.random.SeedGenerator(0))
    assert float(value) == pytest.approx(1, abs=1e-4)
    assert np.isfinite(tape.gradient(value, w)).all()


def test_choice_is_one_symbol_a_group_and_has_the_gradient_of_the_softmax() -> None:
    logits = tf.Variable(np.array([[0.1, 0.9, -0.3, 2.0, 1.0]], "float32"))
    direction = np.array([1.0, 2.0, 3.0, 4.0, 5.0], "float32")
    made, slopes = {}, {}
    for how in ("argmax", "soft"):
        with tf.GradientTape() as tape:
            made[how] = Choice((3, 2), how, temperature=2.0)(logits)
            value = ops.sum(made[how] * direction)
        slopes[how] = tape.gradient(value, logits)
    assert made["argmax"].numpy().tolist() == [[0, 1, 0, 1, 0]]
    parts = [np.exp(part / 2) / np.exp(part / 2).sum() for part in np.split(logits.numpy()[0], [3])]
    np.testing.assert_allclose(made["soft"][0], np.concatenate(parts), rtol=1e-5)
    np.testing.assert_allclose(slopes["argmax"], slopes["soft"], rtol=1e-5)


def test_gumbel_samples_from_the_softmax() -> None:
    p = np.array([0.6, 0.3, 0.1])
    made = Choice((3,), "gumbel", seed=1)(np.tile(np.log(p), (20000, 1)).astype("float32")).numpy()
    assert set(np.unique(made.round(6))) == {0, 1}
    np.testing.assert_allclose(made.mean(0), p, atol=0.012)


def test_a_small_distribution_is_learnt() -> None:
    z, x = keras.Input((4,)), keras.Input((3,))
    keras.utils.set_random_seed(0)
    generator = keras.Model(z, Choice((3,), "gumbel")(layers.Dense(3)(layers.Dense(16, "gelu")(z))))
    discriminator = keras.Model(x, layers.Dense(1)(layers.Dense(16, "gelu")(x)))
    gan = compiled(GAN(generator, discriminator, penalty=R1(0.3), average=0.995), 0.003)
    p = np.array([0.6, 0.3, 0.1])
    real = np.eye(3, dtype="float32")[np.random.default_rng(0).choice(3, 64 * 1000, p=p)]
    gan.fit(real, batch_size=64, epochs=1, verbose=0)
    np.testing.assert_allclose(np.asarray(gan.sample(4000, 0)).mean(0), p, atol=0.06)


def test_sampling_is_the_same_for_a_seed_and_leaves_training_as_it_was() -> None:
    gan = dense(average=0.5)
    states = [np.asarray(state) for state in gan.variables]
    one, other, third = gan.sample(9, seed=1), gan.sample(9, seed=1), gan.sample(9, seed=2)
    assert np.array_equal(one, other) and not np.array_equal(one, third)
    assert all(np.array_equal(a, b) for a, b in zip(states, gan.variables, strict=True))


def test_one_example_alone_is_what_it_is_in_a_batch() -> None:
    gan = conditioned()
    real, given = examples(conditioned)
    gan.fit([real, given], epochs=3, verbose=0)  # so that batch normalisation has something to normalise
    z = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    together = np.asarray(gan.generate(z, [given[:8]]))
    alone = [np.asarray(gan.generate(z[i : i + 1], [given[i : i + 1]]))[0] for i in range(8)]
    assert np.array_equal(together, alone)
    assert np.array_equal(together, gan.predict([z, given[:8]], verbose=0))


def test_the_average_is_short_at_first_and_keeps_its_share_later() -> None:
    gan = dense(average=0.5)
    first = gan.averaged.get_weights()
    gan.train_step(examples(dense))
    keep = 2 / 11  # after one update, (1 + 1) / (10 + 1) < 0.5
    for old, average, weight in zip(first, gan.averaged.get_weights(), gan.generator.get_weights(), strict=True):
        np.testing.assert_allclose(average, keep * old + (1 - keep) * weight, atol=1e-6)
    gan.g_optimizer.iterations.assign(1000)
    first = gan.averaged.get_weights()
    gan.update_average()
    for old, average, weight in zip(first, gan.averaged.get_weights(), gan.generator.get_weights(), strict=True):
        np.testing.assert_allclose(average, 0.5 * old + 0.5 * weight, atol=1e-6)
    assert dense().averaged is not dense().generator
    plain = dense()
    assert plain.averaged is plain.generator
    assert {id(w) for w in gan.averaged.weights}.isdisjoint(id(w) for w in gan.trainable_weights)


def test_feature_distance_is_that_of_the_means() -> None:
    x = keras.Input((2,), name="x")
    discriminator = keras.Model(x, layers.Dense(1)(layers.Dense(2, use_bias=False, name="hidden")(x)))
    discriminator.get_layer("hidden").set_weights([2 * np.eye(2)])
    z = keras.Input((1,))
    gan = GAN(keras.Model(z, layers.Dense(2)(z)), discriminator, features={"hidden": 0.5, "x": 3.0})
    real, fake = np.array([[1.0, 0], [3, 0]], "float32"), np.array([[0.0, 1], [0, 3]], "float32")
    # means (2, 0) and (0, 2): ‖·‖² = 8 of x, 32 of its double
    assert float(gan.feature_distance(real, fake, [])) == pytest.approx(0.5 * 32 + 3 * 8)


@KINDS
def test_serialised_and_read_back_it_gives_the_same(kind: object) -> None:
    gan = kind(objective="hinge", penalty=R1(0.2), steps=(2, 1), average=0.9, seed=4)
    data = examples(kind)
    gan.averaged.set_weights([w + 1 for w in gan.averaged.get_weights()])  # as training does, but at once
    text = json.dumps(keras.saving.serialize_keras_object(gan))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    again.set_weights(gan.get_weights())
    assert np.array_equal(gan.sample(5, 1, [c[:5] for c in data[1:]]), again.sample(5, 1, [c[:5] for c in data[1:]]))
    for name in ("objective", "steps", "average", "features", "seed"):
        assert getattr(again, name) == getattr(gan, name)
    assert type(again.penalty) is R1 and again.penalty.weight == 0.2
    assert again.g_optimizer.get_config() == gan.g_optimizer.get_config()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match='objective is "best"; choose one of saturating'):
        dense(objective="best")
    with pytest.raises(ValueError, match="Begin each with keras.Input"):
        GAN(keras.Sequential([layers.Dense(3)]), keras.Sequential([layers.Dense(1)]))
    with pytest.raises(ValueError, match="No such layer: depth"):
        dense(features={"depth": 1.0})
    with pytest.raises(ValueError, match="needs features="):
        dense(objective="feature matching")
    with pytest.raises(ValueError, match='"argmax", "gumbel" or "soft"'):
        Choice((2,), "max")
