"""Piano frames and sets of pitch classes: folding, names, sound, and back."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.datasets import chorale_frames
from course_lib.music.encodings.frames import (
    ALL_SETS,
    KEYS,
    frames_piece,
    piano_frames,
    pitch_sets,
    set_kinds,
    set_name,
    set_numbers,
    set_pitches,
    sets_piece,
)
from course_lib.music.errors import MusicError
from course_lib.music.piece import REST, Piece


def test_frames_of_a_piece_are_its_quarters() -> None:
    # Four steps a quarter, a pickup of an eighth: quarters begin at steps 2, 6.
    pitch = np.array([[60]] * 2 + [[62]] * 4 + [[REST]] * 2 + [[64]] * 2)
    onset = pitch[:, 0] != np.r_[REST, pitch[:-1, 0]]
    piece = Piece(pitch, (onset & (pitch[:, 0] != REST))[:, None], pickup=2)
    assert np.argwhere(piano_frames(piece, transpose=1)).tolist() == [[0, 62 + 1 - 21]]
    assert len(piano_frames(piece)) == 2 and not piano_frames(piece)[1].any()
    with pytest.raises(MusicError, match="not among MIDI 21..108"):
        piano_frames(piece, transpose=60)


def test_frames_become_four_voices_and_come_back() -> None:
    test = chorale_frames().test
    for roll in test[:5]:
        piece = frames_piece(roll)
        assert (piano_frames(piece) == roll).all() and piece.onset.sum() == roll.sum()
    roll = np.zeros((5, KEYS), bool)
    for frame, notes in zip(roll, ([60], [60, 72], [48, 60, 72], [40, 50, 60, 70, 80], []), strict=True):
        frame[np.array(notes, int) - 21] = True
    assert frames_piece(roll).pitch.tolist() == [
        [60, REST, REST, REST],
        [72, REST, REST, 60],
        [72, 60, REST, 48],
        [80, 70, 60, 40],
        [REST] * 4,
    ]
    held = np.repeat(roll[2:3], 3, axis=0)
    assert frames_piece(held).onset.sum() == 9 and frames_piece(held, tied=True).onset.sum() == 3
    for wrong in (np.zeros((3, KEYS), bool), np.ones((3, 12), bool)):
        with pytest.raises(MusicError, match="one note at least"):
            frames_piece(wrong)


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
    assert (set_numbers(ALL_SETS) == np.arange(4096)).all()


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
    for chord in ALL_SETS[1::37]:
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
