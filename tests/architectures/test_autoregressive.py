"""The autoregressive decoder: its inputs, and that writing step by step agrees with one pass."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from course_lib.architectures.decoding import AutoregressiveSampler
from course_lib.architectures.variational import autoregressive_decoder

CODE, STEPS, SIZES = 3, 7, (4, 5, 2)
WIDTH = sum(SIZES)
CUTS = np.cumsum([0, *SIZES])


@pytest.fixture
def decoder() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = autoregressive_decoder(CODE, STEPS, SIZES, embedding=6, hidden=8, width=16, reach=3)
    # Biases too, and weights large enough for choices that differ.
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def codes(batch: int = 4) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(batch, CODE)).astype("float32")


def some(batch: int = 4) -> np.ndarray:
    """One-hot (batch, STEPS, WIDTH), at random."""
    rng = np.random.default_rng(2)
    return np.concatenate([np.eye(n, dtype="float32")[rng.integers(n, size=(batch, STEPS))] for n in SIZES], axis=-1)


def test_a_symbol_depends_on_what_stands_before_it_and_on_nothing_else(decoder: keras.Model) -> None:
    z, x = codes(), some()
    base = ops.convert_to_numpy(decoder([z, x]))
    for step, group in ((0, 0), (2, 1), (4, 2)):
        part = slice(CUTS[group], CUTS[group + 1])
        changed = x.copy()
        changed[:, step, part] = np.roll(changed[:, step, part], 1, axis=-1)
        moved = np.abs(ops.convert_to_numpy(decoder([z, changed])) - base).max(axis=0) > 1e-6  # (STEPS, WIDTH)
        assert not moved[:step].any()
        assert not moved[step, : CUTS[group + 1]].any()  # not itself, and no group before it
        assert moved[step, CUTS[group + 1] :].any() == (group < 2)
        assert moved[step + 1 : step + 4].all(axis=1).any()
        assert not moved[step + 4 :].any()  # reach is 3
    assert (np.abs(ops.convert_to_numpy(decoder([z + 1, x])) - base) > 1e-6).any(axis=(0, 2)).all()


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_what_is_written_is_what_one_pass_over_it_would_choose(decoder: keras.Model, temperature: float) -> None:
    z, noise = codes(), np.random.default_rng(3).gumbel(size=(STEPS, WIDTH))
    made = AutoregressiveSampler(decoder)(z, temperature, noise)
    assert made.shape == (4, STEPS, WIDTH) and made.dtype == np.float32
    logits = ops.convert_to_numpy(decoder([z, made]))
    scores = logits / temperature + noise if temperature else logits
    for start, end in zip(CUTS, CUTS[1:], strict=False):
        assert (made[..., start:end].sum(axis=-1) == 1).all()
        assert (made[..., start:end].argmax(axis=-1) == scores[..., start:end].argmax(axis=-1)).all()


def test_drawn_symbols_have_the_probabilities_of_the_decoder(decoder: keras.Model) -> None:
    z = np.repeat(codes(1), 20_000, axis=0)
    noise = np.random.default_rng(4).gumbel(size=(len(z), STEPS, WIDTH))
    drawn = AutoregressiveSampler(decoder)(z, 2.0, noise)[:, 0, : SIZES[0]].mean(axis=0)
    logits = decoder([z[:1], some(1)])[0, 0, : SIZES[0]]  # the first symbol has no past
    assert drawn == pytest.approx(ops.convert_to_numpy(ops.softmax(logits / 2.0)), abs=0.015)


def test_the_same_noise_makes_the_result_a_function_of_the_code(decoder: keras.Model) -> None:
    sampler, noise = AutoregressiveSampler(decoder), np.random.default_rng(3).gumbel(size=(STEPS, WIDTH))
    alone = np.concatenate([sampler(code[None], 0.9, noise) for code in codes()])
    assert (alone == sampler(codes(), 0.9, noise)).all()
    assert (alone[0] != alone[1]).any()


def test_what_is_not_allowed_is_not_written(decoder: keras.Model) -> None:
    asked = []

    def even(made: np.ndarray, step: int, group: int) -> np.ndarray:
        asked.append((step, group))
        assert made.shape == (4, STEPS, 3)
        return np.tile(np.arange(SIZES[group]) % 2 == 0, (4, 1))

    made = AutoregressiveSampler(decoder)(codes(), allowed=even)
    assert asked == [(step, group) for step in range(STEPS) for group in range(3)]
    for start, end in zip(CUTS, CUTS[1:], strict=False):
        assert (made[..., start:end].argmax(axis=-1) % 2 == 0).all()
    nothing = AutoregressiveSampler(decoder)(codes(), allowed=lambda made, _, group: np.zeros((4, SIZES[group]), bool))
    assert (nothing == AutoregressiveSampler(decoder)(codes())).all()


def test_word_dropout_masks_whole_steps_of_the_past() -> None:
    keras.utils.set_random_seed(0)
    forgetting = autoregressive_decoder(CODE, STEPS, SIZES, dropout=0, word_dropout=0.999)
    z, x = codes(), some()

    def first_group(training: bool) -> list[np.ndarray]:
        """Its logits after the first step, for two pasts."""
        pasts = (x, np.roll(x, 1, axis=0))
        return [ops.convert_to_numpy(forgetting([z, past], training=training))[:, 1:, : SIZES[0]] for past in pasts]

    assert np.isclose(*first_group(training=False)).mean() < 0.5
    assert np.isclose(*first_group(training=True)).mean() > 0.9


def test_it_survives_saving(decoder: keras.Model, tmp_path: Path) -> None:
    decoder.save(tmp_path / "decoder.keras")
    again = keras.saving.load_model(tmp_path / "decoder.keras")
    assert (AutoregressiveSampler(again)(codes()) == AutoregressiveSampler(decoder)(codes())).all()


def test_wrong_shapes_are_refused(decoder: keras.Model) -> None:
    sampler = AutoregressiveSampler(decoder)
    with pytest.raises(ValueError, match=r"codes of shape \(3,\); they must be \(batch, 3\)"):
        sampler(np.zeros(3))
    with pytest.raises(ValueError, match=r"noise of shape None: .*needs Gumbel noise of shape \(7, 11\)"):
        sampler(codes(), 1.0)
    with pytest.raises(ValueError, match="must not be negative"):
        sampler(codes(), -1.0, np.zeros((STEPS, WIDTH)))
