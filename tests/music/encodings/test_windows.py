import numpy as np
import pytest

from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.windows import UNKNOWN, SlidingWindow
from course_lib.music.errors import WrongVoices
from course_lib.music.piece import REST, Piece


def certain(window: SlidingWindow, targets: np.ndarray) -> np.ndarray:
    """Logits that are sure of these targets."""
    parts = [np.eye(size)[targets[:, i].clip(0)] * 50 for i, size in enumerate(window.sizes)]
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("common_key", [False, True])
def test_targets_decode_to_the_piece(common_key: bool) -> None:
    window = SlidingWindow(common_key=common_key)
    whole = [piece for piece in chorales().valid if (piece.pitch != REST).all()]
    assert len(whole) > 10
    for piece in whole:
        targets = window.targets(piece)
        assert (targets != UNKNOWN).all()
        assert window.decode(certain(window, targets), piece) == piece.with_onsets_at_start()


def test_in_a_common_key_transposed_pieces_look_the_same() -> None:
    piece = windows(chorales().train)[0]
    window = SlidingWindow()
    assert np.array_equal(window.inputs(piece), window.inputs(piece.transpose(-3)))
    assert np.array_equal(window.targets(piece), window.targets(piece.transpose(-3)))
    plain = SlidingWindow(common_key=False)
    assert not np.array_equal(plain.inputs(piece), plain.inputs(piece.transpose(-3)))


def test_the_input_depends_on_the_soprano_alone() -> None:
    piece = chorales().valid[0]
    for window in (SlidingWindow(), SlidingWindow(common_key=False)):
        assert np.array_equal(window.inputs(piece), window.inputs(piece.select(0)))


def test_what_lies_beyond_the_window_is_not_seen() -> None:
    piece = chorales().valid[0]
    window = SlidingWindow(reach=8, common_key=False)
    changed = piece.pitch.copy()
    changed[40:, 0] = 70
    other = Piece(changed, piece.onset | (changed != piece.pitch), pickup=piece.pickup)
    assert np.array_equal(window.inputs(piece)[:32], window.inputs(other)[:32])
    assert not np.array_equal(window.inputs(piece)[:42], window.inputs(other)[:42])


def test_the_metre_is_an_input_only_when_asked_for() -> None:
    piece = windows(chorales().valid)[0]
    late = Piece(piece.pitch, piece.onset, pickup=4)
    with_metre, without = SlidingWindow(common_key=False), SlidingWindow(common_key=False, metre=False)
    assert not np.array_equal(with_metre.inputs(piece), with_metre.inputs(late))
    assert np.array_equal(without.inputs(piece), without.inputs(late))


def test_rests_are_not_learnt() -> None:
    piece = Piece(np.array([[67, 62, REST, 43]]), np.array([[True, True, False, True]]))
    assert (SlidingWindow().targets(piece)[0] == UNKNOWN).tolist() == [False, True, False, False, True, False]


def test_harmony_has_four_voices() -> None:
    with pytest.raises(WrongVoices, match="2 voices"):
        SlidingWindow().targets(chorales().valid[0].select(0, 1))
