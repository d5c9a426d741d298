"""Tables of counts and copies: what harmonising networks have to beat."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.baselines.harmony import (
    CONTEXTS,
    BassTable,
    bass_contexts,
    chord_chain,
    most_frequent,
    nearest_neighbour,
    nearest_phrases,
    nearest_window,
    soprano_table,
)
from course_lib.music.datasets import chorale_phrases, chorales, windows
from course_lib.music.encodings.phrases import (
    BASS,
    FIRST,
    SILENCE,
    SOPRANO,
    voice_pairs,
)
from course_lib.music.measures.metrics import pitch_accuracy
from course_lib.music.piece import REST, Piece
from course_lib.symbols import END, PAD

TRAIN = np.array([[[60, 55, 48], [62, 55, 47], [64, 55, 48], [60, 52, 48]]])


def test_most_frequent() -> None:
    assert most_frequent(TRAIN, np.array([[1, 2]])).tolist() == [[[55, 48], [55, 48]]]


def test_the_table_knows_what_it_saw_and_falls_back() -> None:
    assert soprano_table(TRAIN, np.array([[62, 64, 70]])).tolist() == [[[55, 47], [55, 48], [55, 48]]]


def test_context_tells_two_equal_notes_apart() -> None:
    after_64 = soprano_table(TRAIN, np.array([[64, 60]]), context=(0, -1))
    assert after_64[0, 1].tolist() == [52, 48]


def test_transpositions_reach_other_keys() -> None:
    assert soprano_table(TRAIN, TRAIN[..., 0] + 20).tolist() == most_frequent(TRAIN, TRAIN[..., 0]).tolist()
    moved = soprano_table(TRAIN, TRAIN[..., 0] + 1, (0, -1, 1), transpositions=(0, 1))
    assert moved.tolist() == (TRAIN[..., 1:] + 1).tolist()


def test_the_nearest_neighbour_is_found_in_another_key() -> None:
    other = TRAIN[:, ::-1] - 7
    found = nearest_neighbour(np.concatenate([TRAIN, other]), TRAIN[..., 0] + 3)
    assert found.tolist() == (TRAIN[..., 1:] + 3).tolist()


def test_the_nearest_window_agrees_in_most_cells() -> None:
    train = np.concatenate([TRAIN, TRAIN + 5, TRAIN])
    wanted = np.stack([TRAIN[0] + 5, TRAIN[0]])
    wanted[0, 0, 0] = 1
    assert nearest_window(train, wanted).tolist() == [1, 0]


def test_the_chain_follows_chords_that_it_has_seen() -> None:
    train = windows(chorales().train)[:200]
    made = chord_chain(train, 5, seed=1)
    assert made == chord_chain(train, 5, seed=1) != chord_chain(train, 5, seed=2)
    known = {(w.pitch[s - 1].tobytes(), w.pitch[s : s + 4].tobytes()) for w in train for s in range(4, len(w), 4)}
    for piece in made:
        assert len(piece) == 64
        assert all((piece.pitch[s - 1].tobytes(), piece.pitch[s : s + 4].tobytes()) in known for s in range(4, 64, 4))
    assert not any((piece.pitch == w.pitch).all() for piece in made for w in train)


def two(soprano: list[int], bass: list[int], **facts: object) -> Piece:
    """Two voices on eighths; a new pitch has an onset, the same one is held."""
    pitch = np.array([soprano, bass]).T
    onset = np.vstack([np.ones((1, 2), bool), np.diff(pitch, axis=0) != 0]) & (pitch != REST)
    return Piece(pitch, onset, **{"steps_per_quarter": 2, "voices": ("Soprano", "Bass"), **facts})


A = two([60, 60, 62, 64], [48, 50, 50, REST])


def test_contexts_are_what_they_are_called() -> None:
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
    tables = BassTable(known, (0,), pseudo_count=2.0)
    p = np.exp(tables.log_p(known))[0, :3]
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)
    c, d, share = 48 - 36 + FIRST, 50 - 36 + FIRST, 1 / BASS.symbols
    alone = (2 + 2 * share) / 8, (1 + 2 * share) / 8  # six numbers counted, a pseudo-count of two
    assert p[0, c] == pytest.approx((2 + 2 * alone[0]) / 4, rel=1e-5)
    assert p[1, d] == pytest.approx((1 + 2 * alone[1]) / 4, rel=1e-5)
    nothing = np.exp(BassTable(known, (), pseudo_count=2.0).log_p(known))  # no context at all
    assert nothing[0, 0, [c, d]].tolist() == pytest.approx(alone, rel=1e-5)


def test_an_unseen_context_is_answered_by_the_shorter_one() -> None:
    known = voice_pairs([two([60, 62], [48, 50])])
    other = voice_pairs([two([62, 60], [47, 50])])
    one, more = BassTable(known, (0,)), BassTable(known, (0, 1))
    now, before = bass_contexts(other.source, other.target)[0, 1], bass_contexts(known.source, known.target)[0, 1]
    assert not np.array_equal(now[:2], before[:2])
    np.testing.assert_allclose(more.probabilities(now[None, :2]), one.probabilities(now[None, :1]), rtol=1e-5)


def test_tables_write_a_line_as_long_as_the_soprano() -> None:
    known = voice_pairs(chorale_phrases(chorales().valid[:8]))
    made = BassTable(known, range(6), pseudo_count=0.01).write(known.source)
    assert ((made == END) == (known.source == END)).all() and ((made == PAD) == (known.source == PAD)).all()
    assert pitch_accuracy(made, known.target) > 0.6  # it has seen them


def test_the_nearest_phrase_of_one_known_is_itself() -> None:
    known = voice_pairs([A, two([60, 60, 62, 65], [41, 41, 41, 41])])
    np.testing.assert_array_equal(nearest_phrases(known, known.source), known.target)
    longer = voice_pairs([two([60] * 6, [48] * 6)])
    assert nearest_phrases(known, longer.source)[0, :7].tolist() == [SILENCE] * 6 + [END]
