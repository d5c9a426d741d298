import inspect
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from course_lib.architectures import autoencoder, variational
from course_lib.architectures.autoencoder import Autoencoder
from course_lib.architectures.batches import TokenBatches, padded
from course_lib.architectures.decoding import Sampler
from course_lib.architectures.losses import TokenCrossEntropy, token_nats
from course_lib.architectures.recurrent import FreeRunningDecoder, RecurrentModel, rnn_encoder
from course_lib.architectures.variational import VAE
from course_lib.symbols import END, PAD, START

SYMBOLS = 11
CELLS = {"SimpleRNN": layers.SimpleRNNCell, "GRU": layers.GRUCell, "LSTM": layers.LSTMCell}


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(0)


def model_of(kind: str, sizes: tuple[int, ...] = (8, 6), dropout: float = 0.3) -> RecurrentModel:
    """A language model with weights large enough for clear preferences."""
    model = RecurrentModel(SYMBOLS, [CELLS[kind](size) for size in sizes], dropout)
    for weight in model.weights:
        weight.assign(3 * weight)
    return model


def walks(count: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [np.array([START, *(3 + np.arange(rng.integers(2, 15)) % 8), END]) for _ in range(count)]


def test_the_configuration_of_folk_rnn_has_its_published_size() -> None:
    model = RecurrentModel(137, [layers.LSTMCell(512) for _ in range(3)])
    assert model.count_params() == 5_599_881
    assert model.layers[-1].count_params() == 70_281


@pytest.mark.parametrize("kind", CELLS)
def test_shapes(kind: str) -> None:
    model = model_of(kind)
    for steps in (1, 7):
        assert model(np.ones((3, steps), int)).shape == (3, steps, SYMBOLS)


def test_what_comes_later_changes_nothing_before() -> None:
    model, x = model_of("LSTM"), padded(walks(4))
    other = x.copy()
    other[:, 3:] = 5
    assert np.allclose(model(x)[:, :3], model(other)[:, :3], atol=1e-6)


def test_padding_does_not_enter_the_loss() -> None:
    model, loss = model_of("GRU"), TokenCrossEntropy()
    short, long = padded(walks(6)), padded(walks(6), 40)
    values = [float(loss(x[:, 1:], model(x[:, :-1]))) for x in (short, long)]
    nats = np.concatenate(token_nats(model, walks(6)))
    assert values == pytest.approx([nats.mean()] * 2, rel=1e-5)
    in_all = float(TokenCrossEntropy("sequence")(long[:, 1:], model(long[:, :-1])))
    assert in_all * 6 == pytest.approx(nats.sum(), rel=1e-5)
    with pytest.raises(ValueError, match="per is"):
        TokenCrossEntropy("word")


def test_nats_are_those_of_each_sequence_alone() -> None:
    model, sequences = model_of("LSTM"), walks(9)
    for sequence, nats in zip(sequences, token_nats(model, sequences, numbers=30), strict=True):
        p = keras.ops.softmax(model(sequence[None, :-1])[0])
        assert np.allclose(nats, -np.log(np.asarray(p)[np.arange(len(sequence) - 1), sequence[1:]]), atol=1e-4)


def test_batches_hold_every_sequence_once_and_are_as_many_in_every_epoch() -> None:
    sequences = walks(100)
    batches = TokenBatches(sequences, numbers=90)
    count = len(batches)
    widths = [batches[i][0].shape[1] for i in range(2)]
    assert widths[0] < widths[1]
    for _ in range(3):
        batches.on_epoch_end()
        assert len(batches) == len(batches.parts) == count
        assert sorted(np.concatenate(batches.parts).tolist()) == list(range(100))
    x, y = batches[2]
    assert x.shape == y.shape and np.array_equal(x[:, 1:][y[:, :-1] != PAD], y[:, :-1][y[:, :-1] != PAD])
    with pytest.raises(ValueError, match="two at least"):
        TokenBatches([np.array([START])])


def test_it_learns() -> None:
    model = model_of("GRU", (16,), 0.0)
    model.compile(keras.optimizers.Adam(0.02), TokenCrossEntropy(), jit_compile=False)
    batches = TokenBatches(walks(), numbers=100)
    before = np.exp(np.concatenate(token_nats(model, walks())).mean())
    model.fit(batches, validation_data=batches, epochs=12, verbose=0)
    assert np.exp(np.concatenate(token_nats(model, walks())).mean()) < min(2.0, before)


# ---------------------------------------------------------------- generation


def step_by_step(model: keras.Model, prompt: list[int], longest: int) -> list[int]:
    """The likeliest number at every step, from the whole model on the whole sequence so far."""
    made = list(prompt)
    while len(made) < longest and made[-1] != END:
        logits = np.array(model(np.array([made])))[0, -1]
        logits[[PAD, START]] = -np.inf
        made.append(int(logits.argmax()))
    return made + [PAD] * (longest - len(made))


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("prompt", [[START], [START, 4, 7]])
def test_without_heat_it_is_the_model_step_by_step(kind: str, prompt: list[int]) -> None:
    model = model_of(kind)
    wanted = step_by_step(model, prompt, 20)
    for settings in ({"temperature": 0.0}, {"temperature": 1.0, "top_k": 1}):
        made = Sampler(model, jit=kind == "LSTM").sample(n=2, prompt=prompt, longest=20, **settings)
        assert made.tolist() == [wanted, wanted]


def test_draws_follow_the_distribution() -> None:
    model = model_of("LSTM")
    made = Sampler(model, jit=False).sample(n=4000, prompt=[START, 5], longest=3)
    logits = np.array(model(np.array([[START, 5]])))[0, -1]
    logits[[PAD, START]] = -np.inf
    p = np.exp(logits - logits.max())
    share = np.bincount(made[:, 2], minlength=SYMBOLS) / 4000
    assert np.abs(share - p / p.sum()).max() < 0.03
    few = Sampler(model, jit=False).sample(n=500, prompt=[START, 5], top_k=2, longest=3)[:, 2]
    assert set(few.tolist()) == set(np.argsort(-logits)[:2].tolist())


@pytest.mark.parametrize("jit", [True, False])
def test_one_sampler_takes_any_number_and_length(jit: bool) -> None:
    sampler = Sampler(model_of("GRU"), jit)
    for n, longest in ((1, 9), (2, 9), (2, 14), (1, 6), (3, 20)):
        assert sampler.sample(n=n, prompt=[START, 4], longest=longest).shape == (n, longest)


def test_one_seed_one_sequence() -> None:
    sampler = Sampler(model_of("GRU"), jit=False)
    one, again, other = (sampler.sample(n=5, longest=30, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_a_sequence_ends_once_and_keeps_its_prompt() -> None:
    made = Sampler(model_of("LSTM"), jit=False).sample(n=60, prompt=[START, 4, 3], longest=25)
    assert made.shape == (60, 25) and (made[:, :3] == [START, 4, 3]).all()
    for row in made.tolist():
        end = row.index(END) if END in row else len(row) - 1
        assert set(row[end + 1 :]) <= {PAD} and not {PAD, START} & set(row[1 : end + 1])


def test_what_cannot_be_sampled_is_refused() -> None:
    sampler = Sampler(model_of("GRU"), jit=False)
    for wrong in (
        {"prompt": []},
        {"prompt": [1] * 6, "longest": 5},
        {"temperature": -1},
        {"top_k": 0},
        {"chance": np.zeros(3)},
    ):
        with pytest.raises(ValueError, match=r"prompt|temperature|chance"):
            sampler.sample(**wrong)


def test_new_weights_are_used_at_once() -> None:
    model = model_of("GRU")
    sampler = Sampler(model, jit=False)
    sampler.sample(longest=8)
    model.layers[-1].bias.assign(keras.ops.one_hot(6, SYMBOLS) * 100)
    assert sampler.sample(longest=8)[0].tolist() == [START] + [6] * 7


# ---------------------------------------------------------------- in an autoencoder


@pytest.mark.parametrize("kind", CELLS)
def test_parts_fit_the_autoencoders_as_they_are(kind: str) -> None:
    x = padded(walks(12), 17)
    for whole, numbers in ((Autoencoder, 4), (VAE, 8)):
        encoder = rnn_encoder(17, SYMBOLS, numbers, [CELLS[kind](6), CELLS[kind](5)])
        model = whole(encoder, FreeRunningDecoder(4, 17, SYMBOLS, CELLS[kind](7)))
        model.compile(keras.optimizers.Adam(0.01), TokenCrossEntropy("sequence"), jit_compile=False)
        losses = model.fit(x, epochs=5, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        assert model.reconstruct(x).shape == (12, 17, SYMBOLS)
    assert model.elbo(x).reconstruction < 17 * np.log(SYMBOLS)


def test_two_codes_are_two_sequences() -> None:
    decoder = FreeRunningDecoder(3, 9, SYMBOLS, layers.GRUCell(8))
    one, other = np.asarray(decoder(np.array([[0.0, 1, 2], [2, -1, 0]])))
    assert np.abs(one - other).max() > 0.01


def test_predictions_are_fed_back() -> None:
    """A symbol that is likely at one step changes the next."""
    decoder = FreeRunningDecoder(3, 6, SYMBOLS, layers.GRUCell(8))
    z = np.ones((1, 3))
    before = np.asarray(decoder(z))[0]
    decoder.feedback.logits.bias.assign(keras.ops.one_hot(4, SYMBOLS) * 20)
    after = np.asarray(decoder(z))[0] - 20 * np.eye(SYMBOLS)[4]
    assert np.allclose(before[0], after[0], atol=1e-4) and not np.allclose(before[1], after[1], atol=1e-3)


def test_the_encoder_passes_over_padding() -> None:
    short, long = padded(walks(5)), padded(walks(5), 30)
    encoders = [rnn_encoder(x.shape[1], SYMBOLS, 4, [layers.LSTMCell(6), layers.LSTMCell(5)]) for x in (short, long)]
    encoders[1].set_weights(encoders[0].get_weights())
    assert np.allclose(encoders[0](short), encoders[1](long), atol=1e-6)


def test_a_saved_model_comes_back(tmp_path: Path) -> None:
    x = padded(walks(4), 17)
    vae = VAE(rnn_encoder(17, SYMBOLS, 6, [layers.GRUCell(5)]), FreeRunningDecoder(3, 17, SYMBOLS, layers.LSTMCell(7)))
    for model, ask in ((model_of("LSTM"), lambda m: m(x)), (vae, lambda m: m.reconstruct(x))):
        model.save(tmp_path / "model.keras")
        assert np.allclose(ask(model), ask(keras.saving.load_model(tmp_path / "model.keras")), atol=1e-6)


def test_the_autoencoders_know_nothing_of_recurrence() -> None:
    for module in (autoencoder, variational):
        assert "recurrent" not in inspect.getsource(module) and "RNN" not in inspect.getsource(module)
