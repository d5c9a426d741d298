"""Self-similarity, keys, onsets: exact values on small pieces, templates from any piece, errors."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.datasets import celtic_tunes, chorales
from course_lib.music.errors import MusicError
from course_lib.music.keys import key_profile
from course_lib.music.measures.structure import (
    correlation,
    in_key,
    onset_profile,
    same_structure,
    self_similarity,
    template,
)
from course_lib.music.piece import REST, Piece


def line(pitches: list[int], spq: int = 2, **facts: object) -> Piece:
    """One voice, a new note at each step that is not a rest."""
    pitch = np.array(pitches)[:, None]
    return Piece(pitch, pitch != REST, steps_per_quarter=spq, **facts)


A, B, SILENT = [60, 62, 64, 65], [67, 67, 69, 71], [REST] * 4


def test_parts_that_are_the_same_are_alike_and_others_are_not() -> None:
    found = self_similarity(line([*A, *B, *A, *SILENT, 1]))
    wanted = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_likeness_is_a_cosine_step_by_step() -> None:
    half = [60, 62, 70, 72]
    assert self_similarity(line([*A, *half, *B]))[0, 1] == pytest.approx(0.5)
    moved = [62, 60, 65, 64]  # the same pitches at other steps
    assert self_similarity(line([*A, *moved, *B]))[0, 1] == 0
    two = Piece(np.array([[60, 60]] * 4 + [[60, 64]] * 4 + [[67, 71]] * 4), np.ones((12, 2), bool), 2)
    assert self_similarity(two)[0, 1] == pytest.approx(1 / np.sqrt(2))  # a unison counts for two


def test_form_is_compared_without_the_diagonal_and_survives_a_transposition() -> None:
    form, up = line([*A, *B, *A, *B]), line([p + 3 for p in [*A, *B, *A, *B]])
    assert same_structure(up, self_similarity(form)) == pytest.approx(1)
    assert same_structure(line([*A, *A, *B, *B]), self_similarity(form)) == pytest.approx(-0.5)
    with pytest.raises(MusicError, match="3 parts against a template's 4"):
        same_structure(line([*A, *B, *A]), self_similarity(form))
    with pytest.raises(MusicError, match="hold 2 parts of 4"):
        self_similarity(line([*A, *B]))


def test_correlation_is_pearsons_and_0_without_a_pattern() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 9))
    assert correlation(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert correlation(a, np.ones(9)) == 0
    with pytest.raises(MusicError, match=r"\(9,\) and \(8,\)"):
        correlation(a, b[:8])


def test_a_scale_is_in_its_key() -> None:
    scale = line([60, 62, 64, 65, 67, 69, 71, 72] * 2)
    counts = np.array([4, 0, 2, 0, 2, 2, 0, 2, 0, 2, 0, 2])
    assert in_key(scale, "C major") == pytest.approx(np.corrcoef(counts, key_profile("C major"))[0, 1])
    assert in_key(scale, "C major") > in_key(scale, "G major") > in_key(scale, "F# major")
    assert in_key(scale.transpose(7), "G major") == pytest.approx(in_key(scale, "C major"))
    with pytest.raises(MusicError, match="needs 16"):
        in_key(line(A), "C major")


def test_onsets_are_counted_by_place_in_the_bar() -> None:
    onset = np.zeros((18, 2), bool)
    onset[2::8, 0] = onset[6::8, :] = True  # two steps of pickup, then bars of 8
    piece = Piece(np.full((18, 2), 60), onset, 2, pickup=2)
    np.testing.assert_allclose(onset_profile(piece), [0.5, 0, 0, 0, 1, 0, 0, 0])
    held = Piece(np.full((8, 1), 60), np.zeros((8, 1), bool), 2)
    assert onset_profile(held)[0] == 1  # what was there before starts with the piece
    with pytest.raises(MusicError, match="no full bar"):
        onset_profile(line(A))


def test_a_template_of_a_chorale() -> None:
    piece = chorales().test[0]
    found = template(piece)
    assert found.piece.pitch.shape == (64, 4) and found.structure.shape == (16, 16) and found.onsets.shape == (8,)
    assert found.key in ("C major", "A minor") and found.piece.key == found.key and found.piece.pickup == 0
    start = piece.pitch[piece.pickup :: 2][:64]
    assert len(np.unique(found.piece.pitch - start)) == 1  # one transposition
    np.testing.assert_allclose(found.structure, self_similarity(found.piece))


def test_a_template_of_a_tune_in_another_metre() -> None:
    tune = next(t.piece for t in celtic_tunes().valid if t.piece.time_signature == (6, 8))
    found = template(tune)
    assert found.onsets.shape == (6,) and len(found.piece) % 6 == 0 and len(found.piece) <= 64


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (line([60] * 12, 2), "has 8 eighths in full bars; a template needs 16"),
        (line([REST] * 32, 2), "is silent in its first 32 eighths"),
        (line([60] * 64, 3), "do not fit a grid of 2 steps"),
        (line([60] * 64, 4, time_signature=(7, 16)), "do not fit a grid of 2 steps"),
        (line([60] * 3, 4, pickup=3), "nothing but a pickup"),
    ],
)
def test_what_makes_no_template_is_refused_in_words(piece: Piece, message: str) -> None:
    with pytest.raises(MusicError, match=message):
        template(piece)


@pytest.mark.parametrize("octave", [0, 127])
def test_a_template_at_the_ends_of_midi(octave: int) -> None:
    assert len(template(line([octave] * 32)).piece) == 32
