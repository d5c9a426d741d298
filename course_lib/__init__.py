"""Helpers for the course Deep Learning for Music Generation, in notebooks.

Two wings that never import each other: ``music`` with ``show`` (data, encodings, pictures, sound)
and ``architectures`` with ``training`` (networks). They meet in the notebooks.
"""

__version__ = "0.1.0"
