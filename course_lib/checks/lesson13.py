"""Checks of lesson 13, C-RBM."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, integers

STEPS, UNITS, FEATURES, WIDTH = 128, 100, 50, 9


@check
def check_1(counted: object) -> str:
    """Parameters of a C-RBM, and hidden units for a sequence."""
    begun(counted, "Replace ... by two numbers. Which weights does a feature have, and how often is it there?")
    parameters, hidden = integers(counted, 2, "two whole numbers: (parameters, hidden units)")
    right = WIDTH * UNITS * FEATURES + UNITS + FEATURES
    if (parameters, hidden) == (right, STEPS * FEATURES):
        return f"{right:,} parameters, for 64 steps as for {STEPS}; but each feature is there at each step."
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
    raise NotYet(f"You answered ({parameters}, {hidden}). {hint}")


@check
def check_2(similarity: Callable) -> str:
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
        where = f"For {steps} steps in parts of {window}: "
        form = "one row and one column for each part; what is left over is not used"
        got = call(similarity, roll.copy(), window, hint=form, shape=(parts, parts), each=form, where=where)
        if np.isnan(got).any():
            raise NotYet("A silent part has length 0, and 0 / 0 is no number. Divide by at least 1e-9.")
        if np.allclose(got, rows @ rows.T):
            raise NotYet("These are products of parts. Divide each part by its length first: S_ii is 1.")
        mean = roll[: parts * window].reshape(parts, window, -1).sum(1)
        mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
        if np.allclose(got, mean @ mean.T):
            raise NotYet("You add the steps of a part up. Two parts are alike when they are so step by step.")
        if not np.allclose(got, right, atol=1e-6):
            raise NotYet(
                f"Parts 0 and 2: it returns {got[0, -1]:.3f}, expected {right[0, -1]:.3f} (the last of row 0)."
            )
    return "Three rolls, a silent part in each: all right."


@check
def check_3(alike: Callable) -> str:
    """Correlation of two self-similarity matrices, without the diagonal."""
    rng = np.random.default_rng(1)
    found, expected = [], []
    for _ in range(20):
        a, b = (_matrix(rng, 8) for _ in range(2))
        pairs = np.tril_indices(8, -1)
        found.append(call(alike, a.copy(), b.copy(), hint="return one number.", shape=()))
        expected.append(np.corrcoef(a[pairs], b[pairs])[0, 1])
    if np.allclose(found, expected, atol=1e-6):
        return f"Unrelated matrices now correlate by {np.mean(found):+.2f} on average, as they should."
    if np.mean(found) > np.mean(expected) + 0.2:
        raise NotYet(
            f"20 pairs of unrelated matrices correlate by {np.mean(found):.2f} on average. Which entries are 1 in "
            "every matrix, whatever the music? Leave them out."
        )
    raise NotYet(f"For the first pair it returns {found[0]:.3f}, expected {expected[0]:.3f}.")


def _matrix(rng: np.random.Generator, parts: int) -> np.ndarray:
    """The self-similarity of random parts."""
    rows = rng.random((parts, 30)) < 0.3
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows @ rows.T


@check
def check_4(push: Callable) -> str:
    """The gradient of a correlation."""
    rng = np.random.default_rng(2)
    r = lambda a, t: np.corrcoef(a, t)[0, 1]  # noqa: E731
    for n, scale in ((5, 1.0), (12, 1.0), (12, 100.0)):
        a, target = scale * rng.normal(size=n) + 3, rng.normal(size=n) + 1
        got = call(push, a.copy(), target.copy(), hint="return one number for each entry of a.", shape=(n,))
        tiny = 1e-5 * scale
        right = np.array([(r(a + tiny * e, target) - r(a - tiny * e, target)) / (2 * tiny) for e in np.eye(n)])
        if np.allclose(got, right, rtol=1e-3, atol=1e-6 / scale):
            continue
        if np.allclose(got, -right, rtol=1e-3, atol=1e-6 / scale):
            raise NotYet("The sign: the correlation must *rise* along it.")
        ratio = (got @ right) / (right @ right)
        if np.allclose(got, ratio * right, rtol=1e-3, atol=1e-6 / scale):
            raise NotYet(f"The direction is right, but {ratio:.3g} times too long: divide by the centred a's length.")
        raise NotYet(
            f"It returns {np.round(got[:3], 4).tolist()} …, small changes give {np.round(right[:3], 4).tolist()} …. "
            "Centre a and the target, make both of length 1, then take away from t̂ what lies along â."
        )
    return "Three cases agree with what small changes of a do."


@check
def check_5(structure: object, parts: int = 16) -> str:
    """A self-similarity matrix of one's own: one that some music can have."""
    begun(structure, f"Replace ... by a ({parts}, {parts}) matrix: how alike shall each two half notes be?")
    s = call(lambda: structure, shape=(parts, parts), where="It is no matrix of numbers yet. ")
    if not np.isfinite(s).all() or s.min() < -1e-9 or s.max() > 1 + 1e-9:
        raise NotYet(f"Its entries go from {np.nanmin(s):.2f} to {np.nanmax(s):.2f}; they must lie in 0..1.")
    if not np.allclose(s, s.T):
        raise NotYet("If part i is like part j, then j is like i: it must be symmetric.")
    if not np.allclose(np.diag(s), 1):
        raise NotYet("Every part is like itself: the diagonal must be 1.")
    least = float(np.linalg.eigvalsh(s).min())
    if least < -1e-6:
        raise NotYet(
            f"No music has this matrix: its smallest eigenvalue is {least:.2f}. If i is just like j, and j like k, "
            "then i is just like k. Build it from rows: a row of numbers for each part, S = rows @ rows.T."
        )
    pairs = s[np.tril_indices(parts, -1)]
    if pairs.std() < 0.05:
        raise NotYet("All parts are equally alike: there is no form in that. Let some of them come back.")
    return f"Possible, and with form: {(pairs > 0.9).mean():.0%} of the pairs are nearly one. Impose it."
