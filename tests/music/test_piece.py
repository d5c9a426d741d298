"""Pieces that exist are valid; notes, windows, transpositions and grids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.music.errors import MusicError, PitchOutOfRange, WrongMetre, WrongVoices
from course_lib.music.keys import pitch_class
from course_lib.music.piece import REST, Note, Piece
from tests.strategies import pieces


def piece(pitch: list, onset: list | None = None, **facts: object) -> Piece:
    pitch = np.array(pitch)
    return Piece(pitch, pitch != REST if onset is None else np.array(onset, bool), **facts)


def test_notes_of_a_tiny_piece() -> None:
    tiny = piece([[60, 48], [60, REST], [62, 50], [62, 50]], [[1, 0], [1, 0], [1, 1], [0, 0]])
    assert tiny.notes() == [
        Note(0, 60, 0, 1),
        Note(0, 60, 1, 1),
        Note(0, 62, 2, 2),
        Note(1, 48, 0, 1, True),
        Note(1, 50, 2, 2),
    ]


@given(pieces())
def test_notes_and_back(made: Piece) -> None:
    again = Piece.from_notes(
        made.notes(),
        len(made),
        made.voices,
        steps_per_quarter=made.steps_per_quarter,
        title=made.title,
        key=made.key,
        time_signature=made.time_signature,
        pickup=made.pickup,
        tempo=made.tempo,
        fermata=made.fermata,
    )
    assert again == made
    assert hash(again) == hash(made)


def test_a_later_note_cuts_an_earlier_one_short() -> None:
    made = Piece.from_notes([Note(0, 60, 0, 8), Note(0, 64, 2, 2)], 8, 1)
    assert made.pitch[:, 0].tolist() == [60, 60, 64, 64, REST, REST, REST, REST]


def test_a_held_note_with_nothing_to_go_on_from_starts_anew() -> None:
    made = Piece.from_notes([Note(0, 60, 0, 2), Note(0, 60, 2, 2, held=True), Note(0, 62, 4, 2, held=True)], 6, 1)
    assert made.onset[:, 0].tolist() == [True, False, False, False, True, False]


@given(pieces())
def test_transposing_there_and_back(made: Piece) -> None:
    sounding = made.pitch[made.pitch != REST]
    if sounding.size and (sounding.max() > 122):
        return
    moved = made.transpose(5)
    assert np.array_equal(moved.transpose(-5).pitch, made.pitch)
    if made.key:
        assert (pitch_class(moved.key) - pitch_class(made.key)) % 12 == 5


def test_windows_keep_the_metre() -> None:
    long = piece([[60]] * 40, pickup=4)
    assert long.bar_lines.tolist() == [4, 20, 36]
    assert long.window(2, 20).bar_lines.tolist() == [2, 18]
    assert long.window(4, 32).pickup == 0
    with pytest.raises(WrongMetre, match="40 steps"):
        long.window(30, 20)


def test_a_window_holds_what_began_before_it() -> None:
    made = piece([[60]] * 4, [[1], [0], [0], [1]])
    assert made.window(1, 2).onset.tolist() == [[False], [False]]
    assert made.window(1, 2).with_onsets_at_start().onset.tolist() == [[True], [False]]


def test_seven_eight_is_music() -> None:
    assert piece([[60]] * 28, time_signature=(7, 8)).bar_steps == 14


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: piece([[128]]), PitchOutOfRange, "pitch 128 in voice 0 at step 0.*0..127"),
        (lambda: piece([[60], [-7]]), PitchOutOfRange, "pitch -7 in voice 0 at step 1"),
        (lambda: piece([[0]]).transpose(-1), PitchOutOfRange, "begins at 0"),
        (lambda: piece([[60]]).transpose(70), PitchOutOfRange, "pitch 130"),
        (lambda: Piece(np.zeros((0, 4), int), np.zeros((0, 4), bool)), WrongVoices, "one or more each"),
        (lambda: Piece(np.array([[60.5]]), np.array([[True]])), MusicError, "whole MIDI numbers"),
        (lambda: piece([[REST]], [[1]]), MusicError, "rests there"),
        (lambda: piece([[60], [62]], [[1], [0]]), MusicError, "without an onset"),
        (lambda: piece([[60]], [[1, 1]]), MusicError, "as pitch is"),
        (lambda: piece([[60]], time_signature=(4, 5)), WrongMetre, "4/5"),
        (lambda: piece([[60]], time_signature=(1, 32)), WrongMetre, "finer grid"),
        (lambda: piece([[60]], pickup=16), WrongMetre, "0..15"),
        (lambda: piece([[60]], tempo=0), MusicError, "tempo 0"),
        (lambda: piece([[60]], key="H major"), MusicError, "H major"),
        (lambda: piece([[60]], key="G major\n"), MusicError, "G major"),
        (lambda: piece([[60]], voices=("a", "b")), WrongVoices, "2 voice names"),
        (lambda: piece([[60]], steps_per_quarter=0), MusicError, "steps_per_quarter is 0"),
        (lambda: piece([[60, 48]]).select(2), WrongVoices, r"voices \[2\]"),
        (lambda: piece([[60]], fermata=[True, False]), MusicError, "fermata"),
    ],
)
def test_contradictions_are_refused(make: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_piece_cannot_be_changed() -> None:
    made = piece([[60]])
    with pytest.raises(ValueError, match="read-only"):
        made.pitch[0] = 61


def test_eighths_keep_what_sounds_on_them() -> None:
    pitch = np.array([[60], [60], [60], [62], [62], [62], [62], [62]])
    onset = np.array([[1], [0], [0], [1], [0], [0], [1], [0]], bool)
    coarse = Piece(pitch, onset, pickup=2, fermata=np.arange(8) == 5).regrid(2)
    assert coarse.pitch.ravel().tolist() == [60, 60, 62, 62]
    assert coarse.onset.ravel().tolist() == [True, False, True, True]  # the 62 began between two eighths
    assert (coarse.pickup, coarse.steps_per_quarter, coarse.fermata.tolist()) == (1, 2, [False, False, True, False])


@given(pieces(steps=(1, 20), steps_per_quarter=st.integers(1, 6)), st.integers(1, 4))
def test_a_finer_grid_is_undone_by_the_coarser_one(piece: Piece, times: int) -> None:
    fine = piece.regrid(piece.steps_per_quarter * times)
    assert fine.regrid(piece.steps_per_quarter) == piece
    assert [
        note._replace(start=note.start * times, length=note.length * times) for note in piece.notes()
    ] == fine.notes()


def test_a_note_that_began_between_two_eighths_starts_at_the_next_one() -> None:
    pitch, onset = np.full((8, 1), 60), np.zeros((8, 1), bool)
    onset[[0, 3]] = True  # the same pitch again
    assert Piece(pitch, onset).regrid(2).onset[:, 0].tolist() == [True, False, True, False]
    assert not Piece(pitch, np.zeros((8, 1), bool)).regrid(2).onset.any()


def test_what_does_not_fit_a_grid_of_eighths_is_refused() -> None:
    pitch, onset = np.full((9, 1), 60), np.zeros((9, 1), bool)
    assert len(Piece(pitch[:3], onset[:3]).regrid(2)) == 2  # an odd length loses no step
    with pytest.raises(WrongMetre, match="a grid of 0 steps"):
        Piece(pitch, onset).regrid(0)
    for facts in ({"steps_per_quarter": 3}, {"pickup": 1}, {"time_signature": (7, 16)}):
        with pytest.raises(WrongMetre, match="do not fit a grid of 2 steps"):
            Piece(pitch, onset, **facts).regrid(2)
