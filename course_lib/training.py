"""Training with a seed, live progress, checkpoints and shipped weights.

The profile decides how long it takes: ``COURSE_PROFILE=quick`` (the default) trains for a few seconds and goes on
with the weights that the course ships; ``full`` trains from scratch and rewrites them.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

import course_lib.architectures  # noqa: F401 (its classes have to be known where a model is loaded)

ROOT = Path(__file__).resolve().parents[1]
PRETRAINED = ROOT / "pretrained"
CHECKPOINTS = ROOT / "checkpoints"
SECONDS_BETWEEN_CHECKPOINTS = 10.0

History = dict[str, list[float]]


Watch = Callable[[History, int, int, float], None]
"""Called after each epoch with the history so far, epochs done, epochs planned, seconds left."""


class Trained(NamedTuple):
    """What a training did: losses by epoch, seconds of training, and the record of the weights in use."""

    history: History
    seconds: float
    record: dict[str, Any]

    def __repr__(self) -> str:
        losses, epochs = self.history.get("loss", []), _epochs(self.history)
        ended = f", loss {losses[0]:.3g} → {losses[-1]:.3g}" if losses else ""
        return f"Trained({epochs} epoch{'s' * (epochs != 1)} in {self.seconds:.1f} s{ended})"


def _epochs(history: History) -> int:
    """Epochs that a history has."""
    return max(map(len, history.values()), default=0)


def profile() -> str:
    """``"quick"`` or ``"full"``, from the environment variable COURSE_PROFILE. Raises ValueError."""
    chosen = os.environ.get("COURSE_PROFILE", "quick")
    if chosen not in ("quick", "full"):
        raise ValueError(f"COURSE_PROFILE is '{chosen}'; set it to 'quick' or 'full'.")
    return chosen


def _whole(path: Path, **arrays: np.ndarray) -> None:
    """Write an .npz file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part.npz")
    np.savez(beside, **arrays)
    os.replace(beside, path)


def save_pretrained(model: keras.Model, name: str, record: dict[str, Any]) -> None:
    """Write the weights (as float16) and their record, to which the model's own config is added, to ``pretrained/``."""
    _whole(PRETRAINED / f"{name}.npz", **{f"{i:03d}": w.astype(np.float16) for i, w in enumerate(model.get_weights())})
    config = _without_compiling(keras.saving.serialize_keras_object(model))
    # The config on one line, however long: the rest is for people.
    text = f'{json.dumps(record, indent=1)[:-1].rstrip()}{"," * bool(record)}\n "model": {json.dumps(config)}\n}}\n'
    beside = PRETRAINED / f"{name}.json.part"
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, PRETRAINED / f"{name}.json")


def _without_compiling(config: Any) -> Any:  # noqa: ANN401 (whatever JSON holds)
    """A serialised model without optimisers, losses and metrics."""
    if isinstance(config, dict):
        return {key: _without_compiling(value) for key, value in config.items() if key != "compile_config"}
    return [_without_compiling(value) for value in config] if isinstance(config, list | tuple) else config


def shipped_record(name: str) -> dict[str, Any]:
    """What is recorded of shipped weights: seed, seconds, scores, history, model. Raises FileNotFoundError."""
    path = PRETRAINED / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"no shipped weights {path}. Train them: set COURSE_PROFILE=full and run again.")
    return json.loads(path.read_text(encoding="utf-8"))


def load(name: str) -> keras.Model:
    """A shipped model with its weights, ready to be called: ``load("04_vae")``.

    Raises FileNotFoundError when there is none of this name.
    """
    objects = keras.saving.get_custom_objects().items()
    # A lesson defines its classes anew; they are those of the library, whose names are here without "course>".
    with keras.saving.custom_object_scope({key.removeprefix("course>"): value for key, value in objects}):
        model = keras.saving.deserialize_keras_object(shipped_record(name)["model"])
    load_pretrained(model, name)
    return model


def load_pretrained(model: keras.Model, name: str) -> dict[str, Any]:
    """Load shipped weights into ``model`` and return their record.

    Raises FileNotFoundError when they are not there, ValueError when they belong to another architecture.
    """
    record, path = shipped_record(name), PRETRAINED / f"{name}.npz"
    with np.load(path) as file:
        weights = [file[key].astype(np.float32) for key in sorted(file.files)]
    wanted = [tuple(w.shape) for w in model.weights]
    found = [w.shape for w in weights]
    if found != wanted:
        raise ValueError(
            f"{path.name} holds weights of shapes {found}; this model has {wanted}. "
            "If you changed the architecture, train it: COURSE_PROFILE=full, or fit it under another name."
        )
    model.set_weights(weights)
    return record


def _optimizers(model: keras.Model) -> list[keras.Optimizer]:
    """The optimizers of a compiled model: one, or those in its ``optimizers``."""
    return list(getattr(model, "optimizers", [model.optimizer]))


class _Progress(keras.callbacks.Callback):
    """Keeps the best weights, stops early, reports, and writes a checkpoint from which a later run goes on.

    monitor: None keeps the last weights.
    """

    def __init__(
        self,
        path: Path | None,
        run: str,
        epochs: int,
        seconds: float,
        clock: Callable[[], float],
        patience: int,
        monitor: str | None,
        watch: Watch | None,
    ) -> None:
        super().__init__()
        self.path, self.run, self.epochs, self.limit, self.clock = path, run, epochs, seconds, clock
        self.patience, self.monitor, self.watch = patience, monitor, watch
        self.history: History = {}
        self.best_weights: list[np.ndarray] = []
        self.state: tuple | None = None
        self.before = 0.0

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *(v for optimizer in _optimizers(self.model) for v in optimizer.variables)]

    def restore(self, model: keras.Model) -> None:
        """Go on from the checkpoint of the same run, if there is one."""
        self.set_model(model)
        if self.path is None or not self.path.exists():
            return
        try:
            with np.load(self.path) as file:
                state = json.loads(str(file["state"]))
                variables = [file[f"v{i}"] for i in range(state["variables"])]
                best = [file[f"b{i}"] for i in range(state["weights"])]
        except (OSError, ValueError, KeyError) as error:
            print(f"The checkpoint {self.path} cannot be read ({error}); training starts afresh.")
            return
        if state["run"] != self.run:
            print(f"The checkpoint {self.path.name} belongs to other settings; training starts afresh.")
            return
        for variable, value in zip(self._variables(), variables, strict=True):
            variable.assign(value)
        version, numbers, gauss = state["random"]
        random.setstate((version, tuple(numbers), gauss))
        self.history, self.before, self.best_weights = state["history"], state["seconds"], best
        print(f"Going on after epoch {self.done} of {self.epochs}, from the checkpoint.")

    @property
    def done(self) -> int:
        """Epochs finished."""
        return _epochs(self.history)

    @property
    def seconds(self) -> float:
        """Seconds of training, those before an interrupt included."""
        return self.before + self.clock() - self.started

    @property
    def exhausted(self) -> bool:
        """Whether ``patience`` epochs have passed without a better value."""
        values = self.history.get(self.monitor, [])
        return bool(values) and len(values) - 1 - int(np.argmin(values)) >= self.patience

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.started, self.saved = self.clock(), time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # An epoch may be longer than the quick profile lasts.
        if self.seconds >= self.limit:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(float(value))
        if self.monitor and self.monitor not in self.history:
            found = ", ".join(self.history)
            raise ValueError(f"no {self.monitor} among {found}: give monitor= one of them, or keep='last'.")
        for key in [self.monitor] if self.monitor else self.history:
            if not np.isfinite(value := self.history[key][-1]):
                raise FloatingPointError(
                    f"{key} is {value} after epoch {self.done}: training diverged. Lower the learning rate."
                )
        if self.monitor and self.history[self.monitor][-1] == min(self.history[self.monitor]):
            self.best_weights = self.model.get_weights()
        if self.path:
            self.state = random.getstate(), [np.asarray(variable).copy() for variable in self._variables()]
        if self.exhausted or self.seconds >= self.limit:
            self.model.stop_training = True
        elif time.monotonic() - self.saved >= SECONDS_BETWEEN_CHECKPOINTS:
            self.save()
        if self.watch:
            left = 0.0 if self.model.stop_training else self.seconds / self.done * (self.epochs - self.done)
            self.watch(self.history, self.done, self.epochs, min(left, max(self.limit - self.seconds, 0.0)))

    def save(self) -> None:
        """Write the checkpoint: the end of the last epoch, so that it makes no difference where an interrupt came."""
        if self.path is None or self.state is None:
            return
        numbers, variables = self.state
        state = {
            "run": self.run,
            "history": self.history,
            "seconds": self.seconds,
            "random": numbers,
            "variables": len(variables),
            "weights": len(self.best_weights),
        }
        _whole(
            self.path,
            state=np.array(json.dumps(state)),
            **{f"v{i}": value for i, value in enumerate(variables)},
            **{f"b{i}": value for i, value in enumerate(self.best_weights)},
        )
        self.saved = time.monotonic()


def fit(
    model: keras.Model,
    x: Any,  # noqa: ANN401 (whatever model.fit takes)
    y: Any = None,  # noqa: ANN401
    *,
    epochs: int,
    name: str | None = None,
    validation_data: Any = None,  # noqa: ANN401
    batch_size: int = 64,
    seed: int = 0,
    patience: int | None = None,
    keep: str = "best",
    monitor: str | None = None,
    quick_seconds: float = 5.0,
    watch: Watch | None = None,
    score: Callable[[], dict[str, float]] | None = None,
    limit: float = float("inf"),
    clock: Callable[[], float] = time.monotonic,
    checkpoint: Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Trained:
    """Train a compiled model and end with its best weights, or its last.

    name: under which weights are shipped. With a name, the *quick* profile trains for ``quick_seconds`` (perhaps 0)
        and then loads the shipped weights; *full* trains all epochs, resumes after an interrupt, and rewrites them.
        Without a name the model is trained to the end in both profiles and nothing is written.
    epochs, batch_size, validation_data: as in ``keras.Model.fit``.
    seed: seeds Python, NumPy and the backend.
    patience: epochs without a better ``monitor`` before training stops (default: never).
    keep: "best": the weights of the epoch with the lowest ``monitor``; "last": those of the last epoch, for a model
        whose loss does not measure progress, such as a ``GAN``.
    monitor: what to minimise; ``val_loss`` with validation data, else ``loss``.
    watch: called after each epoch with (history, epochs done, epochs planned, seconds left).
    score: called at the end of a full run; its numbers stand in the record beside the weights.
    limit: seconds of ``clock`` after which training ends.
    checkpoint: a file with which a training without a name resumes after an interrupt; deleted at the end.
    callbacks: are called before this function looks at the logs, and may add what it is to monitor. Each finds
        ``seconds`` of training, ``limit``, epochs ``done`` and ``epochs`` planned in its attribute ``progress``.

    Raises FloatingPointError when the loss is no longer finite, ValueError for another ``keep`` or a monitor that is
    not there, and what ``load_pretrained`` raises.
    """
    keras.utils.set_random_seed(seed)
    shipped = name is not None and profile() == "quick"
    full = name is not None and not shipped
    if keep not in ("best", "last"):
        raise ValueError(f'keep is "{keep}"; choose "best" or "last".')
    monitor = monitor or ("val_loss" if validation_data is not None else "loss")
    shapes = [tuple(w.shape) for w in model.weights]
    settings = [name, seed, epochs, batch_size, shapes, keras.tree.map_structure(np.shape, (x, y))]
    optimizers = [keras.saving.serialize_keras_object(optimizer) for optimizer in _optimizers(model)]
    for optimizer in optimizers:
        optimizer["config"].pop("name", None)  # Keras numbers it: adam, adam_1, … each time a cell is run again
    run = hashlib.sha256(json.dumps([settings, *optimizers], default=str).encode()).hexdigest()[:16]
    progress = _Progress(
        CHECKPOINTS / f"{name}.npz" if full else checkpoint,
        run,
        epochs,
        quick_seconds if shipped else limit,
        clock,
        patience or epochs,
        monitor if keep == "best" else None,
        watch,
    )
    if model.optimizer is not None:  # several are built by the model's own compile
        model.optimizer.build(model.trainable_variables)
    progress.restore(model)
    for callback in callbacks:
        callback.progress = progress
    for _ in range(progress.done if isinstance(x, keras.utils.PyDataset) else 0):
        x.on_epoch_end()  # what it draws is drawn again
    if progress.done < epochs and not progress.exhausted and progress.limit > 0:
        try:
            model.fit(
                x,
                y,
                initial_epoch=progress.done,
                epochs=epochs,
                batch_size=batch_size,
                validation_data=validation_data,
                callbacks=[*callbacks, progress],
                verbose=0,
            )
        except KeyboardInterrupt:
            progress.save()
            raise
    else:
        progress.on_train_begin()
    seconds = progress.seconds
    if shipped:
        return Trained(progress.history, seconds, load_pretrained(model, name))
    if keep == "best":
        model.set_weights(progress.best_weights)
    record = {
        "seed": seed,
        "seconds": round(seconds, 1),
        "epochs": progress.done,
        "best_epoch": int(np.argmin(progress.history[monitor])) + 1 if keep == "best" else progress.done,
        "parameters": model.count_params(),
        "keras": f"{keras.__version__} ({keras.backend.backend()})",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    if full:
        # The scores are those of the weights as shipped, rounded to half precision.
        model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])
        record["scores"] = score() if score else {}
        record["history"] = {key: [round(v, 5) for v in values] for key, values in progress.history.items()}
        save_pretrained(model, name, record)
    if progress.path:
        progress.path.unlink(missing_ok=True)
    return Trained(progress.history, seconds, record)
