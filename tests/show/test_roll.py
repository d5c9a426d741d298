"""The geometry that the drawn roll and the player's roll share."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.piece import REST, Note, Piece
from course_lib.show import roll


def test_a_box_a_note_with_gaps_between_repeats() -> None:
    piece = Piece.from_notes([Note(0, 60, 0, 4), Note(0, 60, 4, 4), Note(0, 62, 8, 8)], 16, 1)
    boxes = roll.note_boxes(piece)
    assert [box.left for box in boxes] == [0, 4, 8]
    assert [box.right for box in boxes] == pytest.approx([3.68, 7.68, 15.68])
    assert all(box.bottom < piece.pitch[int(box.left), 0] < box.top for box in boxes)


def test_what_sounded_before_sticks_out_on_the_left() -> None:
    piece = Piece.from_notes([Note(0, 60, 0, 4), Note(1, 55, 0, 4, held=True)], 4, 2)
    left = {box.voice: box.left for box in roll.note_boxes(piece)}
    assert left == {0: 0, 1: -roll.lead(piece)}


def test_both_voices_of_a_unison_are_seen() -> None:
    long, short = Note(1, 60, 0, 8), Note(0, 60, 4, 2)
    boxes = roll.note_boxes(Piece.from_notes([long, short], 8, 2))
    assert [box.voice for box in boxes] == [1, 0]  # the short one is drawn over the long one
    assert (boxes[0].bottom, boxes[0].top) == pytest.approx((59.55, 60.45))
    assert (boxes[1].bottom, boxes[1].top) == pytest.approx((60, 60.45))


def test_bar_numbers_count_full_bars_and_thin_out() -> None:
    pitch = np.full((4 + 40 * 16, 1), 60)
    piece = Piece(pitch, np.ones_like(pitch, bool), pickup=4)
    assert roll.bar_numbers(piece)[:3] == [(4, 1), (4 + 4 * 16, 5), (4 + 8 * 16, 9)]
    assert roll.bar_numbers(piece.window(0, 36)) == [(4, 1), (20, 2)]


def test_pitch_span_holds_every_note_and_an_octave() -> None:
    piece = Piece(np.array([[60]]), np.array([[True]]))
    low, high = roll.pitch_span([piece])
    assert low < 60 < high and high - low >= 12
    assert roll.pitch_span([piece, piece.transpose(60)]) == (59, 121)
    silence = Piece(np.array([[REST]]), np.array([[False]]))
    assert roll.pitch_span([silence])[0] < 60
    assert roll.pitch_marks(48, 72) == [48, 55, 60, 67, 72]


def test_alt_text_has_key_metre_length_and_ranges() -> None:
    pitch = np.array([[67, REST], [69, REST]])
    piece = Piece(pitch, pitch != REST, title="Tune", key="G major", voices=("Flute", "Drum"), tempo=15)
    assert roll.roll_alt(piece) == (
        "Piano roll of Tune: G major, 4/4 time, 1 bar, 2 seconds. Flute G4 to A4; Drum silent."
    )


def test_a_voice_keeps_its_colour_when_it_stands_alone() -> None:
    choir = Piece(np.array([[67, 62, 59, 43]]), np.ones((1, 4), bool))
    assert [roll.voice_colour(choir.select(v), 0) for v in range(4)] == list(roll.VOICE_COLOURS[:4])
    assert roll.voice_colour(Piece(np.array([[60, 48]]), np.ones((1, 2), bool)), 1) == roll.VOICE_COLOURS[1]


def test_names_of_neighbouring_keys_do_not_overlap() -> None:
    marks = roll.pitch_marks(60, 74)
    assert min(np.diff(marks)) >= 2
