"""The best linear code."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.baselines.harmony import PrincipalComponents


def test_principal_components_are_those_of_the_singular_value_decomposition() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(90, 5)) * [9, 5, 3, 2, 1] @ rng.normal(size=(5, 40)) + rng.normal(size=40)).astype(np.float32)
    x += rng.normal(size=x.shape).astype(np.float32) / 20
    pca = PrincipalComponents(x, 3)
    u, s, v = np.linalg.svd(x - x.mean(0), full_matrices=False)
    best = x.mean(0) + (u[:, :3] * s[:3]) @ v[:3]
    assert np.abs(pca.decode(pca.encode(x)) - best).max() < 1e-2
    assert pca.encode(x).shape == (90, 3)
    assert np.allclose(pca.components @ pca.components.T, np.eye(3), atol=1e-4)
    assert np.all(np.diff(pca.encode(x).var(0)) < 0)


def test_all_components_lose_nothing_and_more_are_refused() -> None:
    x = np.random.default_rng(1).normal(size=(6, 9)).astype(np.float32)
    whole = PrincipalComponents(x, 6)
    assert np.abs(whole.decode(whole.encode(x)) - x).max() < 1e-3
    for size in (0, 7):
        with pytest.raises(ValueError, match="allow 1..6"):
            PrincipalComponents(x, size)
