"""Every model that is shipped can be loaded by its name, without the lesson that trained it."""

from __future__ import annotations

import pytest

from course_lib.training import PRETRAINED, load, shipped_record

NAMES = sorted(path.stem for path in PRETRAINED.glob("*.npz"))


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_loaded(name: str) -> None:
    assert load(name).count_params() == shipped_record(name)["parameters"]
