"""Checks of lesson 07, GAN."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import keras
import numpy as np
from keras import layers, ops

from course_lib.checks.feedback import NotYet, begun, call, check
from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES, OneHot, transposed


@check
def check_1(answer: object) -> str:
    """D* at one pair, and both losses where nothing distinguishes them."""
    begun(answer, "Replace ... by three numbers: (D*, loss of D, loss of G).")
    try:
        best, d_loss, g_loss = map(float, answer)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise NotYet(f"You answered {answer!r}; expected three numbers: (D*, loss of D, loss of G).") from None
    if abs(best - 0.25) < 0.005:
        raise NotYet("D* = 0.25 would be the share of G's examples here. D answers how probably the pair is *real*.")
    if abs(best - 0.75) >= 0.005:
        raise NotYet(f"D* = {best:g} is not it: p / (p + q), with p = 0.3 and q = 0.1.")
    if abs(d_loss - math.log(2)) < 0.01:
        raise NotYet("D's loss has two terms, one over real and one over generated examples. You counted one.")
    if abs(d_loss - 2 * math.log(2)) >= 0.01:
        raise NotYet(f"D's loss is {d_loss:g}? With D = 1/2 everywhere: −log D for a real one, −log(1 − D) for a fake.")
    if abs(g_loss - math.log(2)) >= 0.01:
        raise NotYet(f"G's loss is {g_loss:g}? The non-saturating loss is −log D(G(z)), with D = 1/2.")
    return "p / (p + q) = 0.75; 2 log 2 = 1.386 and log 2 = 0.693. Both losses stand there, and say nothing of quality."


@check
def check_2(loss: Callable) -> str:
    """A loss of G whose gradient does not vanish where D is ahead."""
    hint = "return one number, the mean over the examples."

    def slope(logit: float) -> float:
        logits, h = np.array([logit, 0.5]), np.array([1e-4, 0.0])
        up, down = (call(loss, logits + side * h, hint=hint, shape=()) for side in (1, -1))
        return float((up - down) / 2e-4) * 2  # a mean over two examples

    behind, level = slope(math.log(0.01 / 0.99)), slope(0.0)
    if abs(behind + 0.01) < 1e-3:
        raise NotYet(f"Where D = 0.01 the slope is {behind:.3f}: that is still log(1 − D), the saturating loss.")
    if abs(behind - 0.99) < 0.01:
        raise NotYet("The slope is +0.99: G would go down where D is *less* deceived. Mind the sign.")
    if abs(behind + 0.495) < 0.01 or abs(behind + 1.98) < 0.01:
        raise NotYet(f"Where D = 0.01 the slope of an example is {behind:.3f}, expected −0.99: take the mean.")
    if abs(behind + 0.99) > 0.01 or abs(level + 0.5) > 0.01:
        raise NotYet(f"Slopes at D = 0.01 and 0.5: {behind:.3f} and {level:.3f}; expected −0.99 and −0.50: −log D.")
    if not np.isfinite(call(loss, np.array([-800.0, 800.0]), hint=hint, shape=())):
        raise NotYet("For logits of −800 it is not finite. −log sigmoid(x) = np.logaddexp(0, −x), without overflow.")
    return "At D = 0.01 the slope is −0.99, a hundred times that of the minimax game; and no logit is too large."


@check
def check_3(g_step: Callable) -> str:
    """A step of G moves G, and nothing else."""
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(8, activation="gelu"), layers.Dense(3)])
    discriminator = keras.Sequential([keras.Input((3,)), layers.Dense(8, activation="gelu"), layers.Dense(1)])
    parts = SimpleNamespace(generator=generator, discriminator=discriminator)
    z = keras.random.normal((64, 2), seed=1)

    def fooled() -> float:
        return float(ops.mean(discriminator(generator(z))))

    def moved(part: keras.Model, before: list[np.ndarray]) -> bool:
        return any(not np.array_equal(a, b) for a, b in zip(part.get_weights(), before, strict=True))

    first, g_before, d_before = fooled(), generator.get_weights(), discriminator.get_weights()
    optimizer = keras.optimizers.SGD(0.05)
    optimizer.build([*generator.trainable_variables, *discriminator.trainable_variables])
    for _ in range(5):
        (returned,) = call(lambda *given: (g_step(*given),), parts, optimizer, z)
        if returned is ...:
            raise NotYet("Your function returns ... : move the generator's weights, and return nothing.")
    if not moved(generator, g_before):
        raise NotYet("After five steps G's weights are what they were. Apply the gradient to the generator's weights.")
    if moved(discriminator, d_before):
        raise NotYet("D's weights have moved, too: towards being deceived. Who moves in a step of G? Only G.")
    if fooled() <= first:
        raise NotYet(
            f"D's logit for G's examples went from {first:.3f} to {fooled():.3f}; it has to rise. Mind the sign."
        )
    return f"Five steps: D stayed where it was, and its logit for G's examples rose from {first:.3f} to {fooled():.3f}."


@check
def check_4(penalty: Callable) -> str:
    """The gradient penalty, for inputs with any number of axes."""
    rng = np.random.default_rng(0)
    for shape in ((4, 2, 3, 5, 2), (6, 4), (1, 5), (6, 16, 91), (5, 2, 16, 3)):
        slopes = rng.normal(size=shape)
        slopes /= np.sqrt((slopes**2).sum(axis=tuple(range(1, len(shape))), keepdims=True))
        for norm in (3.0, 1.0, 0.0):
            got = call(penalty, norm * slopes, hint="return one number.", shape=(), where=f"Slopes {shape}: ")
            if not abs(got - (norm - 1) ** 2) < 1e-3:  # NaN, too
                each = "one norm for each example, over all axes but the first; then (norm − 1)², then the mean"
                raise NotYet(
                    f"Slopes {shape}, each example's norm {norm:g}: you return {got:.4g}, expected "
                    f"(‖·‖ − 1)² = {(norm - 1) ** 2:g}: {each}."
                )
    mixed = call(penalty, np.array([[3.0, 0.0], [0.0, 1.0]]), hint="return one number.", shape=())
    if abs(mixed - 2) > 1e-3:
        raise NotYet(f"Two examples with the norms 3 and 1: you return {mixed:.4g}, expected 2, the mean of 4 and 0.")
    return "Two to five axes, one example or many, and slopes of 0: right each time."


def plane_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Soprano and bass on each quarter note of the training bars in all keys: one-hot float32 (pairs, 47), and P."""
    encoding = OneHot()
    pitch = encoding.sounding(transposed(windows(chorales().train, bars=1), encoding, range(-6, 7))[1])[:, ::4]
    (low_s, high_s), (low_b, high_b) = MINIBACH_RANGES[0], MINIBACH_RANGES[3]
    soprano, bass = pitch[..., 0].ravel() - low_s, pitch[..., 3].ravel() - low_b
    sizes = high_s - low_s + 1, high_b - low_b + 1
    p = np.zeros(sizes)
    np.add.at(p, (soprano, bass), 1 / len(soprano))
    return np.concatenate(
        [np.eye(size, dtype=np.float32)[i] for size, i in zip(sizes, (soprano, bass), strict=True)], 1
    ), p


@check
def check_5(make_gan: Callable) -> str:
    """A GAN whose own recipe does not collapse on the plane."""
    keras.utils.set_random_seed(0)
    gan = call(make_gan, hint="return a compiled GAN.")
    if not all(hasattr(gan, name) for name in ("averaged", "d_optimizer", "g_optimizer")):  # a lesson defines GAN anew
        raise NotYet(f"It returns {type(gan).__name__}; expected a GAN, compiled with two optimizers.")
    if (gan.generator.output_shape[-1], gan.discriminator.input_shape[-1]) != (47, 47):
        raise NotYet("G has to give 47 numbers and D to take them: 20 pitches of the soprano, 27 of the bass.")
    x, p = plane_pairs()
    steps, batch = 1500, 128
    order = np.random.default_rng(0).integers(len(x), size=steps * batch)
    gan.fit(x[order], batch_size=batch, epochs=1, shuffle=False, verbose=0)
    made = np.asarray(gan.sample(20_000, seed=1))
    if not np.isin(made[:1000].round(4), (0, 1)).all():
        raise NotYet(f"G's numbers are not 0 or 1, but such as {made[0].max():.2f}: D needs only look at that.")
    q = np.zeros(p.shape)
    np.add.at(q, (made[:, :20].argmax(1), made[:, 20:].argmax(1)), 1 / len(made))
    coverage = float(p[q > p / 10].sum())
    middle = (p + q) / 2
    distance = sum(float((s[s > 0] * np.log(s[s > 0] / middle[s > 0])).sum()) / 2 for s in (p, q))
    found = f"After {steps} steps it covers {coverage:.2f} of Bach's pairs, at a distance (JS) of {distance:.3f}"
    if coverage < 0.9:
        raise NotYet(f"{found}; expected a coverage of 0.90: it has collapsed. Who runs ahead of whom?")
    if distance > 0.1:
        raise NotYet(f"{found}; expected 0.100 at most: noise covers everything. Does G learn, and fast enough?")
    return f"{found}."
