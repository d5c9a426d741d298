from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from course_lib.architectures.batches import Examples, padded
from course_lib.architectures.decoding import Writer
from course_lib.architectures.losses import SequenceCrossEntropy, TokenCrossEntropy, token_nats
from course_lib.architectures.recurrent import Told, recurrent, rnn_decoder, rnn_encoder, taught_decoder
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


def decoder(kind: str = "GRU", word_dropout: float = 0.0) -> keras.Model:
    """With weights large enough for clear preferences."""
    model = taught_decoder(CODE, SYMBOLS, CELLS[kind](7), word_dropout)
    for weight in model.weights:
        if weight.name != "seed_generator_state":
            weight.assign(2 * weight)
    return model


def vae(**options: object) -> VAE:
    encoder = rnn_encoder(None, SYMBOLS, 2 * CODE, [layers.GRUCell(16)])
    model = VAE(encoder, taught_decoder(CODE, SYMBOLS, layers.GRUCell(16), 0.3), steps=1, **options)
    model.compile(keras.optimizers.Adam(0.02), SequenceCrossEntropy(), jit_compile=False)
    return model


def codes(n: int = 5) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, CODE)).astype(np.float32)


# ---------------------------------------------------------------- what is told


def test_told_is_the_number_before_and_the_code() -> None:
    z, x = codes(2), np.array([[5, 4, END, PAD], [3, 3, 3, END]])
    got = np.asarray(Told(SYMBOLS)(z, x))
    assert got.shape == (2, 4, SYMBOLS + CODE)
    assert (got[..., :SYMBOLS].argmax(-1) == [[START, 5, 4, END], [START, 3, 3, 3]]).all()
    assert (got[..., SYMBOLS:] == z[:, None]).all()


def test_word_dropout_silences_its_share_while_it_trains_only() -> None:
    x = np.full((200, 50), 5)
    layer = Told(SYMBOLS, word_dropout=0.3)
    z = np.zeros((200, CODE), np.float32)
    told = np.asarray(layer(z, x, training=True))[..., :SYMBOLS].argmax(-1)
    assert (told == PAD).mean() == pytest.approx(0.3, abs=0.02)
    assert (told[:, 0] == PAD).any() and set(np.unique(told)) == {PAD, START, 5}
    assert (np.asarray(layer(z, x))[..., PAD] == 0).all()
    with pytest.raises(ValueError, match="word_dropout is 1.5"):
        Told(SYMBOLS, word_dropout=1.5)


@pytest.mark.parametrize("kind", CELLS)
def test_the_decoder_knows_the_past_and_the_code_only(kind: str) -> None:
    model, z, x = decoder(kind), codes(6), examples()[:6]
    before = np.asarray(model([z, x]))
    assert before.shape == (*x.shape, SYMBOLS)
    later = x.copy()
    later[:, 3:] = 7
    after = np.asarray(model([z, later]))
    assert np.allclose(before[:, :4], after[:, :4], atol=1e-6) and not np.allclose(before[:, 4:], after[:, 4:])
    assert (np.abs(np.asarray(model([-z, x])) - before).max(axis=-1) > 1e-3).all()


# ---------------------------------------------------------------- VAE(rnn_encoder, taught_decoder), VAE as it is


def test_the_loss_is_the_sum_over_a_sequence_whatever_its_padding() -> None:
    x, logits = examples()[:6], np.random.default_rng(0).normal(size=(6, 7, SYMBOLS)).astype(np.float32)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    by_hand = -(np.take_along_axis(log_p, x[..., None], -1)[..., 0] * (x != PAD)).sum(axis=1).mean()
    wide = np.pad(x, ((0, 0), (0, 5))), np.pad(logits, ((0, 0), (0, 5), (0, 0)))
    for target, output in ((x, logits), wide):
        assert float(SequenceCrossEntropy()(target, output)) == pytest.approx(by_hand, rel=1e-5)
        steps = target.shape[1]
        assert steps * float(TokenCrossEntropy("step")(target, output)) == pytest.approx(by_hand, rel=1e-5)


def test_the_bound_does_not_depend_on_how_sequences_share_batches() -> None:
    model, x = vae(), examples()
    model.encoder.layers[-1].bias.assign([0.0] * CODE + [-30.0] * CODE)  # nearly no noise
    whole = model.evaluate(x, batch_size=60, verbose=0, return_dict=True)
    batched = model.evaluate(Examples(rows(), numbers=60), verbose=0, return_dict=True)
    assert batched["reconstruction"] == pytest.approx(whole["reconstruction"], rel=1e-3)
    assert batched["kl"] == pytest.approx(whole["kl"], rel=1e-3)
    assert whole["loss"] == pytest.approx(whole["reconstruction"] + whole["kl"], rel=1e-4)
    assert model.elbo(x).reconstruction == pytest.approx(whole["reconstruction"], rel=1e-3)


def test_without_a_code_it_is_the_language_model_of_lesson_05() -> None:
    """The same cell with the same weights gives the same nats, when z is zero and the first state is."""
    language = recurrent(SYMBOLS, [layers.GRUCell(7)])
    taught = taught_decoder(CODE, SYMBOLS, layers.GRUCell(7))
    kernel, *rest = language.layers[2].get_weights()
    taught.get_layer("rnn").set_weights([np.vstack([kernel, np.zeros((CODE, kernel.shape[1]))]), *rest])
    taught.get_layer("logits").set_weights(language.layers[-1].get_weights())
    nats = np.concatenate(token_nats(language, rows())).sum() / 60
    x = examples()
    assert float(SequenceCrossEntropy()(x, taught([np.zeros((60, CODE)), x]))) == pytest.approx(nats, rel=1e-4)


def test_all_weights_learn() -> None:
    model = vae()
    before = [ops.convert_to_numpy(w).copy() for w in model.trainable_weights]
    model.fit(Examples(rows(), numbers=60), epochs=1, verbose=0)
    assert all((ops.convert_to_numpy(w) != b).any() for w, b in zip(model.trainable_weights, before, strict=True))


def test_examples_are_their_own_targets_without_start() -> None:
    batches = Examples(rows(), numbers=60)
    seen = [row for i in range(len(batches)) for row in batches[i][0]]
    assert sorted(row[row != PAD].tolist() for row in seen) == sorted(row[1:].tolist() for row in rows())
    assert all((x == y).all() for x, y in map(batches.__getitem__, range(len(batches))))


def test_saved_and_read_back_it_is_the_same(tmp_path: Path) -> None:
    model, x = vae(beta=0.5, free_bits=0.1, anneal=7), examples()
    model.save(tmp_path / "vrae.keras")
    again = keras.saving.load_model(tmp_path / "vrae.keras")
    assert (again.beta, again.free_bits, again.anneal, again.steps) == (0.5, 0.1, 7, 1)
    assert again.decoder.get_layer("told").word_dropout == 0.3
    assert again.elbo(x) == pytest.approx(model.elbo(x), rel=1e-5)


def test_the_papers_decoder_fits_too() -> None:
    """Without a teacher, of a fixed length: ``rnn_decoder``, in the same VAE."""
    x = examples()
    free = rnn_decoder(CODE, x.shape[1], SYMBOLS, layers.GRUCell(7), feedback=True)
    model = VAE(rnn_encoder(None, SYMBOLS, 2 * CODE, [layers.GRUCell(7)]), free, steps=1)
    model.compile("adam", SequenceCrossEntropy(), jit_compile=False)
    model.fit(x, epochs=1, verbose=0)
    assert np.isfinite(model.elbo(x)).all() and not model.teacher_forced


# ---------------------------------------------------------------- writing


def by_hand(model: keras.Model, z: np.ndarray, longest: int) -> np.ndarray:
    """The likeliest number each time, the whole decoder run anew for each."""
    made = np.full((len(z), longest), PAD)
    for t in range(longest):
        logits = np.array(model([z, made]))[:, t]
        logits[:, [PAD, START]] = -np.inf
        over = (made == END).any(axis=1)
        made[:, t] = np.where(over, PAD, logits.argmax(-1))
    return made


@pytest.mark.parametrize("kind", CELLS)
def test_what_it_writes_is_the_likeliest_each_time(kind: str) -> None:
    model, z = decoder(kind), 2 * codes(12)
    made = Writer(model).write(z, longest=10)
    assert made.dtype == np.int32 and (made == by_hand(model, z, 10)).all()
    assert len({tuple(row) for row in made}) > 3


def test_drawn_numbers_have_the_probabilities_of_the_model() -> None:
    model = decoder()
    z = np.repeat(codes(1), 4000, axis=0)
    dice = np.random.default_rng(0).random((4000, 1))
    logits = np.array(model([z[:1], np.array([[PAD]])]))[0, 0]
    logits[[PAD, START]] = -np.inf
    for temperature in (1.0, 0.5):
        p = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
        drawn = Writer(model).write(z, temperature, dice, longest=1)[:, 0]
        assert np.bincount(drawn, minlength=SYMBOLS) / 4000 == pytest.approx(p, abs=0.03)


def test_the_same_dice_give_the_same_and_end_is_the_end() -> None:
    writer, z = Writer(decoder()), codes(30)
    dice = np.random.default_rng(3).random(12)
    made = writer.write(z, 1.0, dice, longest=12)
    assert (made == writer.write(z, 1.0, dice, longest=12)).all()
    assert (writer.write(z[[4]], 1.0, dice, longest=12)[0] == made[4]).all()
    ended = np.cumsum(made == END, axis=1)
    assert ended.max() == 1 and ((made == PAD) == (ended - (made == END) > 0)).all() and not (made == START).any()
    assert (writer.write(z, 1e-3, dice, longest=12) == writer.write(z, longest=12)).mean() > 0.9


def test_wrong_codes_and_dice_are_refused() -> None:
    writer = Writer(decoder())
    with pytest.raises(ValueError, match=r"must be \(n, 4\)"):
        writer.write(np.zeros((2, 5)))
    with pytest.raises(ValueError, match="numbers in 0..1 of shape"):
        writer.write(codes(2), 1.0)
    with pytest.raises(ValueError, match="numbers in 0..1 of shape"):
        writer.write(codes(2), 1.0, np.zeros(3), longest=4)
    with pytest.raises(ValueError, match="negative"):
        writer.write(codes(2), -1.0, np.zeros(64))


def test_it_reads_the_weights_as_they_are_now() -> None:
    model, z = decoder(), codes(8)
    writer = Writer(model)
    writer.write(z, longest=6)
    model.get_layer("logits").bias.assign(100 * ops.one_hot(END, SYMBOLS))
    assert (writer.write(z, longest=6) == [END, *[PAD] * 5]).all()


def test_once_trained_two_codes_give_two_sequences() -> None:
    """On a toy that z has to explain: what is written from the code of a sequence is mostly that sequence."""
    model, x = vae(beta=0.1), examples()
    model.fit(Examples(rows(), numbers=60), epochs=60, verbose=0)
    mean = np.asarray(model.encode(x)[0])
    made = Writer(model.decoder).write(mean, longest=x.shape[1])
    right = (made == x)[x != PAD].mean()
    shuffled = (np.roll(made, 1, axis=0) == x)[x != PAD].mean()
    assert right > 0.8 > 0.5 > shuffled
    assert model.elbo(x).kl > 3
    a, b = made[:2]
    assert (x[0] != x[1]).any() and (a != b).any()
