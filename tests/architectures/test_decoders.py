from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from course_lib.architectures.batches import AutoencoderBatches, padded, shifted_right
from course_lib.architectures.decoding import Sampler
from course_lib.architectures.losses import TokenCrossEntropy, token_nats
from course_lib.architectures.recurrent import (
    FreeRunningDecoder,
    RecurrentDecoder,
    RecurrentModel,
    WordDropout,
    rnn_encoder,
)
from course_lib.architectures.variational import VAE
from course_lib.symbols import END, PAD, START

SYMBOLS, CODE = 9, 4
CELLS = {"SimpleRNN": layers.SimpleRNNCell, "GRU": layers.GRUCell, "LSTM": layers.LSTMCell}


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(0)


def rows(count: int = 60) -> list[np.ndarray]:
    """Sequences of several lengths: a number again and again, or two of them in turn."""
    rng = np.random.default_rng(0)
    pairs = rng.integers(3, SYMBOLS, (count, 2))
    return [
        np.array([START, *np.resize(pair, length), END])
        for pair, length in zip(pairs, rng.integers(2, 7, count), strict=True)
    ]


def examples() -> np.ndarray:
    return padded(rows())[:, 1:]


def decoder(kind: str = "GRU", word_dropout: float = 0.0) -> RecurrentDecoder:
    """With weights large enough for clear preferences."""
    model = RecurrentDecoder(CODE, SYMBOLS, CELLS[kind](7), word_dropout=word_dropout)
    for weight in model.weights:
        if weight.name != "seed_generator_state":
            weight.assign(2 * weight)
    return model


def vae(**options: object) -> VAE:
    encoder = rnn_encoder(None, SYMBOLS, 2 * CODE, [layers.GRUCell(16)])
    model = VAE(encoder, RecurrentDecoder(CODE, SYMBOLS, layers.GRUCell(16), word_dropout=0.3), **options)
    model.compile(keras.optimizers.Adam(0.02), TokenCrossEntropy("sequence"), jit_compile=False)
    return model


def codes(n: int = 5) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, CODE)).astype(np.float32)


def given(x: np.ndarray) -> list[np.ndarray]:
    """The two inputs of a teacher-forced autoencoder."""
    return [x, shifted_right(x)]


def greedy(model: RecurrentDecoder, z: np.ndarray, longest: int) -> np.ndarray:
    return Sampler(model).sample(z, temperature=0.0, longest=longest + 1)[:, 1:]


# ---------------------------------------------------------------- its inputs


def test_word_dropout_masks_its_share_in_training_only() -> None:
    x = np.full((200, 50), 5)
    layer = WordDropout(0.3)
    masked = np.asarray(layer(x, training=True))
    assert (masked == PAD).mean() == pytest.approx(0.3, abs=0.02)
    assert (masked[:, 0] == PAD).any() and set(np.unique(masked)) == {PAD, 5}
    assert (np.asarray(layer(x)) == 5).all()
    with pytest.raises(ValueError, match="word dropout is 1.5"):
        WordDropout(1.5)


@pytest.mark.parametrize("kind", CELLS)
def test_the_decoder_depends_on_the_past_and_the_code_only(kind: str) -> None:
    model, z, x = decoder(kind), codes(6), shifted_right(examples()[:6])
    before = np.asarray(model([z, x]))
    assert before.shape == (*x.shape, SYMBOLS)
    later = x.copy()
    later[:, 4:] = 7
    after = np.asarray(model([z, later]))
    assert np.allclose(before[:, :4], after[:, :4], atol=1e-6) and not np.allclose(before[:, 4:], after[:, 4:])
    assert (np.abs(np.asarray(model([-z, x])) - before).max(axis=-1) > 1e-3).all()


# ---------------------------------------------------------------- VAE(rnn_encoder, RecurrentDecoder)


def test_the_loss_is_the_sum_over_a_sequence_whatever_its_padding() -> None:
    x, logits = examples()[:6], np.random.default_rng(0).normal(size=(6, 7, SYMBOLS)).astype(np.float32)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    by_hand = -(np.take_along_axis(log_p, x[..., None], -1)[..., 0] * (x != PAD)).sum(axis=1).mean()
    wide = np.pad(x, ((0, 0), (0, 5))), np.pad(logits, ((0, 0), (0, 5), (0, 0)))
    for target, output in ((x, logits), wide):
        assert float(TokenCrossEntropy("sequence")(target, output)) == pytest.approx(by_hand, rel=1e-5)


def test_the_bound_does_not_depend_on_how_sequences_share_batches() -> None:
    model, x = vae(), examples()
    model.encoder.layers[-1].bias.assign([0.0] * CODE + [-30.0] * CODE)  # nearly no noise
    whole = model.evaluate(given(x), batch_size=60, verbose=0, return_dict=True)
    batched = model.evaluate(AutoencoderBatches(rows(), numbers=60), verbose=0, return_dict=True)
    assert batched["reconstruction"] == pytest.approx(whole["reconstruction"], rel=1e-3)
    assert batched["kl"] == pytest.approx(whole["kl"], rel=1e-3)
    assert whole["loss"] == pytest.approx(whole["reconstruction"] + whole["kl"], rel=1e-4)
    assert model.elbo(given(x)).reconstruction == pytest.approx(whole["reconstruction"], rel=1e-3)


def test_without_a_code_it_is_the_language_model_of_lesson_05() -> None:
    """The same cell with the same weights gives the same nats, when z is zero and the first state is."""
    language = RecurrentModel(SYMBOLS, [layers.GRUCell(7)])
    model = RecurrentDecoder(CODE, SYMBOLS, layers.GRUCell(7))
    kernel, *rest = language.cells[0].get_weights()
    model.cell.set_weights([np.vstack([kernel, np.zeros((CODE, kernel.shape[1]))]), *rest])
    model.logits.set_weights(language.logits.get_weights())
    nats = np.concatenate(token_nats(language, rows())).sum() / 60
    x = examples()
    logits = model([np.zeros((60, CODE)), shifted_right(x)])
    assert float(TokenCrossEntropy("sequence")(x, logits)) == pytest.approx(nats, rel=1e-4)


def test_all_weights_learn() -> None:
    model = vae()
    before = [ops.convert_to_numpy(w).copy() for w in model.trainable_weights]
    model.fit(AutoencoderBatches(rows(), numbers=60), epochs=1, verbose=0)
    assert all((ops.convert_to_numpy(w) != b).any() for w, b in zip(model.trainable_weights, before, strict=True))


def test_examples_are_their_own_targets_one_step_later() -> None:
    batches = AutoencoderBatches(rows(), numbers=60)
    seen = [row for i in range(len(batches)) for row in batches[i][1]]
    assert sorted(row[row != PAD].tolist() for row in seen) == sorted(row[1:].tolist() for row in rows())
    for (x, previous), y in map(batches.__getitem__, range(len(batches))):
        assert (x == y).all() and (previous == shifted_right(x)).all()


def test_saved_and_read_back_it_is_the_same(tmp_path: Path) -> None:
    model, x = vae(beta=0.5, free_bits=0.1, anneal=7), examples()
    model.save(tmp_path / "vrae.keras")
    again = keras.saving.load_model(tmp_path / "vrae.keras")
    assert (again.beta, again.free_bits, again.anneal) == (0.5, 0.1, 7)
    assert again.decoder.word_dropout == 0.3
    assert again.elbo(given(x)) == pytest.approx(model.elbo(given(x)), rel=1e-5)


def test_the_papers_decoder_fits_too() -> None:
    """Free running, of a fixed length, in the same VAE; sampled from in the same way."""
    x = examples()
    free = FreeRunningDecoder(CODE, x.shape[1], SYMBOLS, layers.GRUCell(7))
    model = VAE(rnn_encoder(None, SYMBOLS, 2 * CODE, [layers.GRUCell(7)]), free)
    model.compile("adam", TokenCrossEntropy("sequence"), jit_compile=False)
    model.fit(x, epochs=1, verbose=0)
    assert np.isfinite(model.elbo(x)).all()
    likeliest = np.array(model.decode(codes(9)))
    likeliest[..., [PAD, START]] = -np.inf
    likeliest, made = likeliest.argmax(-1), greedy(free, codes(9), x.shape[1])
    assert (made == likeliest)[made != PAD].all() and (made != PAD).any()


# ---------------------------------------------------------------- writing


def by_hand(model: keras.Model, z: np.ndarray, longest: int) -> np.ndarray:
    """The likeliest number each time, the whole decoder run anew for each."""
    made = np.full((len(z), longest), PAD)
    for t in range(longest):
        logits = np.array(model([z, shifted_right(made)]))[:, t]
        logits[:, [PAD, START]] = -np.inf
        over = (made == END).any(axis=1)
        made[:, t] = np.where(over, PAD, logits.argmax(-1))
    return made


@pytest.mark.parametrize("kind", CELLS)
def test_what_it_writes_is_the_likeliest_each_time(kind: str) -> None:
    model, z = decoder(kind), 2 * codes(12)
    made = greedy(model, z, 10)
    assert made.dtype == np.int32 and (made == by_hand(model, z, 10)).all()
    assert len({tuple(row) for row in made}) > 3


def test_drawn_numbers_have_the_probabilities_of_the_model() -> None:
    model = decoder()
    z = np.repeat(codes(1), 4000, axis=0)
    chance = np.random.default_rng(0).random((4000, 1))
    logits = np.array(model([z[:1], np.array([[START]])]))[0, 0]
    logits[[PAD, START]] = -np.inf
    for temperature in (1.0, 0.5):
        p = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
        drawn = Sampler(model).sample(z, temperature=temperature, chance=chance, longest=2)[:, 1]
        assert np.bincount(drawn, minlength=SYMBOLS) / 4000 == pytest.approx(p, abs=0.03)


def test_the_same_random_numbers_give_the_same_and_end_is_the_end() -> None:
    sampler, z = Sampler(decoder()), codes(30)
    chance = np.random.default_rng(3).random(12)
    made = sampler.sample(z, chance=chance, longest=13)
    assert (made == sampler.sample(z, chance=chance, longest=13)).all()
    assert (sampler.sample(z[[4]], chance=chance, longest=13)[0] == made[4]).all()
    ended = np.cumsum(made == END, axis=1)
    assert ended.max() == 1 and ((made == PAD) == (ended - (made == END) > 0)).all()
    assert (made[:, 0] == START).all() and not (made[:, 1:] == START).any()
    likeliest = sampler.sample(z, temperature=0.0, longest=13)
    assert (sampler.sample(z, temperature=1e-3, chance=chance, longest=13) == likeliest).mean() > 0.9


def test_it_reads_the_weights_as_they_are_now() -> None:
    model, z = decoder(), codes(8)
    sampler = Sampler(model)
    sampler.sample(z, temperature=0.0, longest=7)
    model.logits.bias.assign(100 * ops.one_hot(END, SYMBOLS))
    assert (sampler.sample(z, temperature=0.0, longest=7) == [START, END, *[PAD] * 5]).all()


def test_once_trained_two_codes_give_two_sequences() -> None:
    """On a toy that z has to explain: what is written from the code of a sequence is mostly that sequence."""
    model, x = vae(beta=0.1), examples()
    model.fit(AutoencoderBatches(rows(), numbers=60), epochs=60, verbose=0)
    mean = np.asarray(model.encode(x)[0])
    made = greedy(model.decoder, mean, x.shape[1])
    right = (made == x)[x != PAD].mean()
    shuffled = (np.roll(made, 1, axis=0) == x)[x != PAD].mean()
    assert right > 0.8 > 0.5 > shuffled
    assert model.elbo(given(x)).kl > 3
    a, b = made[:2]
    assert (x[0] != x[1]).any() and (a != b).any()
