"""The networks of lesson 12 as they are shipped: their likelihood of unseen chorales, and what they write."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from course_lib.architectures.over_time import (
    complete_frames,
    estimated_nats,
    frame_nats,
    rnn_outputs,
    sample_frames,
)
from course_lib.music.baselines.frames import NoteUnigram, mean_nats
from course_lib.music.datasets import chorale_frames
from course_lib.music.encodings.frames import KEYS, pitch_sets, set_kinds, with_transposition
from course_lib.training import ROOT, load, shipped_record

SHIFTS = {"12_rnn": 0, "12_rnn_rbm": 0, "12_rnn_nade": 0, "12_lstm_nade": 3, "12_notes": 3}
"""The networks, and the most semitones of transposition that each is trained for."""

shipped = cache(load)


def score(name: str, side: str = "test") -> float:
    return shipped_record(name)["scores"][f"{side} nats"]


@pytest.mark.parametrize("name", [name for name in SHIFTS if name != "12_rnn_rbm"])
def test_the_recorded_likelihood_is_that_of_the_weights(name: str) -> None:
    model, shift = shipped(name), SHIFTS[name]
    found = -mean_nats(frame_nats(model, [with_transposition(s, shift=shift) for s in chorale_frames().test]))
    assert found == pytest.approx(score(name), abs=2e-3)


def test_the_recorded_estimate_is_near_another_one() -> None:
    """Some frames, other random numbers, and another place to begin: low odds in place of the training frames'."""
    model = shipped("12_rnn_rbm")
    data = chorale_frames()
    v, u = np.concatenate(data.test), rnn_outputs(model, data.test)
    at = np.random.default_rng(5).choice(len(v), 150, replace=False)
    p = NoteUnigram(data.train).p
    found, other = (
        estimated_nats(model, v[at], u[at], base, 2, 600, seed=7) for base in (np.log(p / (1 - p)), np.full(KEYS, -3.0))
    )
    assert found.nats.mean() == pytest.approx(other.nats.mean(), abs=0.1)
    assert abs(found.nats.mean() - score("12_rnn_rbm")) < 3 * found.nats.std() / np.sqrt(len(at))


def test_the_results_have_what_was_recorded() -> None:
    text = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    rows = {
        "each key by itself": "12_rnn",
        "RBM, RNN-RBM as in the paper": "12_rnn_rbm",
        "NADE, RNN-NADE": "12_rnn_nade",
        "LSTM and NADE": "12_lstm_nade",
        "LSTM, note by note": "12_notes",
    }
    for row, name in rows.items():
        (printed,) = re.findall(rf"^\| \**{row}\** \|.*\| \**([\d.]+)\** \|$", text, re.MULTILINE)
        assert printed == f"{score(name):.2f}", row


@pytest.mark.parametrize("name", ["12_rnn_rbm", "12_notes"])
def test_what_they_write_has_chords_and_moves(name: str) -> None:
    model, shift = shipped(name), SHIFTS[name]
    made = sample_frames(model, 24, 8, with_transposition(np.zeros((8, 0)), shift=shift), seed=3)
    assert set_kinds(pitch_sets(made.reshape(-1, KEYS)))["triads"] > 0.4
    assert 3 < made.sum(2).mean() < 5
    assert (made[:, 1:] == made[:, :-1]).all(2).mean() < 0.3
    assert len({music.tobytes() for music in made}) == 8


def test_particles_help_on_unseen_melodies() -> None:
    """A few particles that look ahead make an unseen melody more probable than a single one, which cannot."""
    model, shift = shipped("12_notes"), SHIFTS["12_notes"]
    melodies = [[int(np.flatnonzero(frame)[-1]) for frame in roll[1:21]] for roll in chorale_frames().test[:12]]
    beside = with_transposition(np.zeros((20, 0)), shift=shift)
    nats = {
        particles: -np.mean(
            [
                complete_frames(model, melody, particles, condition=beside[:particles]).log_p.mean()
                for melody in melodies
            ]
        )
        for particles in (1, 20)
    }
    assert nats[20] < nats[1] - 0.05, nats
