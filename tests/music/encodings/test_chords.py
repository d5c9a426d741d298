import numpy as np
import pytest

from course_lib.music.datasets import chorales
from course_lib.music.encodings.chords import (
    CHORDS,
    INPUTS,
    NO_CHORD,
    chord_coverage,
    chord_piece,
    half_bars,
    pitch_classes,
    segments,
    transposed_chords,
    triads,
)
from course_lib.music.errors import MusicError, WrongVoices
from course_lib.music.piece import REST, Piece


def block(*chords: tuple[int, ...], length: int = 8, **facts: object) -> Piece:
    """A piece whose chords last ``length`` steps each."""
    pitch = np.repeat(np.array(chords), length, axis=0)
    onset = np.zeros(pitch.shape, bool)
    onset[::length] = True
    return Piece(pitch, onset & (pitch != REST), **facts)


@pytest.mark.parametrize(
    ("lower", "name"),
    [
        ((64, 55, 48), "C"),
        ((64, 52, 45), "A"),  # the third is in the melody alone, and major is asked first
        ((67, 64, 48), "C"),
        ((60, 52, 45), "Am"),
        ((64, 60, 45), "Am"),  # the same three notes and a bass on A
        ((66, 62, 47), "Bm"),
        ((63, 58, 55), "Eb"),
        ((65, 62, 55), "G"),  # G7 without its third: the bass decides
    ],
)
def test_the_chord_below_the_melody(lower: tuple[int, ...], name: str) -> None:
    assert [CHORDS[i] for i in triads(block((72, *lower)), 8)] == [name]


def test_the_melody_does_not_count_and_silence_has_no_chord() -> None:
    piece = block((71, 64, 55, 48), (REST, 64, 55, 48), (72, REST, REST, REST))
    assert triads(piece, 8).tolist() == [0, 0, NO_CHORD]


def test_transposing_moves_the_chords() -> None:
    same = []
    for piece in chorales().valid[:8]:
        chords = triads(piece, piece.bar_steps // 2)
        for shift in (-5, 1, 6):
            same.extend(triads(piece.transpose(shift), piece.bar_steps // 2) == transposed_chords(chords, shift))
    assert np.mean(same) > 0.97  # of equal scores the first from C counts, which another key changes
    assert transposed_chords(np.array([0, 11, 12, 23, NO_CHORD]), 1).tolist() == [1, 0, 13, 12, NO_CHORD]


def test_segments_follow_the_bar_lines() -> None:
    piece = block((60, 48), (62, 50), (64, 52), length=8, pickup=4)
    assert [(part.start, part.stop) for part in segments(piece, 8)] == [(0, 4), (4, 12), (12, 20), (20, 24)]
    for real in chorales().valid:
        parts = segments(real, real.bar_steps // 2)
        assert np.array_equal(np.concatenate([np.arange(len(real))[part] for part in parts]), np.arange(len(real)))
        assert set(real.bar_lines) <= {part.start for part in parts}
    with pytest.raises(MusicError, match="length is 5; it must divide a bar of 16"):
        segments(piece, 5)


def test_pitch_classes_are_counted() -> None:
    piece = block((60, 48), (REST, 50))
    assert pitch_classes(piece, segments(piece, 8))[:, [0, 2]].tolist() == [[16, 0], [0, 8]]


def test_one_triad_explains_most_of_bach() -> None:
    share = np.mean([chord_coverage(piece, 8) for piece in chorales().valid if piece.time_signature == (4, 4)])
    assert 0.65 < share < 0.9
    assert chord_coverage(block((72, 64, 55, 48)), 8) == 1


def test_what_the_network_sees() -> None:
    piece = block((72, 64, 55, 48), (74, 62, 59, 55), (76, 64, 60, 48), (72, 64, 55, 48), key="C major", pickup=8)
    bars = half_bars(piece)
    assert bars.inputs.shape == (4, INPUTS) and bars.counts.shape == (4, 12)
    assert [CHORDS[i] for i in transposed_chords(bars.chord, -bars.shift)] == ["C", "G", "C", "C"]
    assert bars.inputs[:, 36].tolist() == [1, 0, 1, 0]  # the pickup is the second half of a bar
    assert (bars.inputs[:, :12].sum(axis=1) == 1).all() and (bars.inputs[:, 12:36].sum(axis=1) == 2).all()


def test_it_sees_the_melody_alone_in_a_common_key() -> None:
    for piece in chorales().valid[:5]:
        bars, there = half_bars(piece), half_bars(piece.transpose(3))
        assert np.array_equal(bars.inputs, there.inputs)
        other = Piece(
            np.where(piece.pitch == REST, REST, piece.pitch - [0, 1, 1, 1]),
            piece.onset,
            time_signature=piece.time_signature,
            pickup=piece.pickup,
        )
        assert np.array_equal(bars.inputs, half_bars(other).inputs)


def test_chords_to_be_played() -> None:
    melody = block((72, 64, 55, 48), (71, 62, 59, 55)).select(0)
    made = chord_piece(melody, np.array([0, 7]), 8)
    assert triads(made, 8).tolist() == [0, 7]
    assert np.array_equal(made.pitch[:, 0], melody.pitch[:, 0])
    assert (chord_piece(melody, np.array([0, NO_CHORD]), 8).pitch[8:, 1:] == REST).all()
    with pytest.raises(MusicError, match="1 chords for 2 segments"):
        chord_piece(melody, np.array([0]), 8)


def test_one_voice_has_no_chords() -> None:
    with pytest.raises(WrongVoices, match="1 voice; chords are read"):
        triads(block((60,)), 8)
