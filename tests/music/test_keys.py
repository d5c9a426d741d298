"""Names of notes and keys, and the key of a piece."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.datasets import chorales
from course_lib.music.errors import MusicError
from course_lib.music.keys import MODES, estimate_key, key_name, key_profile, note_name, note_number, pitch_class
from course_lib.music.piece import REST, Piece


def test_middle_c_is_60_is_c4() -> None:
    assert note_name(60) == "C4"
    assert note_number("C4") == 60
    assert [note_number(n) for n in ("F#4", "Bb3", "c5", "A4")] == [66, 58, 72, 69]


@pytest.mark.parametrize("name", ["", "H4", "C", "C##4", "4C"])
def test_what_is_no_note_name_is_refused(name: str) -> None:
    with pytest.raises(MusicError, match="not a note name"):
        note_number(name)


def test_note_names_round_trip() -> None:
    assert [note_number(note_name(p)) for p in range(128)] == list(range(128))


@pytest.mark.parametrize("mode", MODES)
def test_key_names_round_trip_and_need_six_accidentals_at_most(mode: str) -> None:
    assert [pitch_class(key_name(tonic, mode)) for tonic in range(12)] == list(range(12))


def scale(*pitches: int) -> Piece:
    return Piece(np.array(pitches)[:, None], np.ones((len(pitches), 1), bool))


def test_scales() -> None:
    assert estimate_key(scale(60, 62, 64, 65, 67, 69, 71, 72, 67, 60)) == "C major"
    assert estimate_key(scale(57, 59, 60, 62, 64, 65, 68, 69, 64, 57)) == "A minor"


def test_silence_has_an_answer() -> None:
    assert estimate_key(Piece(np.full((4, 1), REST), np.zeros((4, 1), bool))) == "C major"


def test_the_estimate_moves_with_the_music() -> None:
    for piece in chorales().valid:
        moved = estimate_key(piece.transpose(3))
        assert (pitch_class(moved) - pitch_class(piece.key)) % 12 == 3
        assert moved.split()[1] == piece.key.split()[1]


def test_most_chorales_end_on_their_tonic() -> None:
    every = [piece for side in chorales() for piece in side]
    ends = [piece.pitch[piece.pitch[:, 3] != REST, 3][-1] % 12 == pitch_class(piece.key) for piece in every]
    assert np.mean(ends) > 0.8


def test_a_profile_is_turned_to_its_tonic() -> None:
    assert key_profile("G minor")[7] == key_profile("C minor")[0] == 0.220
    assert key_profile("A major").sum() == pytest.approx(1, abs=0.01)
    with pytest.raises(MusicError, match="no profile for 'D dorian'"):
        key_profile("D dorian")
