"""What all architectures share: the type of a tensor, and a config that holds an architecture's parts."""

from __future__ import annotations

import inspect
from typing import Any

import keras

Tensor = Any
"""A tensor of Keras' backend, or a NumPy array where no gradient is needed. Shapes stand in the docstrings."""


def arguments(part: keras.layers.Layer) -> dict:
    """The config of a layer or model: the arguments of its constructor, kept as attributes of the same names.

    Layers and models among them are serialised too. Read it back with ``rebuilt``.
    Notebooks: 02, 03, 04, 05, 07, 09, 10, 11.
    """
    names = [n for n in inspect.signature(type(part).__init__).parameters if n not in ("self", "kwargs")]
    return {"name": part.name} | {n: keras.saving.serialize_keras_object(getattr(part, n)) for n in names}


def rebuilt(kind: type, config: dict) -> Any:  # noqa: ANN401 (an instance of kind)
    """A ``kind`` with this config of ``arguments``. Notebooks: 02, 03, 04, 05, 07, 09, 10, 11."""
    return kind(**keras.saving.deserialize_keras_object(config))
