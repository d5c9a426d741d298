"""Every measure exact on a piece small enough to check by hand."""

from __future__ import annotations

from math import isnan, log2, nan, sqrt

import numpy as np
import pytest

from course_lib.music.datasets import chorales
from course_lib.music.encodings.phrases import (
    Pairs,
    voice_pairs,
)
from course_lib.music.errors import MusicError
from course_lib.music.keys import note_number
from course_lib.music.measures import metrics
from course_lib.music.measures.metrics import Parallel, Spread, consonance, last_step, pitch_accuracy
from course_lib.music.piece import REST, Note, Piece

SILENCE = Piece(np.full((8, 2), REST), np.zeros((8, 2), bool))


def piece(*voices: str, steps: int = 4, **facts: object) -> Piece:
    """Notes of ``steps`` time steps each, one string a voice: "C4 E4 - G4"; "-" is a rest, "." holds the note."""
    notes = []
    columns = [voice.split() for voice in voices]
    for v, names in enumerate(columns):
        for i, name in enumerate(names):
            if name == ".":
                notes[-1] = notes[-1]._replace(length=notes[-1].length + steps)
            elif name != "-":
                notes.append(Note(v, note_number(name), i * steps, steps))
    return Piece.from_notes(notes, len(columns[0]) * steps, len(voices), **facts)


C_MAJOR = piece("C4 D4 E4 F4 G4 A4 B4")


@pytest.mark.parametrize(
    ("music", "bits"),
    [
        (piece("C4 C5 C3"), 0.0),
        (piece("C4 C5 G4 G4"), 1.0),
        (piece("C4 . . G4"), 1.0),  # each note counts once, however long
        (piece("C4 C4 C4 E4"), 0.75 * log2(4 / 3) + 0.25 * 2),
        (C_MAJOR, log2(7)),
        (piece("C4 C#4 D4 Eb4 E4 F4", "F#3 G3 Ab3 A3 Bb3 B3"), log2(12)),
    ],
)
def test_pitch_class_entropy(music: Piece, bits: float) -> None:
    assert metrics.pitch_class_entropy(music) == pytest.approx(bits)


@pytest.mark.parametrize(
    ("music", "share"),
    [
        (C_MAJOR, 1.0),
        (C_MAJOR.transpose(2), 1.0),  # D major: wants the second modulo
        (C_MAJOR.transpose(11), 1.0),
        (piece("A3 B3 C4 D4 E4 F4 G#4 A4"), 1.0),  # harmonic minor
        (piece("C4 D4 Eb4 F4 G4 Ab4 Bb4"), 1.0),  # natural minor
        (piece("A3 B3 C4 D4 E4 F#4 G#4"), 6 / 7),  # melodic minor is none of the scales
        (piece("C4 C#4 D4 Eb4 E4 F4", "F#3 G3 Ab3 A3 Bb3 B3"), 7 / 12),
    ],
)
def test_scale_consistency(music: Piece, share: float) -> None:
    assert metrics.scale_consistency(music) == pytest.approx(share)


def test_a_note_held_from_before_counts_as_a_note() -> None:
    window = piece("C4 . G4 G4").window(4, 12)
    assert metrics.pitch_class_entropy(window) == pytest.approx(log2(3) - 2 / 3)
    assert metrics.note_density(window) == pytest.approx(2 / 3)  # but it does not begin here


@pytest.mark.parametrize(
    ("music", "notes"),
    [
        (piece("C4 D4", "E3 F3"), 1.0),
        (piece("C4 D4", "E3 ."), 0.75),
        (piece("C4 D4", "- -"), 0.5),
        (piece("C4 D4", steps=1), 4.0),
        (piece("C4 D4", steps=1, steps_per_quarter=12), 12.0),
        (SILENCE, 0.0),
    ],
)
def test_note_density(music: Piece, notes: float) -> None:
    assert metrics.note_density(music) == notes


@pytest.mark.parametrize(
    ("music", "n", "share"),
    [
        (piece("C4 D4 E4 C4 D4 E4"), 3, 1.0),
        (piece("C4 D4 E4 C4 D4 F4"), 3, 0.0),
        (piece("C4 D4 E4 C4 D4 F4"), 2, 1 / 3),  # of EC, CD, DF only CD stood before
        (piece("C4 C4 C4 C4 C4"), 2, 1.0),
        (piece("C4 C4 C4 D4"), 2, 0.0),  # the second CC overlaps the first
        (piece("C4 D4 - C4 . D4"), 2, 1.0),  # neither rests nor rhythm matter
        (piece("C4 D4 C4 D4", "G3 A3 B3 C4"), 2, 1 / 2),
        (piece("C4 D4 - -", "- - C4 D4"), 2, nan),  # another voice's notes are no repetition
        (piece("C4 D4 C4 D4"), 3, nan),
        (SILENCE, 1, nan),
    ],
)
def test_repetition(music: Piece, n: int, share: float) -> None:
    assert metrics.repetition(music, n) == pytest.approx(share, nan_ok=True)


def test_repetition_wants_a_note() -> None:
    with pytest.raises(MusicError, match="n is 0"):
        metrics.repetition(C_MAJOR, 0)


def test_tone_span() -> None:
    music = piece("C5 - E5", "C3 B3 .")
    assert metrics.tone_span(music) == 28
    assert metrics.tone_span(music.select(1)) == 11


@pytest.mark.parametrize(
    ("music", "mean", "rate"),
    [
        (piece("C4 E4 G4"), 1.0, 0.0),
        (piece("C4 E4 G4 -", "C3 E4 - -"), 4 / 3, 1 / 3),  # unison is one pitch, silence does not count
        (piece("C4 C4", "C4 E4", "G4 C4"), 2.0, 1.0),
        (piece("C4 C-1", "C3 -"), 1.5, 0.5),  # MIDI 0 is a pitch
    ],
)
def test_polyphony(music: Piece, mean: float, rate: float) -> None:
    assert metrics.polyphony(music) == pytest.approx(mean)
    assert metrics.polyphony_rate(music) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("music", "share"),
    [
        (piece("C5 E4 C5 C5", "E4 F4 C5 -"), 1 / 3),  # crossed once; a unison is none; one voice alone does not count
        (piece("C4 C4", "- -", "D4 C3"), 1 / 2),  # voices that are not neighbours
        (piece("C4 C4", "D4 E4", "E4 D4"), 1.0),  # several crossings in a step count once
        (piece("C4 -", "- D4"), nan),
        (C_MAJOR, nan),
    ],
)
def test_voice_crossings(music: Piece, share: float) -> None:
    assert metrics.voice_crossings(music) == pytest.approx(share, nan_ok=True)


@pytest.mark.parametrize(
    ("upper", "lower", "fifths", "octaves"),
    [
        ("G4 A4 B4", "C4 D4 E4", 2, 0),
        ("G4 A4", "C3 D3", 1, 0),  # twelfths
        ("G4 E4", "C4 A2", 1, 0),  # down, from a fifth to a twelfth
        ("C4 D4", "G4 A4", 1, 0),  # voices crossed
        ("F4 G4", "C4 D4", 0, 0),  # fourths
        ("C4 D4", "F4 G4", 0, 0),  # fourths too, though -5 = 7 modulo 12
        ("G4 G4", "C4 C4", 0, 0),  # repeated
        ("G4 G4", "C4 C3", 0, 0),  # one stays
        ("G4 D5", "C4 G3", 0, 0),  # contrary
        ("G4 G#4", "C4 D4", 0, 0),  # a fifth, then a tritone
        ("G4 - A4", "C4 . D4", 0, 0),  # a rest between
        ("G4 . A4", "C4 D4 .", 0, 0),  # one after the other
        ("G4 E4 A4", "C4 C4 D4", 0, 0),  # a third between
        ("C5 D5", "C4 D4", 0, 1),
        ("C5 D5", "C3 D4", 0, 1),  # two octaves, then one
        ("C4 D4", "C4 D4", 0, 1),  # unisons
        ("C5 D5", "C4 C4", 0, 0),
        ("C5 C4", "C4 C5", 0, 0),  # voices that change places move contrary
    ],
)
def test_parallels_between_two_voices(upper: str, lower: str, fifths: int, octaves: int) -> None:
    music = piece(upper, lower)
    assert len(metrics.parallels(music, 7)) == fifths
    assert len(metrics.parallels(music, 0)) == octaves
    bars = len(music) / 16
    assert metrics.parallel_fifths(music) == pytest.approx(fifths / bars)
    assert metrics.parallel_octaves(music) == pytest.approx(octaves / bars)


def test_parallels_say_where_and_who() -> None:
    music = piece("E5 G5 F5", "G4 A4 A4", "C4 D4 A3", "C3 D3 E3", time_signature=(3, 4))
    assert metrics.parallels(music, 7) == [Parallel(4, 1, 2), Parallel(4, 1, 3)]
    assert metrics.parallels(music, 0) == [Parallel(4, 2, 3)]
    assert metrics.parallel_fifths(music) == 2.0  # in one bar of 3/4


def test_no_parallels_in_a_single_voice() -> None:
    assert isnan(metrics.parallel_fifths(C_MAJOR)) and isnan(metrics.parallel_octaves(C_MAJOR))


def apart(k: int) -> float:
    """Distance of two pitch classes that lie k semitones apart, from the chords of the three circles."""
    chord = [2 * r * np.sin(np.pi * k * turn / 2) for r, turn in ((1, 7 / 6), (1, 3 / 2), (1 / 2, 2 / 3))]
    return sqrt(sum(x * x for x in chord))


@pytest.mark.parametrize(
    ("music", "distance"),
    [
        (piece("C4 C5 C3"), 0.0),
        (piece("C4 G4"), sqrt(2 - sqrt(3) + 2 + 3 / 4)),
        (piece("C4 F#4"), 2 * sqrt(2)),
        (piece("C4 E4 D5"), (apart(4) + apart(2)) / 2),
        (piece("C4 E4 D4"), (apart(4) + apart(10)) / 2),
        (piece("C4 - C4 E4"), apart(4)),  # a silent quarter note cuts
        (piece("C4 G4 G4 C4", steps=2), 0.0),  # the same pitches in both quarter notes, in whatever order
        (piece("C4 C4 E4", steps=2, pickup=2), apart(4) / 2),  # C, then half C and half E: half way
        (piece("C4 . -"), 0.0),
        (piece("C4 - C4"), nan),
        (SILENCE, nan),
    ],
)
def test_harmonic_distance(music: Piece, distance: float) -> None:
    assert metrics.harmonic_distance(music) == pytest.approx(distance, nan_ok=True)


def test_harmonic_distance_of_triads() -> None:
    to_g = piece("G4 G4", "E4 D4", "C4 B3")
    to_f_sharp = piece("G4 F#4", "E4 C#4", "C4 A#3")
    assert metrics.harmonic_distance(to_g) == pytest.approx(1.2134, abs=1e-4)
    assert metrics.harmonic_distance(to_f_sharp) == pytest.approx(1.9700, abs=1e-4)


def test_tonal_centroid() -> None:
    chroma = np.zeros((3, 12))
    chroma[0, 0] = 1
    chroma[1, [0, 4, 8]] = 5  # an augmented triad is spread over the circles of fifths and of major thirds
    chroma[2, [0, 3, 6, 9]] = 1  # a diminished seventh over those of fifths and of minor thirds
    expected = [[0, 1, 0, 1, 0, 0.5], [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0.5]]
    assert metrics.tonal_centroid(chroma) == pytest.approx(np.array(expected), abs=1e-12)


def test_silence_is_not_defined_rather_than_zero() -> None:
    board = metrics.measurements(SILENCE)
    assert {name for name, value in board.items() if not isnan(value)} == {
        "note density",
        "parallel fifths",
        "parallel octaves",
    }


def test_measurements_are_blind_to_transposition() -> None:
    music = piece("C5 D5 E5 C5 D5 E5", "G4 A4 C5 E4 - E4", "C4 D4 G3 . A3 C4")
    board = metrics.measurements(music)
    assert metrics.measurements(music.transpose(-7)) == pytest.approx(board)
    assert not any(isnan(value) for value in board.values())
    assert board["parallel fifths"] == metrics.parallel_fifths(music) > 0


def spans(*semitones: int) -> list[Piece]:
    """For each number a melody of two notes that far apart."""
    return [Piece(np.array([[60], [60 + s]]), np.ones((2, 1), bool)) for s in semitones]


def test_spread_is_mean_and_percentiles() -> None:
    of = metrics.spread(spans(*range(21)))["tone span"]
    assert of == Spread(10.0, 1.0, 19.0, 21)
    assert str(of) == "10.00 (1.00–19.00)"


def test_spread_leaves_out_pieces_without_a_value() -> None:
    music = metrics.spread([C_MAJOR, SILENCE])
    assert music["tone span"] == Spread(11.0, 11.0, 11.0, 1)
    assert music["voice crossings"].count == 0 and str(music["voice crossings"]) == "–"


def test_no_pieces_have_no_spread() -> None:
    with pytest.raises(MusicError, match="0 pieces"):
        metrics.spread([])


def test_within() -> None:
    real = metrics.spread(spans(*range(21)))
    answers = [metrics.within(real, metrics.measurements(music)) for music in spans(0, 1, 19, 20)]
    assert [answer["tone span"] for answer in answers] == [False, True, True, False]
    assert "voice crossings" not in answers[0]  # single voices do not cross
    assert metrics.within(real, metrics.measurements(SILENCE))["tone span"] is False


def test_bach_seldom_writes_parallels() -> None:
    real = metrics.spread(chorales().train)
    assert 0 < real["parallel fifths"].mean < 0.02
    assert 0 < real["parallel octaves"].mean < 0.02
    assert real["scale consistency"].low > 0.8


def two(soprano: list[int], bass: list[int], **facts: object) -> Piece:
    """Two voices on eighths; a new pitch has an onset, the same one is held."""
    pitch = np.array([soprano, bass]).T
    onset = np.vstack([np.ones((1, 2), bool), np.diff(pitch, axis=0) != 0]) & (pitch != REST)
    return Piece(pitch, onset, **{"steps_per_quarter": 2, "voices": ("Soprano", "Bass"), **facts})


A = two([60, 60, 62, 64], [48, 50, 50, REST])


def test_accuracy_counts_what_sounds() -> None:
    target = voice_pairs([A]).target
    again = target.copy()
    again[0, 2] = again[0, 1]  # an onset in place of a hold: the same pitch sounds
    wrong = target.copy()
    wrong[0, 0] += 1
    assert pitch_accuracy(again, target) == 1
    assert pitch_accuracy(wrong, target) == 0.75
    assert pitch_accuracy(Pairs(target, np.zeros_like(target)).target, target) == 0.25  # the rest at the end


def test_consonance_and_the_last_step() -> None:
    phrase = two([60, 60, 62, 64, 65, 65], [48, 50, 50, 50, 60, 60])
    # On the beats: octave, octave (62 over 50), fourth (65 over 60).
    assert consonance(phrase) == pytest.approx(2 / 3)
    assert consonance(phrase, beat_only=False) == pytest.approx(2 / 6)
    assert last_step(phrase) == 10
    assert last_step(two([60], [48])) is None
    assert np.isnan(consonance(two([60], [REST])))
