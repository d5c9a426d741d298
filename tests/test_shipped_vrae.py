"""The VRAE as it is shipped: its code is used, on phrases that it never saw."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.batches import padded
from course_lib.architectures.decoding import Writer
from course_lib.architectures.losses import SequenceCrossEntropy
from course_lib.architectures.recurrent import rnn_encoder, taught_decoder
from course_lib.architectures.variational import ELBO, VAE
from course_lib.music.datasets import celtic_tunes, celtic_vocabulary, tune_phrases
from course_lib.music.measures.tunes import complete_bars, parses
from course_lib.symbols import PAD
from course_lib.training import load_pretrained

CODE, UNITS, LONGEST = 32, 160, 48


def model_of(name: str) -> VAE:
    symbols = len(celtic_vocabulary())
    encoder = rnn_encoder(None, symbols, 2 * CODE, [layers.GRUCell(UNITS)])
    model = VAE(encoder, taught_decoder(CODE, symbols, layers.GRUCell(UNITS), 0.3, 0.1), steps=1, anneal=1)
    load_pretrained(model, name)
    model.compile(loss=SequenceCrossEntropy(), jit_compile=False)
    return model


@pytest.fixture(scope="module")
def test_phrases() -> np.ndarray:
    data = celtic_tunes()
    some = list(dict.fromkeys(p.tokens for tune in data.test for p in tune_phrases(tune, longest=LONGEST)))[::4]
    return padded([celtic_vocabulary().encode(tokens) for tokens in some], LONGEST + 2)[:, 1:]


@pytest.fixture(scope="module")
def vrae() -> VAE:
    return model_of("11_vrae")


def written(model: VAE, x: np.ndarray) -> np.ndarray:
    return Writer(model.decoder).write(keras.ops.convert_to_numpy(model.encode(x)[0]), longest=x.shape[1])


def test_the_code_costs_more_than_five_nats_on_unseen_phrases(vrae: VAE, test_phrases: np.ndarray) -> None:
    bound = vrae.elbo(test_phrases)
    assert isinstance(bound, ELBO) and bound.kl > 5
    assert bound.value == pytest.approx(-bound.reconstruction - bound.kl)


def test_two_codes_give_two_phrases_and_each_its_own(vrae: VAE, test_phrases: np.ndarray) -> None:
    made = written(vrae, test_phrases)
    assert len({tuple(row) for row in made}) > 0.9 * len(made)
    asked = test_phrases != PAD
    own = (made == test_phrases)[asked].mean()
    others = np.mean([(np.roll(made, shift, axis=0) == test_phrases)[asked].mean() for shift in (1, 2, 3)])
    assert own > 1.5 * others


def test_the_collapsed_model_ignores_its_code(test_phrases: np.ndarray) -> None:
    """The same measure tells a dead code: it can fail."""
    model = model_of("11_plain")
    assert model.elbo(test_phrases).kl < 2
    made = written(model, test_phrases)
    assert len({tuple(row) for row in made}) < 0.5 * len(made)


def test_random_points_are_phrases(vrae: VAE) -> None:
    z = np.random.default_rng(0).normal(size=(60, CODE))
    words = celtic_vocabulary()
    some = [words.decode(row) for row in Writer(vrae.decoder).write(z, longest=LONGEST + 1)]
    fine = [tokens for tokens in some if parses(tokens)]
    assert len(fine) > 0.7 * len(some)
    complete, every = map(sum, zip(*map(complete_bars, fine), strict=True))
    assert complete / every > 0.8
    assert len({tuple(tokens) for tokens in some}) > 0.8 * len(some)
