"""Each check passes its solution and unusual right answers, refuses the stub, and gives wrong answers a reason."""

from __future__ import annotations

import re
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from course_lib.architectures.adversarial import GAN, R1, Choice
from course_lib.architectures.tensors import Tensor
from course_lib.checks import lesson07
from tests.checks.solved import solutions_of

CHECKS = [getattr(lesson07, f"check_{number}") for number in range(1, 6)]


def plane_gan(how: str = "gumbel", rate: float = 1e-3, units: int = 128, **recipe: object) -> GAN:
    """Like the lesson's."""
    generator = [keras.Input((16,)), layers.Dense(units, "gelu"), layers.Dense(units, "gelu"), layers.Dense(47)]
    discriminator = [keras.Input((47,)), *(layers.Dense(units, "leaky_relu") for _ in range(2)), layers.Dense(1)]
    gan = GAN(keras.Sequential([*generator, Choice((20, 27), how)]), keras.Sequential(discriminator), **recipe)
    gan.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for _ in "DG"), jit_compile=False, steps_per_execution=10)
    return gan


@pytest.fixture(scope="module")
def cells() -> dict[str, dict]:
    """What the exercise cells and the solution cells of the notebook define."""
    scope = {
        **{"np": np, "tf": tf, "keras": keras, "ops": ops, "Tensor": Tensor, "GAN": GAN, "R1": R1},
        **{"lesson07": lesson07, "plane_gan": plane_gan},
    }
    quiet = {**scope, "lesson07": type("", (), {f"check_{n}": staticmethod(lambda answer: None) for n in range(1, 6)})}
    return {tag: solutions_of("07", dict(quiet), tag) for tag in ("exercise", "solution")}


@pytest.mark.parametrize("number", range(1, 6))
def test_the_solution_passes(number: int, cells: dict) -> None:
    feedback = CHECKS[number - 1](cells["solution"][f"solution_{number}"])
    assert feedback.passed, feedback.message


def test_the_stubs_are_not_yet_solved(cells: dict) -> None:
    for number, (name, reason) in enumerate(
        {"answer_1": "...", "generator_loss": "saturating", "g_step": "D's weights", "penalty": "axes"}.items(), 1
    ):
        feedback = CHECKS[number - 1](cells["exercise"][name])
        assert not feedback.passed and reason in feedback.message, feedback.message


@pytest.mark.parametrize("check", CHECKS[1:])
def test_three_dots_are_no_answer(check: Callable) -> None:
    feedback = check(lambda *arguments: ...)
    assert not feedback.passed and "..." in feedback.message


def step(loss: Callable, whose: str = "generator", rate: float = 0.05) -> Callable:
    def g_step(parts: object, optimizer: keras.Optimizer, z: Tensor) -> None:
        weights = getattr(parts, whose).trainable_variables
        with tf.GradientTape() as tape:
            value = loss(parts.discriminator(parts.generator(z)))
        for weight, gradient in zip(weights, tape.gradient(value, weights), strict=True):
            weight.assign_sub(rate * gradient)

    return g_step


def with_the_optimizer(parts: object, optimizer: keras.Optimizer, z: Tensor) -> None:
    weights = parts.generator.trainable_variables
    with tf.GradientTape() as tape:
        loss = -ops.mean(ops.log(ops.sigmoid(parts.discriminator(parts.generator(z)))))
    fixed = [ops.zeros_like(weight) for weight in parts.discriminator.trainable_variables]
    optimizer.apply([*tape.gradient(loss, weights), *fixed])


def flattened(slopes: np.ndarray) -> float:
    return float(np.mean([(np.linalg.norm(slope) - 1) ** 2 for slope in slopes]))


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (1, [0.75, np.log(4), np.log(2)]),
        (1, np.array([0.75, 1.386, 0.693])),
        (2, lambda logits: np.log1p(np.exp(-np.abs(logits))).mean() + np.maximum(-logits, 0).mean()),
        (2, lambda logits: float(ops.mean(ops.softplus(-ops.convert_to_tensor(logits, "float64"))))),
        (3, step(lambda logits: -ops.mean(logits))),
        (3, with_the_optimizer),
        (4, flattened),
        (4, lambda slopes: np.mean((np.linalg.norm(slopes.reshape(len(slopes), -1), axis=1) - 1) ** 2)),
    ],
)
def test_unusual_right_answers_pass(check: int, answer: object) -> None:
    feedback = CHECKS[check - 1](answer)
    assert feedback.passed, feedback.message


@pytest.mark.parametrize(
    ("check", "answer", "reason"),
    [
        (1, (0.25, 1.386, 0.693), "how probably the pair is *real*"),
        (1, (3.0, 1.386, 0.693), "p / (p + q)"),
        (1, (0.75, 0.693, 0.693), "two terms"),
        (1, (0.75, 2.0, 0.693), "With D = 1/2"),
        (1, (0.75, 1.386, -0.693), "non-saturating loss"),
        (1, 0.75, "three numbers"),
        (2, lambda logits: -np.mean(np.logaddexp(0, -logits)), "Mind the sign"),
        (2, lambda logits: np.sum(np.logaddexp(0, -logits)), "take the mean"),
        (2, lambda logits: np.mean(np.log(1 + np.exp(-logits))), "not finite"),
        (2, lambda logits: -np.mean(logits), "expected −0.99"),
        (2, lambda logits: np.logaddexp(0, -logits), "one number"),
        (3, step(lambda logits: ops.mean(ops.softplus(-logits)), "discriminator"), "G's weights are what they were"),
        (3, step(lambda logits: ops.mean(ops.softplus(logits))), "Mind the sign"),
        (3, lambda parts, optimizer, z: None, "G's weights are what they were"),
        (3, lambda parts, optimizer, z: parts.nothing, "AttributeError"),
        (4, lambda slopes: (np.sqrt((slopes**2).sum()) - 1) ** 2, "one norm for each example"),
        (4, lambda slopes: np.mean(((slopes**2).sum(axis=tuple(range(1, slopes.ndim))) - 1) ** 2), "expected"),
        (4, lambda slopes: np.abs(slopes).sum(axis=-1), "one number"),
        (5, lambda: keras.Sequential([keras.Input((47,)), layers.Dense(47)]), "expected a GAN"),
        (5, lambda: plane_gan("soft"), "not 0 or 1"),
        (5, lambda: plane_gan(rate=0.0), "noise covers everything"),
        (5, lambda: plane_gan(steps=(1, 10)), "it has collapsed"),
    ],
)
def test_a_wrong_answer_gets_its_reason(check: int, answer: object, reason: str) -> None:
    feedback = CHECKS[check - 1](answer)
    assert not feedback.passed and re.search(re.escape(reason), feedback.message), feedback.message


def test_an_unusual_gan_passes_too() -> None:
    feedback = lesson07.check_5(lambda: plane_gan(rate=2e-3, objective="hinge", penalty=R1(0.2), average=0.95))
    assert feedback.passed, feedback.message
