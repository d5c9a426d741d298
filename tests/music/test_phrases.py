"""Phrases as numbers, the tables that count them, and the measures of two voices."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.baselines.harmony import CONTEXTS, BassTable, bass_contexts, nearest_phrases
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
    Pairs,
    chord_pairs,
    on_beats,
    voice_pairs,
)
from course_lib.music.errors import MusicError, PitchOutOfRange, WrongMetre, WrongVoices
from course_lib.music.measures.metrics import consonance, last_step, pitch_accuracy
from course_lib.music.piece import REST, Piece
from course_lib.symbols import END, PAD


def two(soprano: list[int], bass: list[int], **facts: object) -> Piece:
    """Two voices on eighths; a new pitch is struck, the same one held."""
    pitch = np.array([soprano, bass]).T
    onset = np.vstack([np.ones((1, 2), bool), np.diff(pitch, axis=0) != 0]) & (pitch != REST)
    return Piece(pitch, onset, **{"steps_per_quarter": 2, "voices": ("Soprano", "Bass"), **facts})


A = two([60, 60, 62, 64], [48, 50, 50, REST])


def test_eighths_keep_what_sounds_on_them() -> None:
    pitch = np.array([[60], [60], [60], [62], [62], [62], [62], [62]])
    onset = np.array([[1], [0], [0], [1], [0], [0], [1], [0]], bool)
    coarse = eighths(Piece(pitch, onset, pickup=2, fermata=np.arange(8) == 5))
    assert coarse.pitch.ravel().tolist() == [60, 60, 62, 62]
    assert coarse.onset.ravel().tolist() == [True, False, True, True]  # the 62 began between two eighths
    assert (coarse.pickup, coarse.steps_per_quarter, coarse.fermata.tolist()) == (1, GRID, [False, False, True, False])
    with pytest.raises(WrongMetre, match="1 steps a quarter"):
        (Piece(pitch, onset, steps_per_quarter=1)).regrid(2)


def test_a_note_that_began_between_two_eighths_is_struck_at_the_next_one() -> None:
    pitch, struck = np.full((8, 1), 60), np.zeros((8, 1), bool)
    struck[[0, 3]] = True  # the same pitch again
    assert (Piece(pitch, struck)).regrid(2).onset[:, 0].tolist() == [True, False, True, False]
    assert not eighths(Piece(pitch, np.zeros((8, 1), bool))).onset.any()


def test_what_does_not_fit_a_grid_of_eighths_is_refused() -> None:
    pitch, onset = np.full((9, 1), 60), np.zeros((9, 1), bool)
    assert len((Piece(pitch[:3], onset[:3])).regrid(2)) == 2  # an odd length loses no step
    for facts in ({"steps_per_quarter": 3}, {"pickup": 1}, {"time_signature": (7, 16)}):
        with pytest.raises(WrongMetre, match="do not fit a grid of eighths"):
            (Piece(pitch, onset, **facts)).regrid(2)


def test_a_phrase_ends_after_its_fermata() -> None:
    pitch = np.repeat([[60, 48], [62, 50], [64, 52], [65, 53]], 4, axis=0)
    onset = np.zeros((16, 2), bool)
    onset[::4] = True
    whole = Piece(pitch, onset, fermata=np.arange(16) == 4, voices=("Soprano", "Bass"), pickup=4)
    first, second = chorale_phrases([whole], voices=(0, 1))
    assert (len(first), len(second)) == (4, 4)
    assert first.pitch[:, 0].tolist() == [60, 60, 62, 62] and first.pickup == 2
    assert second.pitch[:, 1].tolist() == [52, 52, 53, 53]
    assert chorale_phrases([whole], voices=(0, 1), longest=3) == []


def test_the_phrases_of_the_data() -> None:
    """Every eighth of a phrase stands in its chorale, and few phrases are left out."""
    piece = chorales().valid[0]
    found = chorale_phrases([piece])
    whole = piece.regrid(2).pitch[:, [0, 3]]
    assert np.array_equal(np.concatenate([phrase.pitch for phrase in found]), whole)
    every = chorale_phrases(chorales().valid)
    assert max(map(len, every)) <= LONGEST_PHRASE and all(phrase.voices == ("Soprano", "Bass") for phrase in every)
    assert len(every) > 200


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


def test_contexts_say_what_they_are_called() -> None:
    given = voice_pairs([A])
    seen = dict(zip(CONTEXTS, bass_contexts(given.source, given.target)[0, :5].T, strict=True))
    s, b = SOPRANO.encode(A, 0), BASS.encode(A, 1)
    assert seen["soprano now"].tolist() == [2 * s[0], 2 * s[0] + 1, 2 * s[2], 2 * s[3], 2 * END]
    assert seen["bass before"].tolist() == [0, 2 * b[0], 2 * b[1], 2 * b[1] + 1, 2 * SILENCE]
    assert seen["bass before that"].tolist() == [0, 0, 2 * b[0], 2 * b[1], 2 * b[1] + 1]
    assert seen["beat"].tolist() == [0, 1, 0, 1, 0]
    assert seen["soprano next"].tolist() == [*seen["soprano now"][1:], 0]


def test_tables_count() -> None:
    """Two phrases that differ in what follows: the probabilities by hand."""
    known = voice_pairs([two([60, 62], [48, 50]), two([60, 62], [48, 52])])
    tables = BassTable(known, (0,), lean=2.0)
    p = np.exp(tables.log_p(known))[0, :3]
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)
    c, d, share = 48 - 36 + FIRST, 50 - 36 + FIRST, 1 / BASS.symbols
    alone = (2 + 2 * share) / 8, (1 + 2 * share) / 8  # six numbers counted, two imagined
    assert p[0, c] == pytest.approx((2 + 2 * alone[0]) / 4, rel=1e-5)
    assert p[1, d] == pytest.approx((1 + 2 * alone[1]) / 4, rel=1e-5)


def test_an_unseen_context_asks_the_shorter_one() -> None:
    known = voice_pairs([two([60, 62], [48, 50])])
    other = voice_pairs([two([62, 60], [47, 50])])
    one, more = BassTable(known, (0,)), BassTable(known, (0, 1))
    now, before = bass_contexts(other.source, other.target)[0, 1], bass_contexts(known.source, known.target)[0, 1]
    assert not np.array_equal(now[:2], before[:2])
    np.testing.assert_allclose(more.probabilities(now[None]), one.probabilities(now[None]), rtol=1e-5)


def test_tables_write_a_line_as_long_as_the_soprano() -> None:
    known = voice_pairs(chorale_phrases(chorales().valid[:8]))
    made = BassTable(known, range(6), lean=0.01).write(known.source)
    assert ((made == END) == (known.source == END)).all() and ((made == PAD) == (known.source == PAD)).all()
    assert pitch_accuracy(made, known.target) > 0.6  # it has seen them


def test_the_nearest_phrase_of_one_known_is_itself() -> None:
    known = voice_pairs([A, two([60, 60, 62, 65], [41, 41, 41, 41])])
    np.testing.assert_array_equal(nearest_phrases(known, known.source), known.target)
    longer = voice_pairs([two([60] * 6, [48] * 6)])
    assert nearest_phrases(known, longer.source)[0, :7].tolist() == [SILENCE] * 6 + [END]


def test_accuracy_counts_what_sounds() -> None:
    target = voice_pairs([A]).target
    struck = target.copy()
    struck[0, 2] = struck[0, 1]  # struck again, not held: the same pitch sounds
    wrong = target.copy()
    wrong[0, 0] += 1
    assert pitch_accuracy(struck, target) == 1
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
