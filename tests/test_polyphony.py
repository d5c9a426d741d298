"""The table of polyphonic models: the command, its training that goes on after an interrupt, and each network."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from scipy.io import savemat

from benchmarks.polyphony import machines, networks, program, training
from benchmarks.polyphony.published import published, set_name
from benchmarks.polyphony.training import Frames, Plan, Windows, by_length, train
from course_lib.architectures.batches import NO_FRAME, padded_frames, with_transposition
from course_lib.architectures.boltzmann import RBM
from course_lib.architectures.nade import NADE, Independent, NoteByNote
from course_lib.architectures.over_time import RNNNADE, OverTime
from course_lib.music.datasets import Split
from course_lib.music.encodings.frames import KEYS

PLAN = Plan(rate=1e-2, epochs=4, batch=3, shift=2, window=8)


def song(steps: int, seed: int) -> np.ndarray:
    """Chords of one to three keys within 40..59."""
    rng, frames = np.random.default_rng(seed), np.zeros((steps, KEYS), bool)
    for frame in frames:
        frame[40 + rng.choice(20, rng.integers(1, 4), replace=False)] = True
    return frames


def songs(*lengths: int, seed: int = 0) -> list[np.ndarray]:
    return [song(steps, seed + i) for i, steps in enumerate(lengths)]


def small_set() -> Split[np.ndarray]:
    return Split(songs(12, 5, 30, 9), songs(7, 11, seed=10), songs(6, seed=20))


@pytest.fixture
def mat(tmp_path: Path) -> Path:
    """A file of the public layout, without a test part."""
    parts = {}
    for key, sequences in (("traindata", small_set().train), ("validdata", small_set().valid)):
        parts[key] = np.empty((1, len(sequences)), object)
        parts[key][0] = [s.astype(np.uint8) for s in sequences]
    savemat(tmp_path / "tiny.mat", parts)
    return tmp_path / "tiny.mat"


@pytest.fixture
def command(mat: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Runs the program on the small file; gives what it wrote as JSON."""
    monkeypatch.setattr(program, "machine", lambda: {"packages": {"numpy": np.__version__}})
    monkeypatch.setattr(program, "busy", lambda: 0.0)

    def run(*arguments: str) -> dict:
        where = ["--data", str(mat), "--json", str(mat.with_name("out.json")), "--work", str(mat.parent / "work")]
        program.main([*where, *arguments])
        return json.loads(mat.with_name("out.json").read_text(encoding="utf-8"))

    return run


def test_the_table_says_what_the_json_says(command: object, capsys: pytest.CaptureFixture) -> None:
    written = command("--models", "random", "ngram", "--seed", "3")
    assert [row["row"] for row in written["rows"]] == [
        "random",
        "note 1-gram, one for all",
        "note 1-gram",
        "chord histogram",
        "note N-gram",
    ]
    assert written["rows"][0]["nats"] == pytest.approx(-60.997, abs=1e-3)
    assert written["seed"] == 3 and written["split"] == "valid" and written["set"] is None
    assert written["frames"] == {"train": 56, "valid": 18} and written["machine"]["packages"]["numpy"]
    printed = capsys.readouterr().out
    assert "−61.00" in printed and "here, valid" in printed and "published, test" in printed
    assert all(f"{row['nats']:.2f}".replace("-", "−") in printed for row in written["rows"])


def test_without_a_test_part_the_command_says_so(command: object, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as error:
        command("--split", "test")
    assert error.value.code == 2 and "has no test part" in capsys.readouterr().err


def test_an_unknown_model_is_refused(command: object, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command("--models", "transformer")
    assert "rnn-notes-bounded" in capsys.readouterr().err


def test_the_public_sets_are_known_by_their_size() -> None:
    frames = np.zeros((13_807 - 228, KEYS), bool), np.zeros((1, KEYS), bool)
    data = Split([frames[0], *[frames[1]] * 228], [frames[1]], None)
    assert set_name(data) == "JSB Chorales"
    assert published("RNN-RBM", "JSB Chorales") == -6.27 and published("RNN-NADE", "Nottingham") == -2.31
    assert published("RNN, note by note", "JSB Chorales") is None and set_name(small_set()) is None


def stub(run: networks.Run) -> networks.Trained:
    facts = {"seconds": 1.0, "cpu seconds": 1.0}
    return networks.Trained(lambda part: networks.Measured(9.0, (8.5, 9.5), "stub"), 7, facts)


def test_what_was_measured_is_not_measured_again(command: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "train_rbm", stub)
    row = command("--models", "rbm")["rows"][0]
    assert (row["nats"], row["interval"], row["parameters"]) == (-9.0, [-9.5, -8.5], 7)
    monkeypatch.setattr(machines, "train_rbm", lambda run: pytest.fail("trained again"))
    assert command("--models", "random", "rbm")["rows"][1] == row
    monkeypatch.setattr(machines, "train_rbm", stub)
    monkeypatch.setattr(networks, "train_nade", stub)
    assert len(command("--models", "rbm", "nade", "--fresh")["rows"]) == 2
    monkeypatch.setattr(machines, "train_rbm", lambda run: stub(run)._replace(parameters=8))
    assert command("--models", "rbm", "--seed", "1")["rows"][0]["parameters"] == 8


def test_rows_before_an_interrupt_are_kept(command: object, mat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(run: networks.Run) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(machines, "train_rbm", stub)
    monkeypatch.setattr(networks, "train_nade", interrupted)
    with pytest.raises(SystemExit) as error:
        command("--models", "rbm", "nade")
    assert error.value.code == 130
    assert [row["row"] for row in json.loads(mat.with_name("out.json").read_text("utf-8"))["rows"]] == ["RBM"]


def test_windows_ask_for_every_frame_once() -> None:
    sequences = songs(12, 5, 30, 9)
    windows = Windows(sequences, PLAN, 0, (0, KEYS - 1))
    for epoch in range(3):
        asked = 0
        for x, weights in windows(epoch):
            real = x[..., 0] != NO_FRAME
            asked += int((weights * real).sum())
            assert x.shape[2] == KEYS + 5 and (x[real][:, KEYS:].sum(1) == 1).all()
            # Semitones told are semitones moved: moved back, all keys are where they were.
            for row in x:
                moved = int(row[0, KEYS:].argmax()) - PLAN.shift
                keys = np.flatnonzero((row[row[:, 0] != NO_FRAME, :KEYS] > 0).any(0)) - moved
                assert keys.min() >= 40 and keys.max() < 60
        assert asked == 56
    first, again = (next(iter(windows(1)))[0] for _ in range(2))
    assert (first == again).all() and not np.array_equal(first, next(iter(windows(2)))[0])


def test_windows_hear_what_came_before_them() -> None:
    sequence = songs(100)
    windows = Windows(sequence, Plan(1e-3, 1, 50, window=40), 0, (0, KEYS - 1))
    ((x, weights),) = windows(0)
    assert (weights.sum(1) < x.shape[1]).sum() >= 1
    for row, weight in zip(x, weights, strict=True):
        real = row[row[:, 0] != NO_FRAME]
        heard = int((weight == 0).sum())
        assert heard in (0, Windows.before)
        starts = [s for s in range(101 - len(real)) if (sequence[0][s : s + len(real)] == real).all()]
        assert len(starts) == 1 and (heard == 0) == (starts[0] == 0)


def test_transposed_notes_stay_within_the_keys() -> None:
    low = np.zeros((4, KEYS), bool)
    low[:, [1, 20]] = True
    windows = Windows([low, np.zeros((3, KEYS), bool)], Plan(1e-3, 1, 9, shift=6), 0, (0, 21))
    seen = {
        int(k)
        for epoch in range(40)
        for x, _ in windows(epoch)
        for k in np.flatnonzero((x[..., :KEYS] == 1).any((0, 1)))
    }
    assert seen == {0, 1, 2, 19, 20, 21}


def test_batches_by_length_hold_all_and_not_too_much() -> None:
    sequences = songs(12, 5, 30, 9, 5)
    parts = list(by_length(sequences, 20))
    assert sorted(i for part in parts for i in part) == [0, 1, 2, 3, 4]
    assert all(len(part) == 1 or len(part) * max(len(sequences[i]) for i in part) <= 20 for part in parts)


def test_frames_come_once_an_epoch() -> None:
    batches = list(Frames(songs(12, 8), Plan(1e-3, 1, 5), 0)(0))
    assert [len(x) for x, _ in batches] == [5] * 4
    assert np.concatenate([x for x, _ in batches]).sum() == sum(s.sum() for s in songs(12, 8))


def test_chains_of_a_machine_without_time_are_shared() -> None:
    keras.utils.set_random_seed(0)
    rbm, nade = RBM(KEYS, 6), NADE(KEYS, 5)
    v = np.concatenate(songs(12))
    drawn = nade.sample(24).reshape(12, 2, KEYS)
    nats = np.asarray(nade(drawn.reshape(24, KEYS))).reshape(12, 2)
    plan = Plan(1e-3, 1, 5)
    batches = [x for x, _ in machines.Lessons(v, drawn, nats, np.empty((12, 0)), plan, 0, shared=True)(0)]
    assert [x[0].tolist() for x in batches] == [[0, 1, 2, 3, 4]] * 2
    at, frames, proposed, cost, h = batches[0]
    np.testing.assert_allclose(nade(proposed), cost, rtol=1e-4)
    assert h.shape == (5, 0) and all((frame == v).all(1).any() for frame in frames)
    taught = machines.Taught(machines.timeless(rbm), machines.timeless(nade), v[:5])
    before = np.array(taught.chains)
    gap = taught((at, frames, proposed, cost, h), training=True)
    after = np.asarray(taught.chains, np.float32)
    assert (before != after).any()
    np.testing.assert_allclose(gap, np.asarray(rbm(frames)) - np.asarray(rbm(after)), atol=1e-3)


def test_the_bridge_counts_what_importance_sampling_does_not_see() -> None:
    """p: 0.3 of it where q never draws."""
    rng = np.random.default_rng(0)
    q, p, log_z = np.array([0.5, 0.5 - 1e-9, 1e-9]), np.array([0.4, 0.3, 0.3]), 2.0
    ratio = np.log(p) + log_z - np.log(q)
    drawn, chained = (ratio[rng.choice(3, 20_000, p=x / x.sum())] for x in (q, p))
    assert np.logaddexp.reduce(drawn) - np.log(20_000) == pytest.approx(log_z + np.log(0.7), abs=0.01)
    assert machines.bridged(drawn, chained) == pytest.approx(log_z, abs=0.02)


def network() -> RNNNADE:
    keras.utils.set_random_seed(0)
    return RNNNADE(networks.rnn(8, 0.2), NoteByNote(KEYS, 6), 0.2)


def trained(path: Path, batches: object = None) -> tuple[list, dict]:
    model = network()
    listener = networks.Past(model)
    data = small_set()
    facts = train(
        model,
        batches or Windows(data.train, PLAN, 0, (0, KEYS - 1)),
        lambda: networks.pooled(networks.exact(listener, data.valid, PLAN)),
        PLAN,
        path,
        limit=1e6,
        seed=0,
    )
    return model.get_weights(), facts


def test_training_goes_on_after_an_interrupt_as_if_there_were_none(tmp_path: Path) -> None:
    whole, facts = trained(tmp_path / "a.npz")
    assert facts["epochs"] == 4 and facts["ended by"] == "epochs"
    windows, left = Windows(small_set().train, PLAN, 0, (0, KEYS - 1)), [6]

    def interrupting(epoch: int) -> object:
        for batch in windows(epoch):
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "b.npz", interrupting)
    resumed, facts_resumed = trained(tmp_path / "b.npz")
    assert facts_resumed["steps"] == facts["steps"] and facts_resumed["epochs"] == 4
    for mine, theirs in zip(resumed, whole, strict=True):  # dropout's dice are part of the state
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
    again, _ = trained(tmp_path / "b.npz", lambda epoch: iter([next(windows(0))]))
    for mine, theirs in zip(again, resumed, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_best_weights_are_kept_not_the_last(tmp_path: Path) -> None:
    model, data, values = network(), small_set(), iter([3.0, 1.0, 2.0] + [5.0] * 99)
    kept = []

    def score() -> float:
        kept.append(model.get_weights())
        return next(values)

    facts = train(model, Windows(data.train, PLAN, 0, (0, KEYS - 1)), score, PLAN, tmp_path / "a.npz", 1e6, 0)
    for mine, best in zip(model.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(mine, best)
    assert [s for _, s in facts["validation scores"]][:3] == [3.0, 1.0, 2.0]


def test_the_limit_of_time_ends_training(tmp_path: Path) -> None:
    plan, data = Plan(1e-2, 10_000, 3), small_set()
    facts = train(network(), Windows(data.train, plan, 0, (0, 87)), lambda: 1.0, plan, tmp_path / "a.npz", 1.0, 0)
    assert facts["ended by"] in ("time", "no better on the validation part") and facts["epochs"] < 10_000


def test_evaluation_is_the_same_in_any_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    sequences = songs(3, 40, 17, 1)
    together = networks.exact(networks.Past(model), sequences, PLAN)
    assert [len(nats) for nats in together] == [3, 40, 17, 1]
    monkeypatch.setattr(networks, "AT_ONCE", 7)
    for one, nats in zip(sequences, together, strict=True):
        np.testing.assert_allclose(networks.exact(networks.Past(model), [one], PLAN)[0], nats, atol=1e-4)
        direct = np.asarray(model(padded_frames([with_transposition(one, PLAN.shift)])))[0]
        np.testing.assert_allclose(direct, nats, atol=1e-4)


def test_proposals_for_some_frames_are_those_frames() -> None:
    model, given = network(), songs(4, 9, 3)
    model(padded_frames([with_transposition(song, PLAN.shift) for song in given]))
    listener, v = networks.Past(model), np.concatenate(given)
    drawn, nats, h = machines.proposals(listener, given, PLAN, 3, 0)
    assert drawn.shape == (16, 3, KEYS) and nats.shape == (16, 3) and len(h) == len(v)
    np.testing.assert_allclose(model.frames(drawn[5].astype(np.float32), *model.moved(h[[5] * 3])), nats[5], rtol=1e-2)
    asked = np.array([0, 2, 5, 15])
    some = machines.proposals(listener, given, PLAN, 2, 0, asked)
    assert some[0].shape == (4, 2, KEYS)
    np.testing.assert_array_equal(some[2], h[asked])


def test_frames_that_break_an_assumption_are_counted() -> None:
    most, window = networks.bounds(small_set().train)
    assert most == 3 and 40 <= window[0] < window[1] < 60
    model = RNNNADE(layers.LSTM(4, return_sequences=True), NoteByNote(KEYS, 4, "relu", most, window))
    outside = songs(5)
    outside[0][2, 5] = True
    nats = networks.exact(networks.Past(model), outside, Plan(1e-3, 1, 1))[0]
    assert np.isinf(nats).tolist() == [False, False, True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize("model", program.NETWORKS)
def test_each_network_is_trained_and_measured(model: str, command: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SCORES", 3)
    row = command("--models", model, "--minutes", "0.05")["rows"][0]
    assert -100 < row["nats"] < -1 and row["parameters"] > 1000 and row["seconds"] > 0
    if "rbm" in model:
        low, high = row["interval"]
        assert low <= row["nats"] <= high


def test_a_plain_rnn_has_independent_keys() -> None:
    model = OverTime(networks.rnn(4, 0.0), Independent(KEYS), (KEYS, 0))
    nats = networks.exact(networks.Past(model), songs(5), Plan(1e-3, 1, 1))[0]
    assert nats.shape == (5,) and np.isfinite(nats).all()
