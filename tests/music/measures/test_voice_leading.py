"""The rule of parallels as a mask, held against the metric that counts them."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES, OneHot
from course_lib.music.errors import MusicError
from course_lib.music.measures.metrics import parallels, voice_crossings
from course_lib.music.measures.voice_leading import NoParallels, voice_leading_violations

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


def test_the_order_of_the_questions_does_not_matter() -> None:
    """Asked for any voice of any step, the rule answers as when it is asked in order."""
    rng = np.random.default_rng(0)
    made = np.stack([rng.integers(0, size, (5, 8)) for size in SMALL.sizes], axis=-1)
    made[:, 0] = 0  # notes, that something may be held
    places = [(step, voice) for step in range(8) for voice in range(3)]
    rule = NoParallels(SMALL)
    in_order = {place: rule(made, *place) for place in places}
    for place in rng.permutation(places).tolist():
        assert (rule(made, *place) == in_order[tuple(place)]).all()
        assert (NoParallels(SMALL)(made, *place) == in_order[tuple(place)]).all()


def test_rests_are_refused() -> None:
    with pytest.raises(MusicError, match="has no rests"):
        NoParallels(OneHot(rest=True))


@pytest.mark.parametrize("seed", range(5))
def test_violations_are_those_of_the_measures(seed: int) -> None:
    """Of real windows with random voices, which have many violations, and as they are."""
    real = [w for w in windows(chorales().valid)[seed::20] if (w.pitch >= 0).all()]
    rng = np.random.default_rng(seed)
    low, high = np.array(MINIBACH_RANGES).T
    wild = [
        replace(w, pitch=np.repeat(rng.integers(low, high + 1, (16, 4)), 4, axis=0), onset=np.ones((64, 4), bool))
        for w in real
    ]
    for pieces in (real, wild):
        crossed = [((p.pitch[:, a] < p.pitch[:, b]).sum()) for p in pieces for a, b in combinations(range(4), 2)]
        crossed = np.reshape(crossed, (len(pieces), 6)).sum(axis=1)
        moves = [len(parallels(p, 0)) + len(parallels(p, 7)) for p in pieces]
        assert voice_leading_violations(np.stack([p.pitch for p in pieces])).tolist() == (crossed + moves).tolist()
    assert max(moves) > 0 and max(map(voice_crossings, wild)) > 0
