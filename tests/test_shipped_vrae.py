"""The VRAE as it is shipped: its code is used, on phrases that it never saw."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.architectures import ELBO, VAE, Sampler, TokenCrossEntropy, padded, shifted_right
from course_lib.music.datasets import celtic_tunes, celtic_vocabulary, tune_phrases
from course_lib.music.measures.tunes import complete_bars, parses
from course_lib.symbols import PAD
from course_lib.training import load

CODE, LONGEST = 32, 48


def model_of(name: str) -> VAE:
    model = load(name)
    model.compile(loss=TokenCrossEntropy("sequence"), jit_compile=False)
    return model


@pytest.fixture(scope="module")
def test_phrases() -> np.ndarray:
    data = celtic_tunes()
    some = list(dict.fromkeys(p.tokens for tune in data.test for p in tune_phrases(tune, longest=LONGEST)))[::4]
    return padded([celtic_vocabulary().encode(tokens) for tokens in some], LONGEST + 2)[:, 1:]


@pytest.fixture(scope="module")
def vrae() -> VAE:
    return model_of("11_vrae")


def elbo(model: VAE, x: np.ndarray) -> ELBO:
    return model.elbo([x, shifted_right(x)], x)


def written(model: VAE, z: np.ndarray, longest: int) -> np.ndarray:
    """What the decoder writes alone, the likeliest number each time."""
    return Sampler(model.decoder).sample(np.asarray(z), temperature=0, longest=longest + 1)[:, 1:]


def test_the_code_costs_more_than_five_nats_on_unseen_phrases(vrae: VAE, test_phrases: np.ndarray) -> None:
    bound = elbo(vrae, test_phrases)
    assert isinstance(bound, ELBO) and bound.kl > 5
    assert bound.value == pytest.approx(-bound.reconstruction - bound.kl)


def test_two_codes_give_two_phrases_and_each_its_own(vrae: VAE, test_phrases: np.ndarray) -> None:
    made = written(vrae, vrae.encode(test_phrases)[0], test_phrases.shape[1])
    assert len({tuple(row) for row in made}) > 0.9 * len(made)
    asked = test_phrases != PAD
    own = (made == test_phrases)[asked].mean()
    others = np.mean([(np.roll(made, shift, axis=0) == test_phrases)[asked].mean() for shift in (1, 2, 3)])
    assert own > 1.5 * others


def test_the_collapsed_model_ignores_its_code(test_phrases: np.ndarray) -> None:
    """The same measure tells a dead code: it can fail."""
    model = model_of("11_plain")
    assert elbo(model, test_phrases).kl < 2
    made = written(model, model.encode(test_phrases)[0], test_phrases.shape[1])
    assert len({tuple(row) for row in made}) < 0.5 * len(made)


def test_random_points_are_phrases(vrae: VAE) -> None:
    z = np.random.default_rng(0).normal(size=(60, CODE))
    words = celtic_vocabulary()
    some = [words.decode(row) for row in written(vrae, z.astype(np.float32), LONGEST + 1)]
    fine = [tokens for tokens in some if parses(tokens)]
    assert len(fine) > 0.7 * len(some)
    complete, every = map(sum, zip(*map(complete_bars, fine), strict=True))
    assert complete / every > 0.8
    assert len({tuple(tokens) for tokens in some}) > 0.8 * len(some)
