"""Training a model with two optimizers: what is kept, and going on after an interrupt, bit for bit."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course_lib import training
from course_lib.architectures.adversarial import GAN, R1, Choice


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training, "PRETRAINED", tmp_path / "pretrained")
    monkeypatch.setattr(training, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.delenv("COURSE_PROFILE", raising=False)


def gan() -> GAN:
    keras.utils.set_random_seed(0)
    z, x = keras.Input((3,)), keras.Input((5,))
    generator = keras.Model(z, Choice((3, 2), "gumbel")(layers.Dense(5)(layers.Dense(8, "gelu")(z))))
    discriminator = keras.Model(x, layers.Dense(1)(layers.Dropout(0.2)(layers.Dense(8, "gelu")(x))))
    made = GAN(generator, discriminator, penalty=R1(0.3), average=0.9)
    made.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.005))
    return made


def real() -> np.ndarray:
    return np.eye(5, dtype="float32")[np.random.default_rng(0).integers(0, 3, 40)]


class Shuffled(keras.utils.PyDataset):
    """Other batches each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.random = np.random.default_rng(0)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        self.x = self.random.permutation(real())

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        return (self.x[8 * index : 8 * index + 8],)


@pytest.mark.parametrize("batches", [real, Shuffled])
def test_interrupted_and_resumed_is_uninterrupted(
    batches: type, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "full")

    def train(made: GAN) -> training.Trained:
        return training.fit(made, batches(), epochs=6, batch_size=8, name="tiny", keep="last", seed=3)

    whole = gan()
    done = train(whole)
    seen = []
    with monkeypatch.context() as patch:

        def stop(self: training._Progress, batch: int, logs: dict | None = None) -> None:
            seen.append(batch)
            if len(seen) == 18:  # in the middle of the fourth epoch
                raise KeyboardInterrupt

        patch.setattr(training._Progress, "on_train_batch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            train(gan())
    resumed = gan()
    again = train(resumed)
    assert "Going on after epoch 3 of 6" in capsys.readouterr().out
    assert again.history == done.history
    for a, b in ((whole, resumed), (whole.d_optimizer, resumed.d_optimizer), (whole.g_optimizer, resumed.g_optimizer)):
        pairs = zip(a.variables, b.variables, strict=True)
        assert all(np.array_equal(np.asarray(one), np.asarray(other)) for one, other in pairs)
    assert not np.array_equal(whole.averaged.get_weights()[0], whole.generator.get_weights()[0])


def test_the_last_weights_are_kept_and_epochs_counted_without_a_loss() -> None:
    made, seen = gan(), []
    done = training.fit(
        made, real(), epochs=4, keep="last", watch=lambda *_: seen.append(made.discriminator.get_weights()[0])
    )
    assert done.record["epochs"] == done.record["best_epoch"] == 4
    assert set(done.history) == {"d_loss", "g_loss", "real_right", "fake_right", "penalty", "g_gradient"}
    assert np.array_equal(seen[-1], made.discriminator.get_weights()[0])
    assert repr(done).startswith("Trained(4 epochs in")


def test_the_best_weights_are_those_that_the_judge_prefers() -> None:
    made, seen, scores = gan(), [], iter([0.9, 0.7, 0.8, 0.75])

    def judge(epoch: int, logs: dict) -> None:
        seen.append(made.get_weights())
        logs["judge"] = next(scores)

    judging = keras.callbacks.LambdaCallback(on_epoch_end=judge)
    done = training.fit(made, real(), epochs=4, monitor="judge", callbacks=[judging])
    assert done.history["judge"] == [0.9, 0.7, 0.8, 0.75]
    assert done.record["best_epoch"] == 2
    assert all(np.array_equal(a, b) for a, b in zip(seen[1], made.get_weights(), strict=True))


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="no loss among .*keep='last'"):
        training.fit(gan(), real(), epochs=1)
    with pytest.raises(ValueError, match='"best" or "last"'):
        training.fit(gan(), real(), epochs=1, keep="first")
