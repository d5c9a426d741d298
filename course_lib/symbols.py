"""Numbers that mean the same in every sequence of symbols, in music and in networks alike."""

from __future__ import annotations

PAD, START, END = 0, 1, 2
"""PAD fills a batch behind its shorter sequences, START begins and END ends a sequence; all others are free."""
