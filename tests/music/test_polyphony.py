"""Polyphonic frames: the public files' layout, the paper's convention, and tables with known values."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from benchmarks.polyphony.data import read_mat
from course_lib.music.baselines.frames import ChordHistogram, NoteNgram, NoteUnigram, mean_nats
from course_lib.music.datasets import chorale_frames
from course_lib.music.encodings.frames import KEYS, frames_piece, piano_frames
from course_lib.music.errors import MusicError
from course_lib.music.piece import REST, Piece


def cells(*lengths: int, seed: int = 0) -> np.ndarray:
    """A row of cells, as MATLAB saves them: random frames, uint8 (steps, 88)."""
    rng = np.random.default_rng(seed)
    row = np.empty((1, len(lengths)), object)
    for i, steps in enumerate(lengths):
        row[0, i] = (rng.random((steps, KEYS)) < 0.05).astype(np.uint8)
    return row


def write(path: Path, **parts: np.ndarray) -> Path:
    savemat(path, parts)
    return path


def test_the_public_layout_is_read(tmp_path: Path) -> None:
    train, valid, test = cells(5, 3), cells(4, seed=1), cells(2, 2, seed=2)
    data = read_mat(write(tmp_path / "a.mat", traindata=train, validdata=valid, testdata=test))
    assert [len(s) for s in data.train] == [5, 3] and [len(s) for s in data.test] == [2, 2]
    assert data.train[0].dtype == bool and (data.train[1] == train[0, 1]).all()
    assert data.part("test") is data.test


def test_sequences_of_one_length_may_be_one_array(tmp_path: Path) -> None:
    block = np.stack(cells(4, 4)[0])
    data = read_mat(write(tmp_path / "a.mat", traindata=block, validdata=cells(2)))
    assert [len(s) for s in data.train] == [4, 4] and (data.train[1] == block[1]).all()


def test_a_missing_test_part_is_said_when_it_is_asked_for(tmp_path: Path) -> None:
    data = read_mat(write(tmp_path / "a.mat", traindata=cells(3), validdata=cells(2)))
    assert data.test is None
    with pytest.raises(MusicError, match="no test part .*--split valid"):
        data.part("test")
    with pytest.raises(MusicError, match="no part 'exam'"):
        data.part("exam")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"traindata": cells(3)}, "no validdata; it holds traindata"),
        ({"traindata": cells(3), "validdata": np.full((1, 4, 88), 2)}, "sequence 0 is .* must be 0 and 1"),
        ({"traindata": np.zeros((1, 4, 87)), "validdata": cells(2)}, r"\(4, 87\); it must be"),
        ({"traindata": np.empty((0, 0), object), "validdata": cells(2)}, "traindata holds no frames"),
    ],
)
def test_another_layout_is_refused(tmp_path: Path, parts: dict, message: str) -> None:
    with pytest.raises(MusicError, match=message):
        read_mat(write(tmp_path / "a.mat", **parts))


def test_a_file_that_is_no_mat_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_text("no", encoding="utf-8")
    for name in ("a.mat", "b.mat"):
        with pytest.raises(MusicError, match=f"{name} cannot be read"):
            read_mat(tmp_path / name)


def test_frames_of_a_piece_are_its_quarters() -> None:
    # Four steps a quarter, a pickup of an eighth: quarters begin at steps 2, 6.
    pitch = np.array([[60]] * 2 + [[62]] * 4 + [[REST]] * 2 + [[64]] * 2)
    onset = pitch[:, 0] != np.r_[REST, pitch[:-1, 0]]
    piece = Piece(pitch, (onset & (pitch[:, 0] != REST))[:, None], pickup=2)
    assert np.argwhere(piano_frames(piece, transpose=1)).tolist() == [[0, 62 + 1 - 21]]
    assert len(piano_frames(piece)) == 2 and not piano_frames(piece)[1].any()
    with pytest.raises(MusicError, match="not among MIDI 21..108"):
        piano_frames(piece, transpose=60)


def test_the_chorales_are_in_c() -> None:
    data = chorale_frames()
    assert [len(part) for part in data] == [267, 37, 61]
    pooled = np.concatenate(data.train)
    heard = np.bincount((np.nonzero(pooled)[1] + 21) % 12, minlength=12)
    assert set(heard.argsort()[-2:]) == {0, 7} and 3.8 < pooled.sum(1).mean() < 4


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
    total = 8 + table.p * 2.0**88
    assert table.nats(two_chords()[0]) == pytest.approx(-np.log((4 + table.p) / total))
    other = np.zeros((1, KEYS), bool)
    other[0, 50] = True
    assert table.nats(other) == pytest.approx(-np.log(table.p / total))


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


def test_frames_become_four_voices_and_come_back() -> None:
    test = chorale_frames().test
    for roll in test[:5]:
        piece = frames_piece(roll)
        assert (piano_frames(piece) == roll).all() and piece.onset.sum() == roll.sum()
    roll = np.zeros((5, KEYS), bool)
    for frame, notes in zip(roll, ([60], [60, 72], [48, 60, 72], [40, 50, 60, 70, 80], []), strict=True):
        frame[np.array(notes, int) - 21] = True
    assert frames_piece(roll).pitch.tolist() == [
        [60, REST, REST, REST],
        [72, REST, REST, 60],
        [72, 60, REST, 48],
        [80, 70, 60, 40],
        [REST] * 4,
    ]
    held = np.repeat(roll[2:3], 3, axis=0)
    assert frames_piece(held).onset.sum() == 9 and frames_piece(held, tied=True).onset.sum() == 3
    for wrong in (np.zeros((3, KEYS), bool), np.ones((3, 12), bool)):
        with pytest.raises(MusicError, match="one note at least"):
            frames_piece(wrong)


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
