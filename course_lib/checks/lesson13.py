"""Checks of lesson 13, C-RBM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from course_lib.checks.feedback import Feedback, tried, unsolved

STEPS, UNITS, FEATURES, WIDTH = 128, 100, 50, 9


def check_1(counted: object) -> Feedback:
    """Parameters of a C-RBM, and hidden units for a sequence."""
    if unsolved(counted):
        return Feedback(
            False, "Replace ... by two numbers. Which weights does a feature have, and how often is it there?"
        )
    if not isinstance(counted, Sequence) or isinstance(counted, str) or len(counted) != 2:
        return Feedback(False, f"You answered {counted!r}; expected two whole numbers: (parameters, hidden units).")
    parameters, hidden = counted
    right = WIDTH * UNITS * FEATURES + UNITS + FEATURES
    if (parameters, hidden) == (right, STEPS * FEATURES):
        return Feedback(
            True, f"{right:,} parameters, for 64 steps as for {STEPS}; but each feature is there at each step."
        )
    if parameters == WIDTH * UNITS * FEATURES:
        hint = "These are the weights. Each unit and each feature has a bias besides."
    elif parameters == UNITS * FEATURES + UNITS + FEATURES:
        hint = f"A feature has weights for each of the {WIDTH} steps that it sees."
    elif parameters != right:
        hint = "Count W, then b, then c. The number of time steps is not in it: all places share their weights."
    elif hidden == FEATURES:
        hint = "At each time step every feature is on or off anew."
    else:
        hint = f"Each of the {FEATURES} features is there once a time step; beyond the ends there are zeros."
    return Feedback(False, f"You answered ({parameters}, {hidden}). {hint}")


def check_2(similarity: Callable) -> Feedback:
    """Self-similarity of a piano roll."""
    rng = np.random.default_rng(0)
    for steps, window in ((12, 4), (20, 2), (11, 3)):
        roll = (rng.random((steps, 10)) < 0.3).astype(float)
        roll[:window, 0] = 1
        roll[window : 2 * window] = 0  # a silent part
        parts = steps // window
        rows = roll[: parts * window].reshape(parts, -1)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        right = (rows / np.maximum(length, 1e-9)) @ (rows / np.maximum(length, 1e-9)).T
        got, problem = tried(similarity, roll.copy(), window)
        if problem:
            return Feedback(False, f"For {steps} steps in parts of {window}: {problem}")
        if unsolved(got):
            return Feedback(False, "Your function returns ... : return a matrix, one row and one column for each part.")
        got = np.asarray(got, float)
        if got.shape != (parts, parts):
            return Feedback(
                False,
                f"For {steps} steps in parts of {window} it returns shape {got.shape}; expected ({parts}, {parts}). "
                "What is left over is not used.",
            )
        if np.isnan(got).any():
            return Feedback(False, "A silent part has length 0, and 0 / 0 is no number. Divide by at least 1e-9.")
        if np.allclose(got, rows @ rows.T):
            return Feedback(False, "These are products of parts. Divide each part by its length first: S_ii is 1.")
        mean = roll[: parts * window].reshape(parts, window, -1).sum(1)
        mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
        if np.allclose(got, mean @ mean.T):
            return Feedback(False, "You add the steps of a part up. Two parts are alike when they are so step by step.")
        if not np.allclose(got, right, atol=1e-6):
            return Feedback(
                False, f"Parts 0 and 2: it returns {got[0, -1]:.3f}, expected {right[0, -1]:.3f} (the last of row 0)."
            )
    return Feedback(True, "Three rolls, a silent part in each: all right.")


def check_3(alike: Callable) -> Feedback:
    """Correlation of two self-similarity matrices, without the diagonal."""
    rng = np.random.default_rng(1)
    found, expected = [], []
    for _ in range(20):
        a, b = (_matrix(rng, 8) for _ in range(2))
        pairs = np.tril_indices(8, -1)
        got, problem = tried(alike, a.copy(), b.copy())
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : return one number.")
        if np.ndim(got) != 0:
            return Feedback(False, f"It returns shape {np.shape(got)}; expected one number.")
        found.append(float(got))
        expected.append(np.corrcoef(a[pairs], b[pairs])[0, 1])
    if np.allclose(found, expected, atol=1e-6):
        return Feedback(True, f"Unrelated matrices now correlate by {np.mean(found):+.2f} on average, as they should.")
    if np.mean(found) > np.mean(expected) + 0.2:
        return Feedback(
            False,
            f"20 pairs of unrelated matrices correlate by {np.mean(found):.2f} on average. Which entries are 1 in "
            "every matrix, whatever the music? Leave them out.",
        )
    return Feedback(False, f"For the first pair it returns {found[0]:.3f}, expected {expected[0]:.3f}.")


def _matrix(rng: np.random.Generator, parts: int) -> np.ndarray:
    """The self-similarity of random parts."""
    rows = rng.random((parts, 30)) < 0.3
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows @ rows.T


def check_4(push: Callable) -> Feedback:
    """The gradient of a correlation."""
    rng = np.random.default_rng(2)
    r = lambda a, t: np.corrcoef(a, t)[0, 1]  # noqa: E731
    for n, scale in ((5, 1.0), (12, 1.0), (12, 100.0)):
        a, target = scale * rng.normal(size=n) + 3, rng.normal(size=n) + 1
        got, problem = tried(push, a.copy(), target.copy())
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : return one number for each entry of a.")
        got = np.asarray(got, float)
        if got.shape != (n,):
            return Feedback(False, f"For a ({n},) it returns shape {got.shape}; expected ({n},).")
        tiny = 1e-5 * scale
        right = np.array([(r(a + tiny * e, target) - r(a - tiny * e, target)) / (2 * tiny) for e in np.eye(n)])
        if np.allclose(got, right, rtol=1e-3, atol=1e-6 / scale):
            continue
        if np.allclose(got, -right, rtol=1e-3, atol=1e-6 / scale):
            return Feedback(False, "The sign: the correlation must *rise* along it.")
        ratio = (got @ right) / (right @ right)
        if np.allclose(got, ratio * right, rtol=1e-3, atol=1e-6 / scale):
            return Feedback(
                False,
                f"The direction is right, but {ratio:.3g} times too long: divide by the centred a's length.",
            )
        return Feedback(
            False,
            f"It returns {np.round(got[:3], 4).tolist()} …, and small changes say {np.round(right[:3], 4).tolist()} …. "
            "Centre a and the target, make both of length 1, then take away from t̂ what lies along â.",
        )
    return Feedback(True, "Three cases agree with what small changes of a do.")


def check_5(structure: object, parts: int = 16) -> Feedback:
    """A self-similarity matrix of one's own: one that some music can have."""
    if unsolved(structure):
        return Feedback(False, f"Replace ... by a ({parts}, {parts}) matrix: how alike shall each two half notes be?")
    s, problem = tried(np.asarray, structure, float)
    if problem or s.shape != (parts, parts):
        return Feedback(
            False, f"It is no ({parts}, {parts}) matrix of numbers. {problem or f'Its shape is {s.shape}.'}"
        )
    if not np.isfinite(s).all() or s.min() < -1e-9 or s.max() > 1 + 1e-9:
        return Feedback(False, f"Its entries go from {np.nanmin(s):.2f} to {np.nanmax(s):.2f}; they must lie in 0..1.")
    if not np.allclose(s, s.T):
        return Feedback(False, "If part i is like part j, then j is like i: it must be symmetric.")
    if not np.allclose(np.diag(s), 1):
        return Feedback(False, "Every part is like itself: the diagonal must be 1.")
    least = float(np.linalg.eigvalsh(s).min())
    if least < -1e-6:
        return Feedback(
            False,
            f"No music has this matrix: its smallest eigenvalue is {least:.2f}. If i is just like j, and j like k, "
            "then i is just like k. Build it from rows: a row of numbers for each part, S = rows @ rows.T.",
        )
    pairs = s[np.tril_indices(parts, -1)]
    if pairs.std() < 0.05:
        return Feedback(False, "All parts are equally alike: there is no form in that. Let some of them come back.")
    return Feedback(
        True, f"Possible, and with form: {(pairs > 0.9).mean():.0%} of the pairs are nearly one. Impose it."
    )
