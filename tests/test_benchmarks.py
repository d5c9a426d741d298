"""The benchmarks run in a small setting and say what they measured; their peers compute the same as Keras."""

import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import benchmarks.__main__ as program
from benchmarks import chorales, explorer, listen, lstm, minibach, rbm, sound, start, tunes
from benchmarks._measure import SLOWING, Row, blas, in_turn, own_process, quantity, script
from benchmarks.peers.numpy_minibach import Minibach


def names(rows: Iterator[Row]) -> list[str]:
    found = list(rows)
    assert all(row.samples and min(row.samples) > 0 for row in found)
    return [row.what for row in found]


def batch() -> tuple[np.ndarray, np.ndarray]:
    """32 windows of the lesson's data."""
    x, y = minibach.data(50)
    return x[:32], y[:32]


def test_every_benchmark_is_found_by_its_name() -> None:
    assert set(program.NAMES) >= {
        "chorales",
        "explorer",
        "listen",
        "lstm",
        "minibach",
        "rbm",
        "sound",
        "start",
        "tunes",
    }


def test_chorales() -> None:
    assert len(chorales.files()) == 365
    assert names(chorales.run(every=180)) == [
        "music21 parses the 365 files",
        "datasets.chorales() loads them",
        "parsing / loading",
    ]


def test_sound() -> None:
    assert names(sound.run(every=200)) == ["synthesize", "mp3", "both"]


@pytest.mark.slow
def test_tunes() -> None:
    assert names(tunes.run(repeats=1, tokens=2)) == [
        "model.predict on the last 40, a token",
        "model.predict on the tune so far, a token",
        "Sampler, a token",
        "model.predict on the last 40 / Sampler",
        "model.predict on the tune so far / Sampler",
    ]


def test_lstm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lstm, "PEERS", lstm.PEERS[:1])
    assert names(lstm.run(repeats=1, shapes=((2, 5), (3, 4)))) == [
        "this library, a step of 2 × 5",
        "this library, a step of 3 × 4",
    ]


def test_pytorchs_lstm_is_the_same() -> None:
    if not find_spec("torch"):
        pytest.skip("no PyTorch")
    found = []
    for peer in lstm.PEERS:
        with own_process() as call:
            found.append(call(lstm.losses, peer, (8, 20), 3))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5)
    # Each cuts gradients in a way of its own: Keras weight by weight, PyTorch over all of them.
    assert found[1] == pytest.approx(found[0], rel=0.02) and found[0][2] < found[0][0]


@pytest.mark.slow
def test_rbm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rbm, "PEERS", rbm.PEERS[:2])
    assert names(rbm.run(repeats=1, frames=200)) == [
        "this library, CD-10",
        "NumPy, CD-10",
        "speed of this library / NumPy, CD-10",
        "this library, CD-25",
        "NumPy, CD-25",
        "speed of this library / NumPy, CD-25",
        "NADE, dense",
        "NADE, sparse",
        "dense / sparse",
        "dense − sparse, at most",
    ]


def test_numpys_contrastive_divergence_has_the_librarys_gradient() -> None:
    import tensorflow as tf

    from benchmarks.peers.numpy_rbm import RBM as InNumPy
    from course_lib.architectures.boltzmann import RBM

    v, end = np.split(rbm.data(200), 2)
    model, peer = RBM(rbm.KEYS, rbm.HIDDEN), InNumPy(rbm.first_weights(), 1)
    for weight, value in zip((model.w, model.b, model.c), rbm.first_weights(), strict=True):
        weight.assign(value)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(v)) - tf.reduce_mean(model(end))
    wanted = tape.gradient(loss, [model.w, model.b, model.c])
    for mine, theirs in zip(peer.gradient(v, end), wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_numpys_and_pytorchs_rbms_learn_as_the_library_does() -> None:
    """The random numbers differ, so the weights do; but the same chords become likely, to the same degree."""
    from course_lib.architectures.boltzmann import RBM
    from course_lib.architectures.partition import annealed_importance

    model, v, found = RBM(rbm.KEYS, rbm.HIDDEN), rbm.data(1000), []
    for weight, value in zip((model.w, model.b, model.c), rbm.first_weights(), strict=True):
        weight.assign(value)
    before = float(np.asarray(model(v)).mean()) + annealed_importance(*model.parts, runs=20, steps=100).value
    for peer in rbm.PEERS[: 3 if find_spec("torch") else 2]:
        with own_process() as call:
            w, b, c = call(rbm.learnt, peer, 5, 1000, 5)
        energy = -(v @ b) - np.logaddexp(0, v @ w + c).sum(1)
        found.append(energy.mean() + annealed_importance(w, b, c, runs=50, steps=300).value)
    assert max(found) < before - 1 and max(found) - min(found) < 0.5


def test_start() -> None:
    assert names(start.run(repeats=1)) == [
        "import course_lib",
        "import all of course_lib.music and .show",
        "… to the chorales",
        "… to the first picture",
    ]


def test_listen() -> None:
    parts = ["first", "again", "MusicXML", "engraving, with its MusicXML", "synthesis", "MP3"]
    wanted = [f"{length}: {part}" for length in ("four bars", "a whole chorale") for part in parts]
    assert names(listen.run(repeats=1)) == wanted


def test_a_move_is_answered_by_a_later_one() -> None:
    answers = [{"moved": 10, "drawn": 40}, {"moved": 30, "drawn": 60, "sounding": 100}, {"moved": 50, "drawn": 90}]
    assert explorer.latencies([10, 20, 30], answers, "drawn") == pytest.approx([0.03, 0.04, 0.03])
    assert explorer.latencies([10, 20], answers, "sounding") == pytest.approx([0.09, 0.08])


def test_without_chromium_the_explorer_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("tests.browser.lab.chromium_path", lambda: None)
    assert list(explorer.run()) == [] and "no Chromium" in capsys.readouterr().err


def test_minibach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minibach, "PEERS", minibach.PEERS[:2])
    assert names(minibach.run(repeats=1, every=50)) == [
        "this library",
        "NumPy",
        "this library, the first epoch",
        "this library / NumPy",
    ]


def test_the_data_are_those_of_the_lesson() -> None:
    x, y = minibach.data(50)
    assert x.shape[1:] == (1344,) and y.shape[1:] == (4480,) and x.dtype == y.dtype == np.float32
    assert (x.reshape(len(x), 64, 21).sum(-1) == 1).all()
    assert (y.sum(-1) == 3 * 64).all()


def test_numpys_gradient_is_keras_gradient() -> None:
    import tensorflow as tf

    x, y = batch()
    model = minibach.compiled()
    with tf.GradientTape() as tape:
        loss = model.loss(y, model(x, training=True))
    wanted = tape.gradient(loss, model.trainable_weights)
    network = Minibach(minibach.first_weights())
    assert network.gradient(x, y) == pytest.approx(float(loss), rel=1e-5)
    for mine, theirs in zip(network.gradients, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


def test_numpys_training_is_the_lessons_training() -> None:
    from course_lib.training import fit

    x, y = batch()
    model = minibach.compiled()
    losses = fit(model, x, y, epochs=5, batch_size=32).history["loss"]
    network = Minibach(minibach.first_weights())
    assert [network.step(x, y) for _ in range(5)] == pytest.approx(losses, rel=1e-5)
    # Adam moves a weight by up to 1e-3 a step; where a gradient is next to nothing, its rounding shows.
    for mine, theirs, first in zip(network.weights, model.get_weights(), minibach.first_weights(), strict=True):
        assert np.abs(theirs - first).max() > 2e-3
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=2e-5)


def test_pytorchs_training_is_the_same_too() -> None:
    pytest.importorskip("torch")
    from benchmarks.peers.torch_minibach import Minibach as InTorch

    x, y = batch()
    peers = Minibach(minibach.first_weights()), InTorch(minibach.first_weights())
    losses = [[peer.epoch(x, y, 32, np.random.default_rng(0)) for _ in range(5)] for peer in peers]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for mine, theirs in zip(*(peer.weights for peer in peers), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=2e-5)


def test_an_epoch_is_every_window_once() -> None:
    x, y = batch()
    network = Minibach(minibach.first_weights())
    network.epoch(x, y, 10, np.random.default_rng(0))
    assert network.steps == 4


def test_turns_reverse_and_the_first_is_not_counted() -> None:
    seen: list[str] = []
    peers = {name: lambda name=name: float(seen.append(name) or len(seen)) for name in "ab"}
    assert in_turn(peers, 2) == {"a": [3, 6], "b": [4, 5]}
    assert "".join(seen) == "baabba"


def test_a_slow_machine_ends_the_turns_after_three() -> None:
    assert in_turn({"a": lambda: 1.0}, 9, limit=0) == {"a": [1.0] * 3}


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (Row("r", [1, 5, 2], at_least=2), True),
        (Row("r", [1, 5, 2], at_least=2.1), False),
        (Row("r", [1, 5, 2], at_most=2), True),
        (Row("r", [1, 5, 2], at_most=1.9), False),
        (Row("r", [1, 5, 2]), None),
    ],
)
def test_a_target_is_held_by_the_median(row: Row, holds: bool | None) -> None:
    assert row.value == 2 and row.quartiles == (1.5, 3.5)
    assert row.holds is holds
    assert ("MISSED" in row.cells[4]) is (holds is False)


def test_a_row_may_state_a_percentile() -> None:
    row = Row("r", [float(n) for n in range(101)], "ms", at_most=95, percentile=95)
    assert row.value == 95 and row.holds and row.cells[1] == "95.0 ms (95 %)" and row.as_json()["value"] == 95
    assert not Row("r", row.samples, at_most=94, percentile=95).holds


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.345, "s", "2.35 s"),
        (0.0123, "s", "12.3 ms"),
        (4e-6, "s", "4.00 µs"),
        (1234.5, "×", "1,234 ×"),
        (0.0, "s", "0 µs"),
    ],
)
def test_quantities(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_a_process_of_its_own_lacks_what_slows_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SLOWING[0], "Haswell")
    with own_process(without=SLOWING) as call:
        assert os.environ[SLOWING[0]] == "Haswell"
        assert call(os.getenv, SLOWING[0]) is None
        assert call(os.getpid) == call(os.getpid) != os.getpid()
        with pytest.raises(ZeroDivisionError):
            call(divmod, 1, 0)


def test_the_kernels_of_the_fair_numpy_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SLOWING:
        monkeypatch.delenv(name, raising=False)  # the machine itself may set them
    fair = blas()
    monkeypatch.setenv(SLOWING[0], "Prescott")
    assert blas() == f"{fair}; OPENBLAS_CORETYPE, set here, is kept from it"


def test_a_script_that_fails_is_explained() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        script("raise SystemExit('no such thing')")


def test_the_command_prints_a_table_and_writes_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(sound, "QUICK", {"every": 200})
    program.main(["sound", "--quick", "--json", str(tmp_path / "out.json")])
    printed = capsys.readouterr().out
    assert "synthesize" in printed and "× real time" in printed and "targets hold" in printed
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert written["machine"]["packages"]["numpy"] == np.__version__
    assert [row["what"] for row in written["benchmarks"]["sound"]] == ["synthesize", "mp3", "both"]
    assert all(len(row["samples"]) == 2 for row in written["benchmarks"]["sound"])


def test_an_unknown_benchmark_is_named(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        program.main(["sounds"])
    assert "no benchmark sounds. There are: chorales" in capsys.readouterr().err
