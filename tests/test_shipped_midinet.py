"""The shipped MidiNets: they follow chords that no bar had, and a bar made alone is the bar made in a batch."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest

from course_lib.music.datasets import chorales
from course_lib.music.encodings.lead_sheets import (
    MELODY_PITCHES,
    Bars,
    chord_bars,
    chord_features,
    chord_tone_share,
    lead_sheet,
)
from course_lib.training import load

MODES = ("stable", "creative")


@cache
def unseen() -> Bars:
    return chord_bars([lead_sheet(piece) for piece in chorales().test if piece.time_signature == (4, 4)])


@cache
def model(mode: str) -> keras.Model:
    return load(f"15_{mode}")


def one_hot(melody: np.ndarray) -> np.ndarray:
    return (melody[..., None] == np.arange(MELODY_PITCHES)).astype(np.float32)


def made(mode: str, chord: np.ndarray, before: np.ndarray) -> np.ndarray:
    return np.asarray(model(mode).sample(len(chord), 1, [chord_features(chord), one_hot(before)])).argmax(-1)


@pytest.mark.parametrize(("mode", "least"), [("stable", 0.6), ("creative", 0.4)])
def test_it_follows_chords_that_no_bar_had(mode: str, least: float) -> None:
    bars, shuffle = unseen(), np.random.default_rng(0).permutation(len(unseen().chord))
    other = bars.chord[shuffle]
    zero, one = (chord_tone_share(bars.melody, chord).mean() for chord in (other, bars.chord))
    melody = made(mode, other, bars.before)
    control = (chord_tone_share(melody, other).mean() - zero) / (one - zero)
    assert control > least
    assert 0.10 < (np.diff(melody) != 0).mean() < 0.25
    assert len(np.unique(melody, axis=0)) > 0.5 * len(melody)


@pytest.mark.parametrize("mode", MODES)
def test_a_bar_made_alone_is_the_bar_made_in_a_batch(mode: str) -> None:
    bars = unseen()
    z = np.random.default_rng(0).normal(size=(12, 32)).astype(np.float32)
    condition = [chord_features(bars.chord[:12]), one_hot(bars.before[:12])]
    together = np.asarray(model(mode).generate(z, condition)).argmax(-1)
    alone = [np.asarray(model(mode).generate(z[[i]], [c[[i]] for c in condition])).argmax(-1)[0] for i in range(12)]
    assert np.array_equal(together, alone)


def test_in_creative_mode_the_chord_enters_the_last_level_alone() -> None:
    """Two halves of a bar over one chord, then only the second chord changes: the first half stays as it was."""
    bars = unseen()
    chord = bars.chord[:50].copy()
    other = np.column_stack([chord[:, 0], (chord[:, 1] + 5) % 24])
    same = {mode: (made(mode, chord, bars.before[:50]) == made(mode, other, bars.before[:50]))[:, :8] for mode in MODES}
    assert same["creative"].all() and not same["stable"].all()
