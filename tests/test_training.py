import json
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

from course_lib import training
from course_lib.architectures import Autoencoder


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training, "PRETRAINED", tmp_path / "pretrained")
    monkeypatch.setattr(training, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.delenv("COURSE_PROFILE", raising=False)


def model(units: int = 8, rate: float = 0.01) -> keras.Model:
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation="tanh"), keras.layers.Dense(1)])
    made.compile(keras.optimizers.Adam(rate), "mse")
    return made


def data(count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(count, 4)).astype("float32")
    return x, x[:, :1] * 2


def test_a_wrong_profile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    with pytest.raises(ValueError, match="'fast'; set it to 'quick' or 'full'"):
        training.profile()


def test_the_same_seed_gives_the_same_losses() -> None:
    losses = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        losses.append(training.fit(model(), *data(), epochs=3, seed=seed).history["loss"])
    assert losses[0] == losses[1] != losses[2]


def test_it_ends_with_the_best_weights_and_stops_early() -> None:
    x, y = data()
    made = model(rate=3.0)
    done = training.fit(made, x, y, epochs=60, validation_data=(x, -y), patience=3)
    values = done.history["val_loss"]
    assert len(values) < 60
    assert made.evaluate(x, -y, verbose=0) == pytest.approx(min(values), rel=1e-4)
    assert done.record["best_epoch"] == int(np.argmin(values)) + 1
    assert repr(done).startswith(f"Trained({len(values)} epochs in ")


def test_full_writes_weights_with_their_record_and_quick_loads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "full")
    made = model()
    training.fit(made, *data(), epochs=4, name="tiny", seed=7, score=lambda: {"mse": 0.5})
    record = json.loads((training.PRETRAINED / "tiny.json").read_text())
    assert (record["seed"], record["epochs"], record["scores"]) == (7, 4, {"mse": 0.5})
    assert not list(training.CHECKPOINTS.glob("*"))
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    other = model()
    seen: list[int] = []
    done = training.fit(
        other, *data(), epochs=3, name="tiny", watch=lambda history, epoch, epochs, left: seen.append(epoch)
    )
    assert seen == [1, 2, 3]
    assert done.record == record
    assert all(np.array_equal(a, b) for a, b in zip(made.get_weights(), other.get_weights(), strict=True))


def test_missing_or_foreign_weights_name_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in (lambda: training.load_pretrained(model(), "nothing"), lambda: training.load("nothing")):
        with pytest.raises(FileNotFoundError, match="COURSE_PROFILE=full"):
            missing()
    training.save_pretrained(model(), "tiny", {})
    with pytest.raises(ValueError, match="If you changed the architecture"):
        training.load_pretrained(model(units=9), "tiny")


def test_a_shipped_model_is_loaded_with_its_weights() -> None:
    """Its parts, too; how it was compiled does not matter, even where it cannot be written down."""
    parts = [keras.Sequential([keras.Input((n,)), keras.layers.Dense(m)]) for n, m in ((4, 2), (2, 4))]
    made = Autoencoder(*parts)

    def rate(y_true: object, y_pred: object) -> object:
        return made.optimizer.learning_rate

    made.compile(keras.optimizers.Adam(), "mse", metrics=[rate])
    training.save_pretrained(made, "tiny", {"seed": 3})
    again, x = training.load("tiny"), data()[0]
    assert type(again) is Autoencoder and again.encoder.layers[0].units == 2
    assert np.allclose(made(x), again(x), atol=1e-2)  # weights are shipped in half precision
    record = training.shipped_record("tiny")
    assert record["seed"] == 3 and "compile_config" not in json.dumps(record)


IN_A_NOTEBOOK = """
import sys
from pathlib import Path
import keras
from course_lib import training
from course_lib.architectures import Autoencoder

class Autoencoder(Autoencoder):  # defined anew, as in a lesson's cell, and not registered
    pass

training.PRETRAINED = Path({folder!r})
parts = [keras.Sequential([keras.Input((n,)), keras.layers.Dense(m)]) for n, m in ((4, 2), (2, 4))]
training.save_pretrained(Autoencoder(*parts), "tiny", {{}})
assert training.shipped_record("tiny")["model"]["registered_name"] == "Autoencoder"  # not course>Autoencoder
"""


def test_a_model_whose_class_a_notebook_defines_is_loaded_as_the_librarys() -> None:
    script = IN_A_NOTEBOOK.format(folder=str(training.PRETRAINED))
    subprocess.run([sys.executable, "-c", script], check=True)
    assert type(training.load("tiny")) is Autoencoder


def test_a_diverging_training_is_named() -> None:
    x, y = data()
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        training.fit(model(), x, y * np.float32(np.nan), epochs=2)


def test_a_broken_or_foreign_checkpoint_is_left_aside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "full")
    training.CHECKPOINTS.mkdir()
    (training.CHECKPOINTS / "tiny.npz").write_bytes(b"half a file")
    training.fit(model(), *data(), epochs=2, name="tiny")
    assert "cannot be read" in capsys.readouterr().out


STOPPED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from course_lib import training
from tests.test_training import data, model
training.PRETRAINED, training.CHECKPOINTS = Path({folder!r}, "pretrained"), Path({folder!r}, "checkpoints")
training.SECONDS_BETWEEN_CHECKPOINTS = 0
done = training.fit(model(), *data(), epochs=12, name="tiny",
                    watch=lambda history, epoch, epochs, left: (print("epoch", epoch, flush=True), time.sleep({pause})))
print("finished", len(done.history["loss"]))
"""


def test_a_killed_training_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "full")
    root = str(Path(training.__file__).resolve().parents[1])

    def script(pause: float) -> list[str]:
        text = textwrap.dedent(STOPPED).format(root=root, folder=str(tmp_path), pause=pause)
        return [sys.executable, "-c", text]

    first = subprocess.Popen(script(0.3), stdout=subprocess.PIPE, text=True)
    while first.stdout.readline() != "epoch 5\n":
        assert first.poll() is None
    first.kill()
    first.wait()
    assert (tmp_path / "checkpoints" / "tiny.npz").exists()
    assert not (tmp_path / "pretrained" / "tiny.npz").exists()
    second = subprocess.run(script(0), capture_output=True, text=True, check=True)
    assert "Going on after epoch 5 of 12" in second.stdout
    assert "epoch 6\n" in second.stdout and "epoch 5\n" not in second.stdout
    assert "finished 12" in second.stdout
    assert (tmp_path / "pretrained" / "tiny.npz").exists()


def test_an_interrupt_keeps_what_was_learnt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "full")

    def stop(history: dict, epoch: int, epochs: int, left: float) -> None:
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.fit(model(), *data(), epochs=6, name="tiny", watch=stop)
    done = training.fit(model(), *data(), epochs=6, name="tiny")
    assert "Going on after epoch 3 of 6" in capsys.readouterr().out
    assert len(done.history["loss"]) == 6
    assert not list(training.CHECKPOINTS.glob("*"))


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    class Batches(keras.utils.PyDataset):
        def __init__(self) -> None:
            super().__init__()
            self.random, self.shape = np.random.default_rng(0), (3, 8, 4)
            self.on_epoch_end()

        def __len__(self) -> int:
            return 3

        def on_epoch_end(self) -> None:
            self.x = self.random.normal(size=self.shape).astype("float32")

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return self.x[index], self.x[index, :, :1]

    def weights(stop: int | None, path: Path) -> list[np.ndarray]:
        class Interrupt(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
                if int(self.model.optimizer.iterations) == stop:
                    raise KeyboardInterrupt

        keras.utils.set_random_seed(0)
        net = keras.Sequential([keras.layers.Dropout(0.2), keras.layers.Dense(1)])
        net.build((None, 4))
        net.compile("adam", "mse")
        training.fit(net, Batches(), epochs=5, checkpoint=path, callbacks=[Interrupt()])
        return net.get_weights()

    whole = weights(None, tmp_path / "a.npz")
    with pytest.raises(KeyboardInterrupt):
        weights(8, tmp_path / "b.npz")
    for mine, theirs in zip(weights(None, tmp_path / "b.npz"), whole, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not list(tmp_path.iterdir())


def test_a_limit_of_time_ends_training_by_the_clock_that_is_given() -> None:
    seconds = iter(range(10_000))
    done = training.fit(model(), *data(), epochs=1000, limit=50, clock=lambda: next(seconds))
    assert 0 < len(done.history["loss"]) < 60
