"""Phrases as rows of numbers, and back."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.datasets import chorale_phrases, chorales
from course_lib.music.encodings.chords import CHORDS, NO_CHORD, transposed_chords, triads
from course_lib.music.encodings.phrases import (
    BASS,
    FIRST,
    GRID,
    HOLD,
    LONGEST_PHRASE,
    SILENCE,
    SOPRANO,
    chord_pairs,
    on_beats,
    voice_pairs,
)
from course_lib.music.errors import MusicError, PitchOutOfRange, WrongVoices
from course_lib.music.piece import REST, Piece
from course_lib.symbols import END, PAD


def two(soprano: list[int], bass: list[int], **facts: object) -> Piece:
    """Two voices on eighths; a new pitch has an onset, the same one is held."""
    pitch = np.array([soprano, bass]).T
    onset = np.vstack([np.ones((1, 2), bool), np.diff(pitch, axis=0) != 0]) & (pitch != REST)
    return Piece(pitch, onset, **{"steps_per_quarter": 2, "voices": ("Soprano", "Bass"), **facts})


A = two([60, 60, 62, 64], [48, 50, 50, REST])


def test_numbers_and_back() -> None:
    assert SOPRANO.encode(A, 0).tolist() == [60 - 57 + FIRST, HOLD, 62 - 57 + FIRST, 64 - 57 + FIRST, END]
    assert BASS.encode(A, 1).tolist() == [48 - 36 + FIRST, 50 - 36 + FIRST, HOLD, SILENCE, END]
    for phrase in chorale_phrases(chorales().valid):
        if BASS.fits(phrase.pitch[:, 1]):
            assert BASS.join(phrase, BASS.encode(phrase, 1)) == phrase
    assert len(BASS.names) == BASS.symbols and BASS.names[FIRST] == "C2" and BASS.names[-1] == "E4"


def test_a_row_that_ends_early_or_holds_nothing_is_silent() -> None:
    made = BASS.join(A, np.array([HOLD, 20, END]))
    assert made.pitch[:, 1].tolist() == [REST, 20 - FIRST + 36, REST, REST]
    with pytest.raises(MusicError, match="there are 0..33"):
        BASS.join(A, np.array([34]))
    with pytest.raises(PitchOutOfRange, match="pitch 48 .*57..81"):
        SOPRANO.encode(A, 1)


def test_pairs_in_several_keys() -> None:
    given = voice_pairs([A], (0, 3, 30))
    assert given.source.shape == given.target.shape == (2, LONGEST_PHRASE + 1)  # 30 higher is out of range
    plain, higher = given.target[:, :5]
    assert plain.tolist() == BASS.encode(A, 1).tolist()
    assert higher.tolist() == [number + 3 if number >= FIRST else number for number in plain.tolist()]
    assert (given.source[:, 5:] == PAD).all()
    with pytest.raises(WrongVoices, match="1 voices"):
        voice_pairs([A.select(0)])
    with pytest.raises(MusicError, match="none of the phrases"):
        voice_pairs([A], [40])


def test_chords_of_quarters() -> None:
    """C major, then A minor in the second quarter, then silence below: by hand, and two semitones higher."""
    soprano, below = (
        [72, 72, 72, 76, 74, 74],
        [[48, 64, 67], [48, 64, 67], [45, 60, 64], [45, 60, 64], [REST] * 3, [REST] * 3],
    )
    pitch = np.column_stack([soprano, below])
    piece = Piece(pitch, (pitch != REST), steps_per_quarter=2, voices=("Soprano", "Alto", "Tenor", "Bass"))
    given = chord_pairs([piece], (0, 2, 30))
    assert given.source.shape == (2, LONGEST_PHRASE + 1) and given.target.shape == (2, LONGEST_PHRASE // GRID + 1)
    plain, higher = given.target[:, :5].tolist()
    assert plain == [CHORDS.index("C") + FIRST, CHORDS.index("Am") + FIRST, SILENCE, END, PAD]
    assert higher == [CHORDS.index("D") + FIRST, CHORDS.index("Bm") + FIRST, SILENCE, END, PAD]
    assert given.source[0, :7].tolist() == [number + FIRST - 57 for number in soprano] + [END]
    with pytest.raises(MusicError, match="none of the phrases"):
        chord_pairs([piece], [30])


def test_chords_of_the_data() -> None:
    """As many as quarters; a key higher, the chords of the phrase that was transposed."""
    found = chorale_phrases(chorales().valid, (0, 1, 2, 3))
    given = chord_pairs(found)
    assert ((given.target > END).sum(1) == [len(piece) / GRID for piece in found]).all()
    for piece, chord in zip(found[::20], chord_pairs(found, [1]).target[::20], strict=True):
        above = transposed_chords(triads(piece, GRID), 1)
        assert chord[: len(above)].tolist() == (above + FIRST).tolist()
        assert above.tolist() == triads(piece.transpose(1), GRID).tolist()
    assert (given.target == NO_CHORD + FIRST).mean() < 0.02


def test_on_beats() -> None:
    row = voice_pairs([two([60, 62, 62, 62, 64, REST], [48] * 6)]).source
    c, d, e = (pitch - 57 + FIRST for pitch in (60, 62, 64))
    assert row[0, :7].tolist() == [c, d, HOLD, HOLD, e, SILENCE, END]
    assert on_beats(row)[0, :5].tolist() == [c, d, e, END, PAD]
    assert on_beats(row).shape == (1, LONGEST_PHRASE // GRID + 1)
