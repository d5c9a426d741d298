"""The table of polyphonic models: the command, its training that resumes after an interrupt, and each network."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.io import savemat

from benchmarks.polyphony import networks, program, rbms
from benchmarks.polyphony.published import published, set_name
from course_lib.architectures.batches import FrameBatches
from course_lib.architectures.boltzmann import RBM
from course_lib.architectures.nade import NADE, UnitByUnit
from course_lib.architectures.over_time import OverTime, frame_nats, rnn_outputs
from course_lib.architectures.partition import every_frame, log_probabilities
from course_lib.music.datasets import Split
from course_lib.music.encodings.frames import KEYS


def song(steps: int, seed: int) -> np.ndarray:
    """Chords of one to three keys within 40..59."""
    rng, frames = np.random.default_rng(seed), np.zeros((steps, KEYS), bool)
    for frame in frames:
        frame[40 + rng.choice(20, rng.integers(1, 4), replace=False)] = True
    return frames


def songs(*lengths: int, seed: int = 0) -> list[np.ndarray]:
    return [song(steps, seed + i) for i, steps in enumerate(lengths)]


def small_set() -> Split:
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


def test_the_table_has_what_the_json_has(command: object, capsys: pytest.CaptureFixture) -> None:
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


def test_without_a_test_part_the_command_ends_with_a_message(command: object, capsys: pytest.CaptureFixture) -> None:
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
    return networks.Trained(lambda part: networks.Measured(9.0, (8.5, 9.5), "stub"), 7, {"seconds": 1.0})


def test_what_was_measured_is_not_measured_again(command: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rbms, "train_rbm", stub)
    row = command("--models", "rbm")["rows"][0]
    assert (row["nats"], row["interval"], row["parameters"]) == (-9.0, [-9.5, -8.5], 7)
    monkeypatch.setattr(rbms, "train_rbm", lambda run: pytest.fail("trained again"))
    assert command("--models", "random", "rbm")["rows"][1] == row
    monkeypatch.setattr(rbms, "train_rbm", stub)
    monkeypatch.setattr(networks, "train_nade", stub)
    assert len(command("--models", "rbm", "nade", "--fresh")["rows"]) == 2
    monkeypatch.setattr(rbms, "train_rbm", lambda run: stub(run)._replace(parameters=8))
    assert command("--models", "rbm", "--seed", "1")["rows"][0]["parameters"] == 8


def test_rows_before_an_interrupt_are_kept(command: object, mat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(run: networks.Run) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rbms, "train_rbm", stub)
    monkeypatch.setattr(networks, "train_nade", interrupted)
    with pytest.raises(SystemExit) as error:
        command("--models", "rbm", "nade")
    assert error.value.code == 130
    assert [row["row"] for row in json.loads(mat.with_name("out.json").read_text("utf-8"))["rows"]] == ["RBM"]


def test_chains_of_an_rbm_without_time_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rbms, "STEPS", 5)
    keras.utils.set_random_seed(0)
    rbm, nade = RBM(KEYS, 6), NADE(KEYS, 5)
    v = np.concatenate(songs(12))
    drawn = nade.sample(24).reshape(12, 2, KEYS)
    nats = np.asarray(nade(drawn.reshape(24, KEYS))).reshape(12, 2)
    batches = rbms.TeacherBatches(v, drawn, nats, np.empty((12, 0)), 5, 0, shared=True)
    assert [batches[i][0][0].tolist() for i in range(5)] == [[0, 1, 2, 3, 4]] * 5
    (at, frames, proposed, cost, u), _ = batches[0]
    np.testing.assert_allclose(nade(proposed), cost, rtol=1e-4)
    assert u.shape == (5, 0) and all((frame == v).all(1).any() for frame in frames)
    taught = rbms.Taught(rbms.timeless(rbm), rbms.timeless(nade), v[:5])
    before = np.asarray(taught.chains).copy()
    gap = taught((at, frames, proposed, cost, u), training=True)
    after = np.asarray(taught.chains, np.float32)
    assert (before != after).any()
    np.testing.assert_allclose(gap, np.asarray(rbm(frames)) - np.asarray(rbm(after)), atol=1e-3)


def test_batches_of_a_teacher_go_through_all_frames_before_one_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rbms, "STEPS", 4)
    batches = rbms.TeacherBatches(*np.zeros((3, 12, 2)), np.empty((12, 0)), 2, 0)
    seen = []
    for _ in range(3):
        seen += np.concatenate([batches[i][0][0] for i in range(4)]).tolist()
        batches.on_epoch_end()
    assert sorted(seen[:12]) == sorted(seen[12:]) == list(range(12))


def test_a_jump_leaves_the_distribution_as_it_is() -> None:
    rng, n, every = np.random.default_rng(0), 40_000, every_frame(5)
    model = RBM(5, 3)
    for weight in (model.w, model.b, model.c):
        weight.assign(rng.normal(0, 1, weight.shape))
    p, q = np.exp(log_probabilities(model)), rng.dirichlet(np.ones(32))
    at, other = rng.choice(32, n, p=p / p.sum()), rng.choice(32, n, p=q)
    nats = -np.log(q).astype("f4")
    end = np.asarray(rbms.jump(model, every[at], nats[at], every[other], nats[other]))
    share = np.bincount((end @ 2 ** np.arange(5)).astype(int), minlength=32) / n
    assert np.abs(share - p).max() < 0.015
    assert 0.05 < (end != every[at]).any(1).mean() < 0.95


def test_the_bridge_counts_what_importance_sampling_does_not_see() -> None:
    """p: 0.3 of it where q never draws."""
    rng = np.random.default_rng(0)
    q, p, log_z = np.array([0.5, 0.5 - 1e-9, 1e-9]), np.array([0.4, 0.3, 0.3]), 2.0
    ratio = np.log(p) + log_z - np.log(q)
    drawn, chained = (ratio[rng.choice(3, 20_000, p=x / x.sum())] for x in (q, p))
    assert np.logaddexp.reduce(drawn) - np.log(20_000) == pytest.approx(log_z + np.log(0.7), abs=0.01)
    assert rbms.bridged(drawn, chained) == pytest.approx(log_z, abs=0.02)


def test_a_training_resumes_as_if_there_were_no_interrupt_and_is_read_when_it_has_ended(tmp_path: Path) -> None:
    data = small_set()

    def trained(name: str, stop: int | None) -> tuple[list, dict]:
        keras.utils.set_random_seed(0)
        model = OverTime(networks.rnn(8, 0.2), UnitByUnit(KEYS, 6), 0.2)
        model.build((None, None, KEYS))
        run = networks.Run(data, tmp_path / f"{name}.npz", 1e6, 0, "wall", lambda text: None)
        left = iter(range(stop or 100))

        def transform(roll: np.ndarray, random: np.random.Generator) -> np.ndarray:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return np.roll(roll, random.integers(-2, 3), 1)

        batches, valid = FrameBatches(data.train, 3, transform), FrameBatches(data.valid, 9)
        facts = networks.train(model, batches, run, 1e-2, 4, validation_data=valid)
        return model.get_weights(), facts

    whole, facts = trained("a", None)
    assert facts["epochs"] == 4 and facts["steps"] == 8 and len(facts["validation scores"]) == 4
    with pytest.raises(KeyboardInterrupt):
        trained("b", 10)
    resumed, facts_resumed = trained("b", None)
    assert facts_resumed["validation scores"] == facts["validation scores"] and facts_resumed["steps"] == 8
    for mine, theirs in zip(resumed, whole, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    again, read = trained("b", None)
    assert read == facts_resumed
    for mine, theirs in zip(again, resumed, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_learning_rate_falls_with_the_time_that_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks, rates = iter(range(10_000)), []
    monkeypatch.setitem(networks.CLOCKS, "cpu", lambda: float(next(ticks)))
    model, x = NADE(KEYS, 4), np.concatenate(songs(40)).astype(np.float32)
    run = networks.Run(small_set(), tmp_path / "a.npz", 400, 0, "cpu", lambda text: None)

    def score() -> float:
        rates.append(float(model.optimizer.learning_rate))
        return 1.0

    facts = networks.train(model, x, run, 1e-2, 10_000, 0.0, score, batch_size=1)
    assert facts["epochs"] < 20 and rates == sorted(rates, reverse=True) and rates[-1] < 1e-3 < 6e-3 < rates[0]


def test_proposals_are_frames_of_the_teacher_and_their_likelihood() -> None:
    keras.utils.set_random_seed(0)
    model, given = OverTime(networks.rnn(8, 0.2), UnitByUnit(KEYS, 6)), songs(4, 9, 3)
    model.build((None, None, KEYS))
    u = rnn_outputs(model, given)
    drawn, nats = rbms.proposals(model, u, 3, 0)
    assert drawn.shape == (16, 3, KEYS) and nats.shape == (16, 3)
    np.testing.assert_allclose(model.frames(drawn[5].astype(np.float32), *model.shifts(u[[5] * 3])), nats[5], rtol=1e-3)


def test_frames_that_break_an_assumption_are_counted() -> None:
    most, window = networks.bounds(small_set().train)
    assert most == 3 and 40 <= window[0] < window[1] < 60
    model = OverTime(networks.rnn(4, 0.0), UnitByUnit(KEYS, 4, "relu", most, window))
    model.build((None, None, KEYS))
    outside = songs(5)
    outside[0][2, 5] = True
    assert np.isinf(frame_nats(model, outside)[0]).tolist() == [False, False, True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize("model", program.NETWORKS)
def test_each_network_is_trained_and_measured(model: str, command: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rbms, "STEPS", 20)
    row = command("--models", model, "--minutes", "0.05")["rows"][0]
    assert -100 < row["nats"] < -1 and row["parameters"] > 1000 and row["seconds"] > 0
    if "rbm" in model:
        low, high = row["interval"]
        assert low <= row["nats"] <= high
