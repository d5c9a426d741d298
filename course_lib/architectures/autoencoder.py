"""Autoencoders: a narrow code between two networks, from which the input has to be found again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("course")
class Sparsity(keras.regularizers.Regularizer):
    """A price on codes in which many units are active, for ``Autoencoder(..., penalty=Sparsity())``.

    target: ρ, the share of the examples in which a unit should be active. weight: in units of the loss.
    kind: "kl", for units in 0..1 (a sigmoid code): weight · Σ_units ρ log(ρ / ρ̂) + (1 − ρ) log((1 − ρ) / (1 − ρ̂)),
        in nats, where ρ̂ is the unit's mean over batch and time; "l1": weight · mean over batch and time of Σ_units |h|.

    float (batch, ..., units) → scalar. Raises ValueError for another kind, or a target outside 0..1.
    Source: Ng, "Sparse autoencoder", CS294A lecture notes (2011). Notebook: 03.
    """

    def __init__(self, target: float = 0.05, weight: float = 0.1, kind: str = "kl") -> None:
        if kind not in ("kl", "l1") or not 0 < target < 1:
            raise ValueError(f'kind is "{kind}", target {target}; kind must be "kl" or "l1", target between 0 and 1.')
        self.target, self.weight, self.kind = target, weight, kind

    def __call__(self, code: object) -> object:
        units = ops.reshape(code, (-1, code.shape[-1]))
        if self.kind == "l1":
            return self.weight * ops.mean(ops.sum(ops.abs(units), axis=-1))
        rho, active = self.target, ops.clip(ops.mean(units, axis=0), 1e-6, 1 - 1e-6)
        return self.weight * ops.sum(rho * ops.log(rho / active) + (1 - rho) * ops.log((1 - rho) / (1 - active)))

    def get_config(self) -> dict:
        return {"target": self.target, "weight": self.weight, "kind": self.kind}


@keras.saving.register_keras_serializable("course")
class Autoencoder(keras.Model):
    """Two networks that meet in a code: x → h = encoder(x) → decoder(h) ≈ x.

    encoder, decoder: any two Keras models that know their shapes (begun with ``keras.Input``); the decoder takes
        what the encoder gives. penalty: a price on the code, such as ``Sparsity``, added to the loss.

    Compile it with the loss between target and output. The target is the input itself, ``fit(model, x)``, or another
    form of it, ``fit(model, x, y)``. While it trains, ``loss`` = ``reconstruction`` (the compiled loss) + ``penalty``.

    Raises ValueError when the parts do not fit. Source: Hinton & Salakhutdinov, Science 313 (2006).
    Notebook: 03.
    """

    numbers_per_unit = 1  # that the encoder gives for each number that the decoder takes

    def __init__(
        self, encoder: keras.Model, decoder: keras.Model, penalty: Callable | None = None, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.encoder, self.decoder, self.penalty = encoder, decoder, penalty
        self.code_shape = _code_shape(encoder, decoder, self.numbers_per_unit)
        self.reconstruction_mean = keras.metrics.Mean("reconstruction")
        if penalty is not None:
            self.penalty_mean = keras.metrics.Mean("penalty")
        self.built = True  # for its parts are

    def encode(self, x: object) -> object:
        """Input → code."""
        return self.encoder(x)

    def decode(self, code: object) -> object:
        """Code → output, in the form that the loss expects (logits, for a cross-entropy)."""
        return self.decoder(code)

    def reconstruct(self, x: object) -> object:
        """Input → code → output."""
        return self.decode(self.encode(x))

    def call(self, x: object, training: bool | None = None) -> object:  # Keras hands ``training`` on to the parts
        code = self.encoder(x)
        if self.penalty is not None:
            self.add_loss(self.penalty(code))
        return self.decoder(code)

    def compute_loss(
        self,
        x: object = None,
        y: object = None,
        y_pred: object = None,
        sample_weight: object = None,
        training: bool = True,
    ) -> object:
        loss = super().compute_loss(x, x if y is None else y, y_pred, sample_weight, training)
        added = sum(self.losses)
        self.reconstruction_mean.update_state(loss - added, sample_weight=ops.shape(y_pred)[0])
        if self.penalty is not None:
            self.penalty_mean.update_state(added, sample_weight=ops.shape(y_pred)[0])
        return loss

    def compute_metrics(self, x: object, y: object, y_pred: object, sample_weight: object = None) -> dict:
        return super().compute_metrics(x, x if y is None else y, y_pred, sample_weight)

    def get_config(self) -> dict:
        parts = {"encoder": self.encoder, "decoder": self.decoder, "penalty": self.penalty}
        return {**super().get_config(), **{k: keras.saving.serialize_keras_object(v) for k, v in parts.items()}}

    @classmethod
    def from_config(cls, config: dict) -> Autoencoder:
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        rest = {key: value for key, value in config.items() if key != "encoder"}
        # While the decoder is read, its tied layers find the encoder's layers by name.
        with keras.saving.custom_object_scope({TiedDense.TIE + layer.name: layer for layer in encoder.layers}):
            return cls(encoder, **keras.saving.deserialize_keras_object(rest))


def _code_shape(encoder: keras.Model, decoder: keras.Model, numbers: int) -> tuple[int | None, ...]:
    """Shape of one code: what the decoder takes (as its first input, if it has several)."""
    try:
        gives, takes = encoder.output_shape, decoder.input_shape
    except AttributeError as error:
        raise ValueError("encoder or decoder has no shape yet. Begin each with keras.Input(...).") from error
    takes = takes[0] if isinstance(takes, list) else takes
    if gives[-1] != numbers * takes[-1]:
        raise ValueError(
            f"the encoder gives {gives[-1]} numbers and the decoder takes {takes[-1]}. Let the encoder end with "
            f"{numbers * takes[-1]}{': a mean and a log variance for each' if numbers == 2 else ''}."
        )
    return tuple(takes[1:])


@keras.saving.register_keras_serializable("course")
class Stack(Autoencoder):
    """Autoencoderⁿ: each level is an autoencoder of the codes of the level below it.

    levels: from the data up. The encoder of the whole runs up through all levels, its decoder down again.
    penalty: on the topmost code, while the whole is trained; each level keeps its own for ``pretrain``.

    Compile each level and ``pretrain`` them from the lowest up; then compile and fit the stack itself, which is one
    ``Autoencoder`` made of the same weights (*fine-tuning*).

    Raises ValueError when two levels do not fit. Source: Bengio et al., "Greedy layer-wise training of deep
    networks", NIPS (2006). Notebook: 03.
    """

    def __init__(self, levels: Sequence[Autoencoder], penalty: Callable | None = None, **kwargs: object) -> None:
        for number, (below, above) in enumerate(pairwise(levels), 1):
            gives, takes = below.encoder.output_shape[1:], above.encoder.input_shape[1:]
            if gives != takes:
                raise ValueError(
                    f"level {number} has codes of shape {gives}; level {number + 1} must take them, and takes {takes}."
                )
        super().__init__(
            keras.Sequential([level.encoder for level in levels]),
            keras.Sequential([level.decoder for level in reversed(levels)]),
            penalty,
            **kwargs,
        )
        self.levels = list(levels)

    def pretrain(
        self, x: object, fit: Callable, validation_data: object = None, name: str | None = None, **settings: object
    ) -> list:
        """Greedy layer-wise training: level 1 learns the data, each next level the codes of the one below it.

        x, validation_data: inputs. fit: called as ``fit(level, x, validation_data=..., name=..., **settings)``, for
        instance ``course_lib.training.fit``; name: the levels are called ``name_1``, ``name_2``, and so on.

        Returns what ``fit`` returned, one for each level. Raises ValueError when a level is not compiled.
        """
        done = []
        for number, level in enumerate(self.levels, 1):
            if not level.compiled:
                raise ValueError(f"level {number} has no loss yet: call its compile(optimizer, loss) first.")
            own = name and f"{name}_{number}"
            done.append(fit(level, x, validation_data=validation_data, name=own, **settings))
            x = level.encoder.predict(x, verbose=0)
            if validation_data is not None:
                validation_data = level.encoder.predict(validation_data, verbose=0)
        return done

    def get_config(self) -> dict:
        config = super().get_config()
        del config["encoder"], config["decoder"]
        # How a level was trained is not kept: it is done.
        levels = [{**keras.saving.serialize_keras_object(level), "compile_config": None} for level in self.levels]
        return {**config, "levels": levels}

    @classmethod
    def from_config(cls, config: dict) -> Stack:
        return cls(**keras.saving.deserialize_keras_object(config))


@keras.saving.register_keras_serializable("course")
class TiedDense(layers.Layer):
    """A Dense layer backwards, with the same weights: y = activation(x Wᵀ + c), where W is the kernel of ``source``.

    source: a built Dense layer, W (inputs, units). activation: as in Dense. Only the bias c (inputs,) is its own.

    float (..., units) → (..., inputs). In a ``.keras`` file the tie is the name of ``source``: an ``Autoencoder``, in
    whose encoder ``source`` is a layer, ties it again when it is read.

    Raises ValueError when ``source`` is not built, has another number of units, or is not there to be tied to.
    Notebook: 03.
    """

    TIE = "tied to "

    def __init__(self, source: layers.Dense, activation: str | Callable | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.source, self.activation = source, keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        if not self.source.built:
            raise ValueError(f"{self.source.name} has no weights to share yet. Begin its model with keras.Input(...).")
        inputs, units = self.source.kernel.shape
        if input_shape[-1] != units:
            raise ValueError(f"a code of {input_shape[-1]} numbers; {self.source.name} has {units} units.")
        self.bias = self.add_weight(shape=(inputs,), initializer="zeros", name="bias")

    def call(self, x: object) -> object:
        return self.activation(ops.matmul(x, ops.transpose(self.source.kernel)) + self.bias)

    def get_config(self) -> dict:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "source": self.source.name, "activation": activation}

    @classmethod
    def from_config(cls, config: dict) -> TiedDense:
        source = keras.saving.get_registered_object(cls.TIE + config["source"])
        if source is None:
            raise ValueError(f"{config['source']} is not there to be tied to: read the Autoencoder that holds both.")
        return cls(**{**config, "source": source})
