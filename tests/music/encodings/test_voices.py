"""Voices as one-hot, piano roll, tokens and voice roll, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES, OneHot, PianoRoll, Tokens, transposed
from course_lib.music.errors import MusicError, PitchOutOfRange, WrongVoices
from course_lib.music.piece import REST, Piece
from tests.strategies import pieces


def everything(piece: Piece) -> OneHot:
    return OneHot(((0, 127),) * len(piece.voices), rest=True)


def test_minibach_sizes() -> None:
    encoding = OneHot()
    assert encoding.sizes == (21, 21, 21, 28)
    assert 64 * encoding.sizes[0] == 1344
    assert 64 * sum(encoding.sizes[1:]) == 4480


@given(pieces())
def test_one_hot_round_trip(piece: Piece) -> None:
    encoding = everything(piece)
    tensor = encoding.encode(piece)
    assert tensor.shape == (len(piece), encoding.width)
    assert (tensor.sum(1) == len(piece.voices)).all()
    assert encoding.decode(tensor, like=piece) == piece.with_onsets_at_start()


@given(pieces())
def test_tokens_round_trip(piece: Piece) -> None:
    encoding = Tokens()
    tokens = encoding.encode(piece)
    assert 0 <= tokens.min() <= tokens.max() < encoding.vocabulary
    assert encoding.decode(tokens, like=piece) == piece.with_onsets_at_start()


@given(pieces())
def test_piano_roll_is_kept_by_decoding(piece: Piece) -> None:
    encoding = PianoRoll(0, 127)
    roll = encoding.encode(piece)
    assert np.array_equal(encoding.encode(encoding.decode(roll)), roll)


def test_piano_roll_of_separate_voices_round_trips() -> None:
    apart = [w for w in windows(chorales().valid) if (np.diff(w.pitch, axis=1) < 0).all() and (w.pitch != REST).all()]
    assert len(apart) > 30
    encoding = PianoRoll()
    # A voice that moves while its neighbour moves to where it was can change hands; nothing else may.
    same = [encoding.decode(encoding.encode(w), like=w).pitch.tolist() == w.pitch.tolist() for w in apart]
    assert np.mean(same) > 0.4


def test_all_chorales_round_trip() -> None:
    tokens = Tokens()
    for piece in (p for side in chorales() for p in side):
        assert tokens.decode(tokens.encode(piece), like=piece) == piece.with_onsets_at_start()


def test_what_sounds_of_many_pieces_at_once() -> None:
    some = [w.with_onsets_at_start() for w in windows(chorales().valid)[:20]]
    encoding = OneHot(((0, 127),) * 4, rest=True)
    symbols = np.stack([encoding.symbols(piece) for piece in some])
    assert np.array_equal(encoding.sounding(symbols), [piece.pitch for piece in some])
    assert OneHot(((60, 62),)).sounding([[3], [1], [3]]).tolist() == [[REST], [61], [61]]


def test_symbols_of_a_tiny_piece() -> None:
    piece = Piece(np.array([[60], [60], [REST], [62]]), np.array([[1], [0], [0], [1]], bool))
    assert OneHot(((60, 62),), rest=True).symbols(piece)[:, 0].tolist() == [0, 3, 4, 2]
    assert Tokens(60, 62).encode(piece)[:, 0].tolist() == [2, 0, 1, 4]


@given(st.integers(0, 2**32 - 1))
def test_any_tensor_decodes_to_a_piece(seed: int) -> None:
    encoding = OneHot()
    piece = encoding.decode(np.random.default_rng(seed).normal(size=(64, encoding.width)))
    low, high = np.array(MINIBACH_RANGES).T
    assert ((piece.pitch >= low) & (piece.pitch <= high)).all()


def test_a_hold_at_the_start_is_read_as_the_likeliest_pitch() -> None:
    tensor = np.zeros((2, 4))
    tensor[0, 3], tensor[0, 1], tensor[1, 3] = 0.9, 0.1, 1
    assert OneHot(((60, 62),)).decode(tensor).pitch[:, 0].tolist() == [61, 61]


@pytest.mark.parametrize(
    ("encode", "error", "message"),
    [
        (
            lambda p: OneHot().encode(p.transpose(30)),
            PitchOutOfRange,
            "this encoding holds 60..79 .*Transpose, or widen",
        ),
        (lambda p: OneHot().encode(p.select(0, 1, 2)), WrongVoices, "3 voices"),
        (lambda p: PianoRoll(60, 70).encode(p), PitchOutOfRange, "60..70"),
        (lambda p: PianoRoll(0, 127).decode(PianoRoll(0, 127).encode(p), voices=2), WrongVoices, "asked for 2"),
        (lambda p: OneHot().decode(np.zeros(90)), MusicError, "width 91"),
        (lambda p: Tokens().decode(np.array([[130]])), MusicError, "token 130"),
        (lambda p: Tokens().decode(np.array([0.5])), MusicError, "whole numbers"),
    ],
)
def test_what_does_not_fit_is_refused(encode: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        encode(windows(chorales().test)[0])


def test_rests_are_refused_without_a_symbol() -> None:
    silent = Piece(np.full((4, 4), REST), np.zeros((4, 4), bool))
    with pytest.raises(MusicError, match="rests at step 0.*rest=True"):
        OneHot().encode(silent)


def test_windows_in_several_keys() -> None:
    some = windows(chorales().valid)[:30]
    encoding = OneHot()
    tensor, symbols = transposed(some, encoding, (0, 2, -3))
    wanted = []
    for shift in (0, 2, -3):
        for window in some:
            try:
                wanted.append(encoding.symbols(window.transpose(shift)))
            except MusicError:
                continue
    assert 0 < len(wanted) < 3 * len(some)
    assert (symbols == np.stack(wanted)).all() and symbols.dtype == np.int32
    assert (tensor == encoding.one_hot(symbols)).all() and tensor.shape == (len(wanted), 64, 91)
    assert encoding.decode(tensor[0]).pitch.tolist() == encoding.decode(encoding.encode(some[0])).pitch.tolist()
    with pytest.raises(MusicError, match="none of 1 windows"):
        transposed(some[:1], OneHot(((100, 101),) * 4))
