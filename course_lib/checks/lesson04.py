"""Checks of lesson 04, variational autoencoder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, wrong


@check
def check_1(nats: object) -> str:
    """KL(N(1, 1) ‖ N(0, 1))."""
    begun(nats, "Replace ... by a number. Put μ = 1 and σ² = 1 into the formula for the KL.")
    if not np.isscalar(nats):
        raise NotYet(f"You answered {nats!r}; one number was asked for.")
    if np.isclose(float(nats), 0.5):
        return "Half a nat: the width is that of the prior and costs nothing, the shift costs μ²/2."
    hints = {
        0.0: "Zero is the KL of q = N(0, 1), the prior itself. Here the mean is 1.",
        1.0: "Did you forget the factor ½?",
        -0.5: "A KL is never negative. Look at the sign.",
        0.72: "That is in bits. In nats there is no division by log 2.",
    }
    raise wrong(nats, hints, "Take the formula term by term; log 1 = 0.")


@check
def check_2(kl: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> str:
    """KL of diagonal Gaussians."""
    zero, shifted, widened = np.zeros((3, 5)), np.zeros((3, 5)), np.zeros((3, 5))
    shifted[0, 1], widened[0, 0] = 2, np.log(4)
    for mean, log_var, right, case, note in (
        (zero, zero, 0, "For q equal to the prior (means 0, log variances 0)", ""),
        (shifted, zero, 2, "One mean is 2, all else as in the prior:", " = μ²/2"),
        (zero, widened, 0.5 * (4 - 1 - np.log(4)), "One variance is 4:", ". log_var is log σ²: take its exp"),
    ):
        hint = "write the sum over d in the formula with NumPy."
        got = call(kl, mean, log_var, hint=hint, shape=(3,), each="one for each example")
        if not np.isclose(got[0], right):
            raise NotYet(f"{case} it returns {got[0]:.3f}; expected {right:.3f}{note}.")
    return "Zero for the prior itself, and right for a shifted and for a widened Gaussian."


@check
def check_3(sampled: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> str:
    """The reparametrisation with the right standard deviation."""
    noise = np.random.default_rng(0).normal(size=(20_000, 2))
    mean, log_var = np.full((20_000, 2), 3.0), np.full((20_000, 2), np.log(4.0))
    got = call(sampled, mean, log_var, noise, hint="return z = μ + σ ε.", shape=noise.shape, each="a z for each ε")
    if not np.allclose(sampled(mean, log_var, 0 * noise), mean):
        raise NotYet("Without noise z has to be the mean itself.")
    spread = float(np.std(got))
    if not np.isclose(spread, 2, atol=0.05):
        raise NotYet(
            f"With a variance of 4 the points have a standard deviation of {spread:.2f}; expected 2. "
            "Which number does the encoder give: log σ or log σ²?"
        )
    if not np.allclose(got, mean + 2 * noise):
        raise NotYet("The spread is right, but z is not μ + σ ε: the noise that is given must be used as it is.")
    return "Variance 4 gives a standard deviation of 2. In training and in use it must be the same."


@check
def check_4(active: Callable[[np.ndarray, np.ndarray], int]) -> str:
    """Number of dimensions that are used."""
    rng = np.random.default_rng(0)
    for used, d, wide in ((0, 8, 1.0), (1, 32, 8.0), (5, 32, 2.0), (4, 4, 2.0)):
        mean, log_var = 0.01 * rng.normal(size=(500, d)), np.zeros((500, d))
        mean[:, :used] = wide * rng.normal(size=(500, used))
        log_var[:, :used] = -2
        order = rng.permutation(d)
        got = call(active, mean[:, order], log_var[:, order], hint="return how many dimensions are used.", shape=())
        if got != used:
            raise NotYet(
                f"Of {d} dimensions {used} carry news (means that spread by {wide:g}), the others repeat the prior: it "
                f"returns {got:g}, expected {used}. Take the mean over the examples first, then count what is above "
                "0.1."
            )
    return "It finds one busy dimension among 31 dead ones, and no life where there is none."


@check
def check_5(path: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> str:
    """A path that keeps away from the centre."""
    rng = np.random.default_rng(0)
    for stops in (2, 9, 33):
        for _ in range(5):
            a, b = rng.normal(size=(2, 32)) * rng.uniform(0.7, 1.3, size=(2, 1))
            got = call(
                path, a, b, stops, hint="return one code for each stop.", shape=(stops, 32), each="a code a stop"
            )
            if not (np.allclose(got[0], a) and np.allclose(got[-1], b)):
                raise NotYet("The path must begin at a and end at b.")
            share = np.linspace(0, 1, stops)
            wanted = 0.9 * ((1 - share) * np.linalg.norm(a) + share * np.linalg.norm(b))
            lengths = np.linalg.norm(got, axis=1)
            if (lengths < wanted - 1e-9).any():
                worst = int((lengths - wanted).argmin())
                raise NotYet(
                    f"Stop {worst} of {stops} lies {lengths[worst]:.2f} from the centre; at least {wanted[worst]:.2f} "
                    "was asked for. Turn the direction from a to b, and let the length change evenly."
                )
            steps = np.linalg.norm(np.diff(got, axis=0), axis=1)
            whole = np.pi * max(np.linalg.norm(a), np.linalg.norm(b))
            if stops > 2 and steps.max() > 2 * whole / (stops - 1):
                raise NotYet(f"One step is {steps.max():.2f} long, of {stops - 1}; move in steps of about one length.")
    return "From a to b at a typical distance. Does it sound livelier than the straight line?"
