"""The voice roll: eighths, voices as choices, and back."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.datasets import chorale_windows, chorales
from course_lib.music.encodings.voices import VoiceRoll
from course_lib.music.errors import MusicError, PitchOutOfRange, WrongVoices
from course_lib.music.piece import REST, Piece

ROLL = VoiceRoll(((60, 64), (48, 50)))


def piece(*voices: list[int], spq: int = 4, more: np.ndarray | None = None, **facts: object) -> Piece:
    pitch = np.array(voices).T
    onset = np.vstack([[True] * pitch.shape[1], pitch[1:] != pitch[:-1]]) & (pitch != REST)
    return Piece(pitch, onset if more is None else onset | more, spq, **facts)


def test_units_are_choices_and_onsets() -> None:
    v = ROLL.encode(piece([60, 60, 64], [48, 50, 50], spq=2))
    assert v.shape == (3, 10) == (3, ROLL.width) and ROLL.sizes == (5, 3)
    assert [np.flatnonzero(row).tolist() for row in v] == [[0, 5, 8, 9], [0, 7, 9], [4, 7, 8]]
    assert ROLL.pitches[np.flatnonzero(v[2])].tolist() == [64, 50, REST]
    assert (v @ ROLL.sounding).sum(1).tolist() == [2, 2, 2] and (v @ ROLL.onsets)[:, 0].tolist() == [2, 1, 1]
    assert np.flatnonzero(v[2] @ ROLL.classes).tolist() == [2, 4]


def test_what_is_encoded_comes_back() -> None:
    made = piece([60, 60, 64, 64, 62, 62], [48, 50, 50, 50, 49, 48], spq=2, key="C major")
    assert ROLL.decode(ROLL.encode(made), like=made) == made
    roll = VoiceRoll()
    for v in chorale_windows(chorales().valid[:6], roll):
        assert (roll.encode(roll.decode(v)) == v).all()


def test_a_voice_holds_what_most_steps_vote_for() -> None:
    v = ROLL.encode(piece([60] * 4, [48] * 4, spq=2)).astype(float)
    v[1, :5] = [0, 0, 0.9, 0, 0]  # a slip of one step without an onset: 60 has the greater sum
    v[3, :5] = [0, 0, 3, 0, 0]  # as many votes as make another pitch, from the beat on
    found = ROLL.decode(v)
    assert found.pitch[:, 0].tolist() == [60, 60, 62, 62] and found.onset[:, 0].tolist() == [True, False, True, False]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(PitchOutOfRange, match="pitch 65 .F4. in voice 0 at step 1"):
        ROLL.encode(piece([60, 65], [48, 48], spq=2))
    with pytest.raises(MusicError, match="voice 1 rests at step 0"):
        ROLL.encode(piece([60, 60], [REST, 48], spq=2))
    with pytest.raises(WrongVoices):
        ROLL.encode(piece([60, 60], spq=2))
