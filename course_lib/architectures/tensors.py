"""The one type of all that flows through a network."""

from typing import Any

Tensor = Any
"""A backend tensor, symbolic or not, or a NumPy array; its shape stands in the docstring."""
