"""The rule of parallels as a mask, held against the metric that counts them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings import MINIBACH_RANGES, OneHot
from course_lib.music.metrics import parallels
from course_lib.music.piece import MusicError
from course_lib.music.voice_leading import NoParallels

SMALL = OneHot(((60, 66), (53, 59), (48, 52)))


def events(encoding: OneHot, symbols: np.ndarray) -> list:
    piece = encoding.decode(encoding.one_hot(symbols))
    return [event for interval in (0, 7) for event in parallels(piece, interval)]


@given(st.integers(0, 2**32 - 1))
def test_exactly_the_symbols_that_make_parallels_are_crossed_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rule, steps = NoParallels(SMALL), 6
    made = np.zeros((1, steps, 3), int)
    for step in range(steps):
        for voice in range(3):
            may = rule(made, step, voice)[0]
            assert may.shape == (SMALL.sizes[voice],)
            if step:
                for symbol in range(SMALL.sizes[voice]):
                    tried = made[0, : step + 1].copy()
                    tried[step, voice] = symbol
                    tried[step, voice + 1 :] = [size - 1 for size in SMALL.sizes[voice + 1 :]]  # held
                    before = len(events(SMALL, made[0, :step]))
                    with_voices_above = [e for e in events(SMALL, tried) if e.step == step and e.lower == voice]
                    assert may[symbol] == (not with_voices_above), (before, symbol)
            else:
                assert may.tolist() == [True] * (SMALL.sizes[voice] - 1) + [False]  # nothing to hold
            made[0, step, voice] = rng.integers(SMALL.sizes[voice] - (step == 0))


def test_bach_mostly_keeps_the_rule() -> None:
    encoding = OneHot()
    low, high = np.array(MINIBACH_RANGES).T
    some = [w for w in windows(chorales().valid) if ((w.pitch >= low) & (w.pitch <= high)).all()][:40]
    made = np.stack([encoding.symbols(window) for window in some])
    rule, broken = NoParallels(encoding), 0
    for step in range(made.shape[1]):
        for voice in range(4):
            broken += int((~rule(made, step, voice)[np.arange(len(made)), made[:, step, voice]]).sum())
    counted = [len({(e.step, e.lower) for i in (0, 7) for e in parallels(window, i)}) for window in some]
    assert broken == sum(counted) < 0.02 * len(some) * 4 * 16


def test_rests_are_refused() -> None:
    with pytest.raises(MusicError, match="knows no rests"):
        NoParallels(OneHot(rest=True))
