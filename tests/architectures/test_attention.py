"""Encoder and decoder: shapes, what may be an input, writing step by step, and the search against all there is."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures.attention import (
    Attention,
    AttentiveDecoder,
    attention_encoder,
)
from course_lib.architectures.autoencoder import Autoencoder
from course_lib.architectures.batches import shifted_right
from course_lib.architectures.decoding import Sampler, Written, beam_search
from course_lib.architectures.losses import TokenCrossEntropy
from course_lib.architectures.recurrent import (
    POSITIONS,
    RecurrentDecoder,
    StepByStep,
    positional_encoding,
    rnn_encoder,
    step_numbers,
)
from course_lib.symbols import END, PAD, START

STEPS, SYMBOLS, CODE = 4, 6, 5
KINDS = pytest.mark.parametrize("kind", ["code", "attention"])
SOURCE = np.array([[3, 4, 5, END], [5, 3, END, PAD], [4, 4, 4, END]], np.int32)


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(0)


def code_decoder(code: int, units: int) -> RecurrentDecoder:
    return RecurrentDecoder(code, SYMBOLS, layers.GRUCell(units), POSITIONS, from_code=False)


def parts(kind: str, louder: float = 3.0) -> tuple[keras.Model, StepByStep]:
    """A small pair, with weights large enough for clear preferences."""
    if kind == "code":
        pair = (
            rnn_encoder(STEPS, 7, CODE, [layers.GRUCell(8)]),
            code_decoder(CODE, 8),
        )
    else:
        pair = attention_encoder(STEPS, 7, 4), AttentiveDecoder(STEPS, 8 + POSITIONS, SYMBOLS, 8, 6)
    for model in pair:
        model.set_weights([louder * weight for weight in model.get_weights()])
    return pair


def search(pair: tuple, source: np.ndarray, width: int = 1, longest: int = STEPS, **settings: object) -> Written:
    encoder, decoder = pair
    return beam_search(decoder, encoder(source), width, longest=longest, **settings)


def sample(pair: tuple, source: np.ndarray, longest: int = STEPS, **settings: object) -> np.ndarray:
    encoder, decoder = pair
    return Sampler(decoder).sample(encoder(source), longest=longest + 1, **settings)[:, 1:]


def log_p(pair: tuple, source: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Of whole rows, from the teacher-forced network: (rows,)."""
    model = Autoencoder(*pair)
    logits = np.asarray(model.predict_on_batch([source, shifted_right(numbers)])).astype(float)
    each = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return np.where(numbers == PAD, 0, np.take_along_axis(each, numbers[..., None], -1)[..., 0]).sum(1)


@KINDS
def test_shapes(kind: str) -> None:
    encoder, decoder = parts(kind)
    model = Autoencoder(encoder, decoder)
    assert model.predict_on_batch([SOURCE, shifted_right(SOURCE)]).shape == (3, STEPS, SYMBOLS)
    assert model.count_params() == encoder.count_params() + decoder.count_params()


@KINDS
def test_later_numbers_change_nothing_before(kind: str) -> None:
    model = Autoencoder(*parts(kind))
    previous = np.array([[START, 3, 4, 5]], np.int32)
    other = previous.copy()
    other[0, 2] = 5
    a, b = (np.asarray(model.predict_on_batch([SOURCE[:1], x])) for x in (previous, other))
    np.testing.assert_allclose(a[:, :2], b[:, :2], atol=1e-6)
    assert abs(a[:, 2:] - b[:, 2:]).max() > 1e-3


@KINDS
def test_the_padding_of_the_source_is_not_seen(kind: str) -> None:
    """The weights are zero there; the answer to a short source is that of an encoder without room for padding."""
    encoder, decoder = parts(kind)
    if kind == "attention":
        memory, real = encoder(SOURCE)
        np.testing.assert_array_equal(real, SOURCE != PAD)
        weights = np.asarray(decoder.attention_weights(memory, real, shifted_right(SOURCE)))
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
        assert (weights[1, :, 3] == 0).all() and (weights[0] > 0).all()
    short = attention_encoder(3, 7, 4) if kind == "attention" else rnn_encoder(3, 7, CODE, [layers.GRUCell(8)])
    narrow = AttentiveDecoder(3, 8 + POSITIONS, SYMBOLS, 8, 6) if kind == "attention" else decoder
    short.set_weights(encoder.get_weights())
    narrow.set_weights(decoder.get_weights())
    previous = shifted_right(SOURCE[1:2])
    a = Autoencoder(encoder, decoder).predict_on_batch([SOURCE[1:2], previous])
    b = Autoencoder(short, narrow).predict_on_batch([SOURCE[1:2, :3], previous])
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_attention_is_a_weighted_mean() -> None:
    layer = Attention(2)
    query, memory, real = np.ones((1, 1, 3)), np.array([[[1.0, 0], [0, 1], [9, 9]]]), np.array([[1.0, 1, 0]])
    layer(query, memory, real)
    layer.set_weights([np.ones((3, 2)), np.zeros(2), np.array([[1.0, 0], [0, 0]]), np.zeros(2)])
    mean, weights = layer(query, memory, real)
    share = np.exp(3 / 2**0.5) / (np.exp(3 / 2**0.5) + 1)
    np.testing.assert_allclose(weights, [[[share, 1 - share, 0]]], rtol=1e-6)
    np.testing.assert_allclose(mean, [[[share, 1 - share]]], rtol=1e-6)


def test_the_positional_encoding_is_sines_and_cosines() -> None:
    every = np.asarray(positional_encoding(step_numbers(np.zeros((1, 5), np.int32)), 4))
    assert every.shape == (1, 5, 4)
    np.testing.assert_allclose(every[0, 3], [np.sin(3), np.sin(0.3), np.cos(3), np.cos(0.3)], rtol=1e-5)


@KINDS
def test_every_weight_learns(kind: str) -> None:
    model = Autoencoder(*parts(kind, 1.0))
    before = model.get_weights()
    model.compile("sgd", TokenCrossEntropy())
    model.fit([SOURCE, shifted_right(SOURCE)], SOURCE, verbose=0)
    # What all numbers of a softmax share changes nothing: the bias of what the memory offers need not move.
    still = [w.path for w, old in zip(model.weights, before, strict=True) if np.array_equal(w.numpy(), old)]
    assert len(still) <= 1, still


@KINDS
def test_it_learns_to_translate(kind: str) -> None:
    """Each number to the next one: unseen sources too."""
    rng = np.random.default_rng(0)
    source = np.pad(rng.integers(3, 6, (400, 3)), ((0, 0), (0, 1)), constant_values=END).astype(np.int32)
    target = np.where(source == END, END, 3 + (source - 2) % 3).astype(np.int32)
    encoder, decoder = (
        (
            rnn_encoder(STEPS, 7, 16, [layers.GRUCell(24)]),
            code_decoder(16, 24),
        )
        if kind == "code"
        else (attention_encoder(STEPS, 7, 12), AttentiveDecoder(STEPS, 24 + POSITIONS, SYMBOLS, 24, 12))
    )
    model = Autoencoder(encoder, decoder)
    model.compile(keras.optimizers.Adam(0.01), TokenCrossEntropy())
    model.fit([source, shifted_right(target)], target, epochs=25, batch_size=40, verbose=0)
    every = np.array([[*notes, END] for notes in product((3, 4, 5), repeat=3)], np.int32)
    wanted = np.where(every == END, END, 3 + (every - 2) % 3)
    assert (search((encoder, decoder), every).numbers == wanted).mean() > 0.95


@KINDS
def test_greedy_feeds_the_network_its_own_numbers(kind: str) -> None:
    pair = parts(kind)
    model = Autoencoder(*pair)
    written = search(pair, SOURCE, longest=6)
    np.testing.assert_array_equal(sample(pair, SOURCE, longest=6, temperature=0.0), written.numbers)
    for source, numbers in zip(SOURCE, written.numbers, strict=True):
        previous = [START]
        while len(previous) < 7 and previous[-1] != END:
            logits = np.asarray(model.predict_on_batch([source[None], np.array([previous], np.int32)]))[0, -1]
            logits[[PAD, START]] = -np.inf
            previous.append(int(logits.argmax()))
        assert numbers.tolist() == previous[1:] + [PAD] * (7 - len(previous))


def all_answers(longest: int) -> np.ndarray:
    """Every answer that is over within ``longest`` numbers, and every one that is not yet."""
    rows = [(*notes, END) for n in range(longest) for notes in product((3, 4, 5), repeat=n)]
    rows += list(product((3, 4, 5), repeat=longest))
    return np.array([row + (PAD,) * (longest - len(row)) for row in rows], np.int32)


@KINDS
@pytest.mark.parametrize("length", [None, 2])
def test_a_wide_beam_finds_the_likeliest_of_all_answers(kind: str, length: int | None) -> None:
    pair = parts(kind)
    every = all_answers(3)
    if length is not None:
        every = every[(every > END).sum(1) == length]
        every = every[every[:, length] == END]
    lengths = None if length is None else np.full(len(SOURCE), length)
    written = search(pair, SOURCE, 40, length=lengths, longest=3)
    for source, numbers, nats in zip(SOURCE, *written, strict=True):
        scores = log_p(pair, np.repeat(source[None], len(every), 0), every)
        assert numbers.tolist() == every[scores.argmax()].tolist()
        assert nats == pytest.approx(scores.max(), abs=1e-4)


def test_a_beam_of_two_finds_what_greedy_misses() -> None:
    """3 is likelier than 4 at first, but what follows 3 is uncertain, and what follows 4 is not."""
    table = np.full((SYMBOLS, SYMBOLS), -50.0)
    table[START, [3, 4]] = np.log([0.6, 0.4])
    table[3, [3, 4, 5]] = np.log([0.34, 0.33, 0.33])
    table[4, 5] = table[5, END] = 0.0

    class Bigram:
        symbols = SYMBOLS

        def start(self, condition: list, n: int) -> list:
            return []

        def step(self, number: object, states: list, condition: list) -> tuple:
            return keras.ops.take(table, number, axis=0), states

    greedy, wide = (beam_search(Bigram(), np.zeros((1, 1)), width, longest=2) for width in (1, 2))
    assert greedy.numbers[0, 0] == 3 and wide.numbers[0].tolist() == [4, 5]
    assert np.exp([greedy.log_p[0], wide.log_p[0]]) == pytest.approx([0.6 * 0.34, 0.4], rel=1e-3)


@KINDS
def test_draws_follow_the_distribution(kind: str) -> None:
    pair, many = parts(kind), 4000
    numbers = sample(pair, np.repeat(SOURCE[:1], many, 0), temperature=2.0, longest=2, seed=3)
    model = Autoencoder(*pair)
    for before, rows in (([START], slice(None)), ([START, 3], numbers[:, 0] == 3)):
        drawn = numbers[rows, len(before) - 1]
        logits = np.asarray(model.predict_on_batch([SOURCE[:1], np.array([before], np.int32)]))[0, -1, END:] / 2
        shares = [(drawn == number).mean() for number in range(END, SYMBOLS)]
        np.testing.assert_allclose(shares, np.exp(logits) / np.exp(logits).sum(), atol=0.04)


def test_temperature_and_seed() -> None:
    pair, source = parts("code"), np.repeat(SOURCE, 30, 0)
    greedy = search(pair, source).numbers
    np.testing.assert_array_equal(sample(pair, source, temperature=1e-4), greedy)
    one, again, other = (sample(pair, source, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@KINDS
@pytest.mark.parametrize("how", [{"width": 1}, {"width": 3}, {"temperature": 1.0}, {"temperature": 0.0}])
def test_a_given_length_is_kept(kind: str, how: dict) -> None:
    lengths = np.array([1, 3, 0])
    if "width" in how:
        numbers = search(parts(kind), SOURCE, length=lengths, **how).numbers
    else:
        numbers = sample(parts(kind), SOURCE, length=lengths, **how)
    assert ((numbers > END).sum(1) == lengths).all()
    assert (numbers[np.arange(3), lengths] == END).all()


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="width is 0"):
        search(parts("code"), SOURCE, 0)
    for how in (search, sample):
        for length, error in (([1], "must be .3,."), ([1, 2, 4], r"0\.\.3")):
            with pytest.raises(ValueError, match=error):
                how(parts("code"), SOURCE, length=np.array(length))


@KINDS
def test_a_saved_pair_comes_back(kind: str, tmp_path: Path) -> None:
    pair = parts(kind)
    Autoencoder(*pair).save(tmp_path / "model.keras")
    back = keras.models.load_model(tmp_path / "model.keras")
    a, b = search(pair, SOURCE, 3), search((back.encoder, back.decoder), SOURCE, 3)
    np.testing.assert_array_equal(a.numbers, b.numbers)
    np.testing.assert_allclose(a.log_p, b.log_p, atol=1e-5)
