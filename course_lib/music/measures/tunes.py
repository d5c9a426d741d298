"""Is it a tune? What a population of tunes in tokens has in common: metre, bars, form, ending, length, range.

Every function takes the tokens of one tune and raises NotATune for what is none. Notebook: 05.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction

import numpy as np

from course_lib.music.encodings.abc_tokens import is_note, metre_in, tokens_to_piece, tune_bars, tune_pitches
from course_lib.music.errors import MusicError, MusicWarning

SECTION_ENDS = ("||", "|]", ":|", "::")


def parses(tokens: Sequence[str]) -> bool:
    """Whether the tokens are a tune by their grammar, and the ABC that they make is read as music."""
    with warnings.catch_warnings(), suppress(MusicError):
        warnings.simplefilter("ignore", MusicWarning)
        tokens_to_piece(tokens)
        return True
    return False


def _ends_section(line: str) -> bool:
    return line in SECTION_ENDS or line[-1:].isdigit() or line == "|:"


def complete_bars(tokens: Sequence[str]) -> tuple[int, int]:
    """(complete, all) bars. A bar is complete when it is as long as the metre.

    At the edges of a section (a repeat, a double bar line, an ending, the tune's own edges) a shorter bar is complete
    too if the one on the other side of the line, or the other end of its section, makes it up: a pickup and what it
    is taken from.
    """
    found = tune_bars(tokens)
    full = Fraction(*metre_in(tokens))
    lengths = [bar.length for bar in found]
    edges = [-1, *(i for i, bar in enumerate(found) if _ends_section(bar.line))]
    made_up: set[int] = set()
    for before, last in zip(edges, edges[1:], strict=False):
        first, following = before + 1, last + 1
        if lengths[first] + lengths[last] == full:
            made_up |= {first, last}
        if following < len(found) and lengths[last] + lengths[following] == full:
            made_up |= {last, following}
        # The pickup of the whole tune is made up by the end of any section.
        if lengths[0] < full and lengths[0] + lengths[last] == full:
            made_up |= {0, last}
    return sum(length == full or i in made_up for i, length in enumerate(lengths)), len(found)


def sections(tokens: Sequence[str]) -> list[tuple[int, bool]]:
    """(full bars, repeated) of each section; an incomplete bar does not count, and endings belong to their section."""
    full = Fraction(*metre_in(tokens))
    result: list[tuple[int, bool]] = []
    count = 0
    for length, line, _ in tune_bars(tokens):
        count += length == full
        repeat = line.startswith(":")
        if repeat or line in ("||", "|]"):
            if count or not result:
                result.append((count, repeat))
            elif repeat:
                result[-1] = (result[-1][0], True)
            count = 0
    return [(n, again) for n, again in result if n]


def is_aabb(tokens: Sequence[str]) -> bool:
    """Whether the tune has two repeated sections of the same length, one full bar more or less: the commonest form."""
    found = sections(tokens)
    return len(found) == 2 and all(again for _, again in found) and abs(found[0][0] - found[1][0]) <= 1


def ends_on_tonic(tokens: Sequence[str]) -> bool:
    """Whether the last note is a C, the root of all tunes here."""
    notes = [token for token in tokens if is_note(token) and token != "z"]
    return notes[-1].strip("',") in ("C", "c")


def melody(tokens: Sequence[str]) -> np.ndarray:
    """int (notes − 1,): semitones from note to note, the same in any transposition and rhythm."""
    return np.diff(tune_pitches(tokens))


def longest_shared_runs(melodies: Sequence[np.ndarray], training: Sequence[np.ndarray]) -> list[int]:
    """For each melody the largest number of consecutive notes that it shares with a training melody, in any key.

    melodies, training: as ``melody`` gives them. What ``CopyDetector(pieces, rhythm=False)`` finds one by one and with
    its place, for hundreds of tunes in seconds. 1 where not even one interval is shared.
    """
    if not melodies:
        return []
    text, _ = _joined(training, 1_000)
    tested, owner = _joined(melodies, 1_000_000_000)
    best = [1] * len(melodies)
    there, here = np.zeros(len(text), np.uint64), np.zeros(len(tested), np.uint64)
    places = np.arange(len(tested))
    with np.errstate(over="ignore"):
        for length in range(1, len(tested) + 1):
            # The fingerprint of a run: its numbers as the digits of one number, modulo 2⁶⁴.
            there = there[: len(text) - length + 1] * _BASE + text[length - 1 :]
            places = places[places + length <= len(tested)]
            here[places] = here[places] * _BASE + tested[places + length - 1]
            places = places[np.isin(here[places], there)]
            if not len(places):
                break
            for i in np.unique(owner[places]):
                best[i] = length + 1
    return best


_BASE = np.uint64(0x9E3779B97F4A7C15)


def _joined(melodies: Sequence[np.ndarray], mark: int) -> tuple[np.ndarray, np.ndarray]:
    """All melodies one after the other as positive numbers, each followed by one from ``mark`` on; and whose."""
    parts = [part for i, m in enumerate(melodies) for part in (np.asarray(m, np.int64) + 500, [mark + i])]
    owner = np.repeat(np.arange(len(melodies)), [len(m) + 1 for m in melodies])
    return np.concatenate(parts).astype(np.uint64), owner
