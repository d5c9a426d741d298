"""Independent notes, histograms and n-grams of frames, with values known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.baselines.frames import (
    ChordHistogram,
    NoteNgram,
    NoteUnigram,
    conditional,
    mean_nats,
)
from course_lib.music.encodings.frames import ALL_SETS, KEYS, set_numbers
from course_lib.music.errors import MusicError


def cells(*lengths: int, seed: int = 0) -> np.ndarray:
    """A row of cells, as MATLAB saves them: random frames, uint8 (steps, 88)."""
    rng = np.random.default_rng(seed)
    row = np.empty((1, len(lengths)), object)
    for i, steps in enumerate(lengths):
        row[0, i] = (rng.random((steps, KEYS)) < 0.05).astype(np.uint8)
    return row


def test_what_fills_a_batch_must_not_be_averaged() -> None:
    """Frames of silence behind the shorter sequences are easy to guess: averaged in, they flatter any model."""
    sequences = [cells(n, seed=n)[0, 0].astype(bool) for n in (3, 10, 40)]
    table = NoteUnigram(sequences)
    right = mean_nats(map(table.nats, sequences))
    longest = max(map(len, sequences))
    padded = [np.pad(s, ((0, longest - len(s)), (0, 0))) for s in sequences]
    wrong = mean_nats(map(table.nats, padded))
    assert wrong > right + 3  # and it looks better than it is
    # All frames pooled: a mean of the sequences' means is another number, and so is one without first frames.
    by_sequence = np.mean([-table.nats(s).mean() for s in sequences])
    without_first = mean_nats(table.nats(s)[1:] for s in sequences)
    assert len({round(float(x), 6) for x in (right, by_sequence, without_first)}) == 3
    assert right == pytest.approx(-np.concatenate([table.nats(s) for s in sequences]).mean())


def two_chords() -> list[np.ndarray]:
    """One sequence: a chord of keys 0 and 1, silence, and so on in turn, eight frames."""
    frame = np.zeros((8, KEYS), bool)
    frame[::2, :2] = True
    return [frame]


def test_note_unigrams_by_hand() -> None:
    each, one = NoteUnigram(two_chords()), NoteUnigram(two_chords(), iid=True)
    assert each.p[:2] == pytest.approx(0.5) and each.p[2:] == pytest.approx(0.5 / 9)
    assert each.nats(two_chords()[0]) == pytest.approx(2 * np.log(2) - 86 * np.log(1 - 0.5 / 9))
    p = 8 / (8 * KEYS)
    chord, silence = one.nats(two_chords()[0])[:2]
    assert silence == pytest.approx(-88 * np.log(1 - p))
    assert chord - silence == pytest.approx(2 * np.log((1 - p) / p))


def test_a_chord_histogram_by_hand() -> None:
    table = ChordHistogram(two_chords(), two_chords())
    assert table.parameters == 2
    p, total = table.a * 0.5**88, 8 + table.a
    assert table.nats(two_chords()[0]) == pytest.approx(-np.log((4 + p) / total))
    other = np.zeros((1, KEYS), bool)
    other[0, 50] = True
    assert table.nats(other) == pytest.approx(-np.log(p / total))


def test_note_ngrams_know_their_own_past() -> None:
    table = NoteNgram(two_chords() * 50, two_chords())
    assert table.n >= 2
    nats = table.nats(two_chords()[0])
    assert nats[1:].max() < 0.2 < NoteUnigram(two_chords() * 50).nats(two_chords()[0]).min()
    # Only a key's own past counts: what another key does changes nothing for it.
    moved = two_chords()[0]
    moved[3, 40] = True
    assert table.nats(moved)[:3] == pytest.approx(nats[:3]) and table.nats(moved)[3] > nats[3] + 3


def test_the_history_of_an_ngram_has_silence_before_the_first_frame() -> None:
    history = NoteNgram._history(two_chords()[0], 3)
    assert history[:, 0].tolist() == [0, 1, 2, 1, 2, 1, 2, 1]


def test_the_note_ngram_samples_what_it_learnt() -> None:
    """Two keys that alternate for sure, and one that sounds half of the time."""
    rng = np.random.default_rng(0)
    train = []
    for _ in range(20):
        song = np.zeros((60, KEYS), bool)
        song[::2, 40] = song[1::2, 41] = True
        song[:, 50] = rng.random(60) < 0.5
        train.append(song)
    model = NoteNgram(train, train[:5], longest=3)
    made = model.sample(400, seed=1)
    assert (made[:-1, 40] == made[1:, 41]).mean() > 0.9 and (made[:-1, 40] != made[1:, 40]).mean() > 0.9
    assert 0.4 < made[:, 50].mean() < 0.6 and made[:, :40].mean() < 0.01
    np.testing.assert_array_equal(made, model.sample(400, seed=1))


def of(*classes: int) -> np.ndarray:
    found = np.zeros(12, bool)
    found[list(classes)] = True
    return found


def test_tables_sum_to_one_and_smooth() -> None:
    rng = np.random.default_rng(0)
    train, valid = (np.concatenate([[of(0, 4, 7)] * n, rng.random((n, 12)) < 0.3]) for n in (60, 30))
    alone = NoteUnigram([train])
    table = ChordHistogram([train], [valid], alone)
    for model in (alone, table):
        assert np.exp(-model.nats(ALL_SETS)).sum() == pytest.approx(1)
    assert alone.p[1] == pytest.approx((train[:, 1].sum() + 0.5) / 121)
    assert table.nats(valid).mean() < alone.nats(valid).mean()
    counts, q = np.bincount(set_numbers(train), minlength=4096), np.exp(-alone.nats(ALL_SETS))
    best = max(np.log((counts + a * q) / (120 + a))[set_numbers(valid)].mean() for a in 2.0 ** np.arange(-4, 14))
    assert -table.nats(valid).mean() == pytest.approx(best)


def test_conditional_is_bayes_rule() -> None:
    log_p = np.random.default_rng(1).normal(size=4096)
    fixed = np.full(12, -1)
    fixed[[0, 4, 7]] = 1, 1, 0
    p = conditional(log_p, fixed)
    agrees = ALL_SETS[:, 0] & ALL_SETS[:, 4] & ~ALL_SETS[:, 7]
    assert p.sum() == pytest.approx(1) and (p[~agrees] == 0).all()
    np.testing.assert_allclose(p[agrees], np.exp(log_p[agrees]) / np.exp(log_p[agrees]).sum())
    for wrong in (fixed[:3], np.full(12, 2)):
        with pytest.raises(MusicError, match="twelve of 1"):
            conditional(log_p, wrong)
