"""Checks of lesson 04, variational autoencoder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.checks.feedback import Feedback, tried, unsolved


def check_1(nats: object) -> Feedback:
    """KL(N(1, 1) ‖ N(0, 1))."""
    if unsolved(nats):
        return Feedback(False, "Replace ... by a number. Put μ = 1 and σ² = 1 into the formula for the KL.")
    if not np.isscalar(nats):
        return Feedback(False, f"You answered {nats!r}; one number was asked for.")
    if np.isclose(float(nats), 0.5):
        return Feedback(True, "Half a nat: the width is that of the prior and costs nothing, the shift costs μ²/2.")
    hints = {
        0.0: "Zero is the price of q = N(0, 1), the prior itself. Here the mean is 1.",
        1.0: "Did you forget the factor ½?",
        -0.5: "A KL is never negative. Look at the sign.",
        0.72: "That is in bits. In nats there is no division by log 2.",
    }
    close = [text for value, text in hints.items() if abs(float(nats) - value) < 0.01]
    return Feedback(False, f"You answered {nats}. {close[0] if close else 'Take the formula term by term; log 1 = 0.'}")


def check_2(kl: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Feedback:
    """KL of diagonal Gaussians."""
    mean, log_var = np.zeros((3, 5)), np.zeros((3, 5))
    got, problem = tried(kl, mean, log_var)
    if problem:
        return Feedback(False, problem)
    if unsolved(got):
        return Feedback(False, "Your function returns ... : write the sum over d in the formula with NumPy.")
    if np.shape(got) != (3,):
        return Feedback(
            False, f"For shapes (3, 5) it returns the shape {np.shape(got)}; expected (3,), one for each example."
        )
    if not np.allclose(got, 0):
        return Feedback(
            False, f"For q equal to the prior (means 0, log variances 0) it returns {got[0]:.3f}; expected 0."
        )
    mean[0, 1] = 2
    got = kl(mean, log_var)
    if not np.isclose(got[0], 2):
        return Feedback(False, f"One mean is 2, all else as in the prior: it returns {got[0]:.3f}, expected μ²/2 = 2.")
    mean[:], log_var[1, 0] = 0, np.log(4)
    got, right = kl(mean, log_var), 0.5 * (4 - 1 - np.log(4))
    if not np.isclose(got[1], right):
        return Feedback(
            False,
            f"One variance is 4: it returns {got[1]:.3f}, expected {right:.3f}. log_var is log σ²: take its exp.",
        )
    return Feedback(True, "Zero for the prior itself, and right for a shifted and for a widened cloud.")


def check_3(sampled: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Feedback:
    """The reparametrisation with the right standard deviation."""
    noise = np.random.default_rng(0).normal(size=(20_000, 2))
    mean, log_var = np.full((20_000, 2), 3.0), np.full((20_000, 2), np.log(4.0))
    got, problem = tried(sampled, mean, log_var, noise)
    if problem:
        return Feedback(False, problem)
    if unsolved(got) or np.shape(got) != noise.shape:
        return Feedback(
            False, f"It returns {'...' if unsolved(got) else np.shape(got)}; expected z of shape {noise.shape}."
        )
    if not np.allclose(sampled(mean, log_var, 0 * noise), mean):
        return Feedback(False, "Without noise z has to be the mean itself.")
    spread = float(np.std(got))
    if not np.isclose(spread, 2, atol=0.05):
        return Feedback(
            False,
            f"With a variance of 4 the points have a standard deviation of {spread:.2f}; expected 2. "
            "Which number does the encoder give: log σ or log σ²?",
        )
    if not np.allclose(got, mean + 2 * noise):
        return Feedback(
            False, "The spread is right, but z is not μ + σ ε: the noise that is given must be used as it is."
        )
    return Feedback(True, "Variance 4 gives a standard deviation of 2. In training and in use it must be the same.")


def check_4(active: Callable[[np.ndarray, np.ndarray], int]) -> Feedback:
    """Number of dimensions that are used."""
    rng = np.random.default_rng(0)
    for used, d, wide in ((0, 8, 1.0), (1, 32, 8.0), (5, 32, 2.0), (4, 4, 2.0)):
        mean, log_var = 0.01 * rng.normal(size=(500, d)), np.zeros((500, d))
        mean[:, :used] = wide * rng.normal(size=(500, used))
        log_var[:, :used] = -2
        order = rng.permutation(d)
        got, problem = tried(active, mean[:, order], log_var[:, order])
        if problem:
            return Feedback(False, problem)
        if unsolved(got) or not np.isscalar(got):
            return Feedback(False, f"It returns {got!r}; expected a whole number.")
        if got != used:
            return Feedback(
                False,
                f"Of {d} dimensions {used} carry news (means that spread by {wide:g}), the others repeat the prior: it "
                f"returns {got}, expected {used}. Take the mean over the examples first, then count what is above 0.1.",
            )
    return Feedback(True, "It finds one busy dimension among 31 dead ones, and no life where there is none.")


def check_5(path: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> Feedback:
    """A path that keeps away from the centre."""
    rng = np.random.default_rng(0)
    for stops in (2, 9, 33):
        for _ in range(5):
            a, b = rng.normal(size=(2, 32)) * rng.uniform(0.7, 1.3, size=(2, 1))
            got, problem = tried(path, a, b, stops)
            if problem:
                return Feedback(False, problem)
            if unsolved(got) or np.shape(got) != (stops, 32):
                return Feedback(False, f"For {stops} stops it returns {np.shape(got)}; expected ({stops}, 32).")
            if not (np.allclose(got[0], a) and np.allclose(got[-1], b)):
                return Feedback(False, "The path must begin at a and end at b.")
            share = np.linspace(0, 1, stops)
            wanted = 0.9 * ((1 - share) * np.linalg.norm(a) + share * np.linalg.norm(b))
            lengths = np.linalg.norm(got, axis=1)
            if (lengths < wanted - 1e-9).any():
                worst = int((lengths - wanted).argmin())
                return Feedback(
                    False,
                    f"Stop {worst} of {stops} lies {lengths[worst]:.2f} from the centre; at least {wanted[worst]:.2f} "
                    "was asked for. Turn the direction from a to b, and let the length change evenly.",
                )
            steps = np.linalg.norm(np.diff(got, axis=0), axis=1)
            whole = np.pi * max(np.linalg.norm(a), np.linalg.norm(b))
            if stops > 2 and steps.max() > 2 * whole / (stops - 1):
                return Feedback(
                    False, f"One step is {steps.max():.2f} long, of {stops - 1}; move in steps of about one length."
                )
    return Feedback(True, "From a to b at a typical distance. Does it sound livelier than the straight line?")
