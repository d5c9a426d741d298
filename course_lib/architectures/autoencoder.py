"""Autoencoders: a narrow code between two networks, from which the input has to be found again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import keras
from keras import layers, ops

from course_lib.architectures.tensors import Tensor, arguments, rebuilt


class KLSparsity(keras.regularizers.Regularizer):
    """A penalty on codes in which many units are active, for ``Autoencoder(..., penalty=KLSparsity())``.

    target: ρ, the share of the examples in which a unit, 0..1 (a sigmoid code), should be active. weight: in units of
        the loss.

    float (batch, ..., units) → weight · Σ_units ρ log(ρ / ρ̂) + (1 − ρ) log((1 − ρ) / (1 − ρ̂)), in nats, where ρ̂ is the
    unit's mean over batch and time. Raises ValueError for a target outside 0..1.
    Source: Ng, "Sparse autoencoder", CS294A lecture notes (2011). Notebook: 03.
    """

    def __init__(self, target: float = 0.05, weight: float = 0.1) -> None:
        if not 0 < target < 1:
            raise ValueError(f"target is {target}; it is a share between 0 and 1.")
        self.target, self.weight = target, weight

    def __call__(self, code: Tensor) -> Tensor:
        rho, active = self.target, ops.clip(ops.mean(ops.reshape(code, (-1, code.shape[-1])), axis=0), 1e-6, 1 - 1e-6)
        return self.weight * ops.sum(rho * ops.log(rho / active) + (1 - rho) * ops.log((1 - rho) / (1 - active)))

    def get_config(self) -> dict:
        return {"target": self.target, "weight": self.weight}


class L1Sparsity(keras.regularizers.Regularizer):
    """A penalty on large codes: float (batch, ..., units) → weight · mean over batch and time of Σ_units |h|.

    weight: in units of the loss. Notebook: 03.
    """

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = weight

    def __call__(self, code: Tensor) -> Tensor:
        return self.weight * ops.mean(ops.sum(ops.abs(code), axis=-1))

    def get_config(self) -> dict:
        return {"weight": self.weight}


class Autoencoder(keras.Model):
    """Two networks that meet in a code: x → h = encoder(x) → decoder(h) ≈ x.

    encoder, decoder: any two Keras models that know their shapes (begun with ``keras.Input``). The decoder takes what
        the encoder gives, one tensor or several; if it has more inputs than that, the model takes a list: the first is
        the encoder's input, all others go to the decoder beside the code, such as the previous numbers of a
        teacher-forced decoder. penalty: on the code, such as ``KLSparsity``, added to the loss.

    Compile it with the loss between target and output. The target is the input itself, ``fit(model, x)``, or another
    form of it, ``fit(model, x, y)``. While it trains, ``loss`` = ``reconstruction`` (the compiled loss) + ``penalty``.

    Raises ValueError when the parts do not fit. Source: Hinton & Salakhutdinov, Science 313 (2006).
    Notebook: 03.
    """

    def __init__(
        self, encoder: keras.Model, decoder: keras.Model, penalty: Callable | None = None, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.encoder, self.decoder, self.penalty = encoder, decoder, penalty
        try:
            gives, takes = keras.tree.flatten(encoder.outputs), keras.tree.flatten(decoder.inputs)
        except (AttributeError, ValueError) as error:
            raise ValueError("encoder or decoder has no shape yet. Begin each with keras.Input(...).") from error
        for code, taken in zip(gives, takes, strict=False):
            self.check_code(code.shape[-1], taken.shape[-1])
        self.code_shape = tuple(takes[0].shape[1:])
        self.reconstruction_mean = keras.metrics.Mean("reconstruction")
        if penalty is not None:
            self.penalty_mean = keras.metrics.Mean("penalty")
        self.built = True  # the parts are

    def check_code(self, gives: int, takes: int) -> None:
        """Raises ValueError when the encoder does not give what the decoder takes."""
        if gives != takes:
            raise ValueError(
                f"the encoder gives {gives} numbers and the decoder takes {takes}. Let the encoder end with {takes}."
            )

    @staticmethod
    def listed(x: Tensor | list[Tensor]) -> list[Tensor]:
        """[the encoder's input, what is given to the decoder beside the code …]."""
        return list(x) if isinstance(x, list | tuple) else [x]

    def encode(self, x: Tensor) -> Tensor:
        """The encoder's input → code."""
        return self.encoder(x)

    def decode(self, code: Tensor, *given: Tensor) -> Tensor:
        """Code, and what else the decoder takes → output, as the loss expects it (logits, for a cross-entropy)."""
        inputs = [ops.convert_to_tensor(one) for one in (*keras.tree.flatten(code), *given)]
        return self.decoder(inputs if len(inputs) > 1 else inputs[0])

    def reconstruct(self, x: Tensor | list[Tensor]) -> Tensor:
        """Input → code → output."""
        x, *given = self.listed(x)
        return self.decode(self.encode(x), *given)

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:  # Keras hands ``training`` on to the parts
        x, *given = self.listed(x)
        code = self.encoder(x)
        if self.penalty is not None:
            self.add_loss(self.penalty(code))
        return self.decode(code, *given)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Tensor:  # noqa: ANN001
        loss = super().compute_loss(x, self.listed(x)[0] if y is None else y, y_pred, sample_weight, training)
        added = sum(self.losses)
        self.reconstruction_mean.update_state(loss - added, sample_weight=ops.shape(y_pred)[0])
        if self.penalty is not None:
            self.penalty_mean.update_state(added, sample_weight=ops.shape(y_pred)[0])
        return loss

    def compute_metrics(self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> dict:
        return super().compute_metrics(x, self.listed(x)[0] if y is None else y, y_pred, sample_weight)

    def get_config(self) -> dict:
        return arguments(self)

    @classmethod
    def from_config(cls, config: dict) -> Autoencoder:
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        # Tied layers of the decoder find the encoder's layers by name.
        with keras.saving.custom_object_scope({TiedDense.TIE + layer.name: layer for layer in encoder.layers}):
            rest = {name: part for name, part in config.items() if name != "encoder"}
            return cls(encoder, **keras.saving.deserialize_keras_object(rest))


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
        self, x: Tensor, fit: Callable, validation_data: Tensor = None, name: str | None = None, **settings: object
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
        config = arguments(self)
        for level in config["levels"]:
            level["compile_config"] = None  # pre-training is over
        return config

    @classmethod
    def from_config(cls, config: dict) -> Stack:
        return rebuilt(cls, config)


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

    def call(self, x: Tensor) -> Tensor:
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


for _one in (KLSparsity, L1Sparsity, Autoencoder, Stack, TiedDense):
    keras.saving.register_keras_serializable("course")(_one)
