"""Every class that is registered survives serialise → JSON → deserialise → same output."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

import course_lib.training  # noqa: F401 (it knows all architectures)
from tests.architectures.instances import INSTANCES


def test_there_is_an_instance_of_every_registered_class() -> None:
    registered = {name for name in keras.saving.get_custom_objects() if name.startswith("course>")}
    assert {f"course>{name}" for name in INSTANCES} == registered


@pytest.mark.parametrize("name", INSTANCES)
def test_what_is_registered_comes_back_the_same(name: str) -> None:
    make, inputs = INSTANCES[name]
    one = make()
    one(*inputs)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(one))))
    again(*inputs)
    assert type(again) is type(one)
    if hasattr(one, "weights"):
        again.set_weights(one.get_weights())
    for before, after in zip(*(keras.tree.flatten(part(*inputs)) for part in (one, again)), strict=True):
        np.testing.assert_allclose(np.asarray(before), np.asarray(after), rtol=1e-5, atol=1e-6)
