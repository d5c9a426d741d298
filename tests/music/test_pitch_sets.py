"""Chords as sets of pitch classes: folding, names, tables, sound."""

import numpy as np
import pytest

from course_lib.music.baselines.frames import IndependentNotes, SetTable, conditional
from course_lib.music.encodings.frames import pitch_sets, set_kinds, set_name, set_numbers, set_pitches, sets_piece
from course_lib.music.errors import MusicError

EVERY = (np.arange(4096)[:, None] >> np.arange(12) & 1).astype(bool)


def of(*classes: int) -> np.ndarray:
    found = np.zeros(12, bool)
    found[list(classes)] = True
    return found


def test_octaves_fold_together() -> None:
    frames = np.zeros((2, 88), bool)
    frames[0, [0, 12, 87]] = True  # A0, A1 and C8
    assert set_numbers(pitch_sets(frames)).tolist() == [(1 << 9) + 1, 0]
    with pytest.raises(MusicError, match=r"\(2, 12\)"):
        pitch_sets(frames[:, :12])
    with pytest.raises(MusicError, match="12 pitch classes"):
        set_numbers(frames)


def test_numbers_are_those_of_every_set() -> None:
    assert (set_numbers(EVERY) == np.arange(4096)).all()


@pytest.mark.parametrize(
    ("classes", "name"),
    [
        ((0, 4, 7), "C"),
        ((9, 0, 4), "Am"),
        ((11, 2, 5), "Bdim"),
        ((0, 4, 8), "Caug"),
        ((7, 11, 2, 5), "G7"),
        ((2, 5, 9, 0), "Dm7"),
        ((11, 2, 5, 9), "Bm7b5"),
        ((0, 3, 6, 9), "Cdim7"),
        ((0, 2, 5), "C D F"),
        ((), "silence"),
    ],
)
def test_names(classes: tuple, name: str) -> None:
    assert set_name(of(*classes)) == name


def test_kinds_of_a_group() -> None:
    kinds = set_kinds(np.stack([of(0, 4, 7), of(0, 4, 7), of(7, 11, 2, 5), of(0, 11)]))
    assert kinds == {"notes": 3.0, "triads": 0.5, "sevenths": 0.25, "semitones": 0.25, "distinct": 3}


def test_the_root_stands_in_the_bass() -> None:
    assert set_pitches(of(2, 5, 7, 11)) == [43, 59, 62, 65]
    assert set_pitches(of()) == []
    for chord in EVERY[1::37]:
        pitches = set_pitches(chord)
        assert sorted(p % 12 for p in pitches) == np.flatnonzero(chord).tolist()
        assert pitches == sorted(pitches) and 36 <= pitches[0] < 48 and all(55 <= p < 67 for p in pitches[1:])


def test_sets_become_a_piece() -> None:
    sets = np.stack([of(0, 4, 7), of(), of(7, 11, 2, 5)])
    piece = sets_piece(sets, "x", steps=4)
    assert piece.pitch.shape == (12, 4) and (piece.onset.sum(0) == [2, 2, 1, 2]).all()
    for step, chord in zip((0, 4, 8), sets, strict=True):
        sounding = piece.pitch[step][piece.pitch[step] >= 0]
        assert sorted(sounding.tolist()) == set_pitches(chord)
        assert sounding.tolist() == sorted(sounding, reverse=True)  # the highest voice first
    spread = sets_piece(sets[:1], steps=6, spread=True)
    assert [int((row >= 0).sum()) for row in spread.pitch] == [1, 2, 3, 3, 3, 3]
    for nothing in (sets[1:2], sets[:0]):
        with pytest.raises(MusicError, match="Give notes"):
            sets_piece(nothing)


def test_tables_sum_to_one_and_smooth() -> None:
    rng = np.random.default_rng(0)
    train, valid = (np.concatenate([[of(0, 4, 7)] * n, rng.random((n, 12)) < 0.3]) for n in (60, 30))
    alone, table = IndependentNotes(train), SetTable(train, valid)
    for model in (alone, table):
        assert np.exp(model.log_p).sum() == pytest.approx(1)
    assert alone.p[1] == pytest.approx((train[:, 1].sum() + 0.5) / 121)
    assert table.log_p[set_numbers(valid)].mean() > alone.log_p[set_numbers(valid)].mean()
    best = max(
        np.log((np.bincount(set_numbers(train), minlength=4096) + a * np.exp(alone.log_p)) / (120 + a))[
            set_numbers(valid)
        ].mean()
        for a in 2.0 ** np.arange(-4, 14)
    )
    assert table.log_p[set_numbers(valid)].mean() == pytest.approx(best)


def test_conditional_is_bayes_rule() -> None:
    log_p = np.random.default_rng(1).normal(size=4096)
    fixed = np.full(12, -1)
    fixed[[0, 4, 7]] = 1, 1, 0
    p = conditional(log_p, fixed)
    agrees = EVERY[:, 0] & EVERY[:, 4] & ~EVERY[:, 7]
    assert p.sum() == pytest.approx(1) and (p[~agrees] == 0).all()
    np.testing.assert_allclose(p[agrees], np.exp(log_p[agrees]) / np.exp(log_p[agrees]).sum())
    for wrong in (fixed[:3], np.full(12, 2)):
        with pytest.raises(MusicError, match="twelve of 1"):
            conditional(log_p, wrong)
