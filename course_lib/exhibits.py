"""Every shipped system as an exhibit: piece → tensors → network → tensors → piece. The only module of both wings.

>>> exhibit("09_voices", chorales().test[0], seed=3)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

import keras
import numpy as np

from course_lib.architectures.batches import padded
from course_lib.architectures.crbm_constraints import Places, SelfSimilarity, Sums, constrained, cooling
from course_lib.architectures.decoding import AutoregressiveSampler, Gibbs, Sampler, beam_search
from course_lib.architectures.over_time import sample_frames
from course_lib.architectures.variational import VAE
from course_lib.music.datasets import celtic_vocabulary, chorale_phrases, windows, without_rests
from course_lib.music.encodings.abc_tokens import NotATune, tokens_to_piece
from course_lib.music.encodings.chords import chord_piece, half_bars, segments, transposed_chords
from course_lib.music.encodings.frames import frames_piece, piano_frames, pitch_sets, sets_piece
from course_lib.music.encodings.lead_sheets import (
    BAR,
    MELODY_PITCHES,
    bars_piece,
    chord_bars,
    chord_features,
    lead_sheet,
)
from course_lib.music.encodings.phrases import BASS, FIRST, GRID, LONGEST_PHRASE, SOPRANO
from course_lib.music.encodings.voices import MINIBACH_RANGES, OneHot, VoiceRoll
from course_lib.music.encodings.windows import SlidingWindow
from course_lib.music.errors import MusicError
from course_lib.music.keys import estimate_key, key_profile, pitch_class, shift_to_c
from course_lib.music.measures.structure import template
from course_lib.music.measures.voice_leading import voice_leading_violations
from course_lib.music.piece import SATB, Piece
from course_lib.symbols import START
from course_lib.training import load

shipped = cache(load)
sampler = cache(Sampler)
WIDE = OneHot(tuple((low - 5, high + 5) for low, high in MINIBACH_RANGES))
"""The symbols of ``resample_voices``: MiniBach's ranges, wide enough for C major and A minor."""

# ---------------------------------------------------------------- what systems make of a piece


def harmonise(model: keras.Model, piece: Piece, seed: int, window: SlidingWindow) -> Piece:
    """Three voices below the first one, step by step. Lesson 02."""
    return window.decode(np.asarray(model(window.inputs(piece))), piece)


def four_bars(piece: Piece) -> Piece:
    """The first four full bars of 4/4, rests filled. Raises MusicError where there are none."""
    found = windows([without_rests(piece)])
    if not found:
        raise MusicError(f"{piece.title!r} has no four full bars of 4/4. Take another piece.")
    return found[0].with_onsets_at_start()


def reconstruct(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """Four bars through the code, that of the means, and back. Lessons 03 and 04."""
    encoding, window = OneHot(), four_bars(piece)
    code = model.encode(encoding.encode(window)[None])
    output = model.decode(code[0] if isinstance(model, VAE) else code)
    return encoding.decode(np.asarray(output)[0], like=window)


def reconstruct_sampling(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """Four bars through the code and back, symbol by symbol. Lesson 04."""
    encoding, window = OneHot(), four_bars(piece)
    mean, _ = model.encode(encoding.encode(window)[None])
    noise = np.random.default_rng(seed).gumbel(size=(len(window), encoding.width))
    return encoding.decode(AutoregressiveSampler(model.decoder)(mean, 0.7, noise)[0], like=window)


def tune_of(write: Callable[[int], np.ndarray], seed: int) -> Piece:
    """The first tune, from this seed on, that ``write`` gives. Raises MusicError after fifty that are none."""
    for attempt in range(seed, seed + 50):
        with suppress(NotATune):
            return tokens_to_piece(celtic_vocabulary().decode(write(attempt)))
    raise MusicError("no tune in 50 attempts. Try another seed.")


def write_tune(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """A tune on C in the metre and the mode of the piece; of its notes nothing is used. Lessons 05 and 11."""
    vocabulary = celtic_vocabulary()
    metre = "M:{}/{}".format(*piece.time_signature)
    mode = "K:Cmin" if shift_to_c(piece.select(0))[1] else "K:Cmaj"
    begin = [metre if metre in vocabulary.names else "M:4/4", mode]
    prompt = [START, *vocabulary.encode(begin)[1:-1]]
    return tune_of(lambda s: sampler(model).sample(prompt=prompt, temperature=0.8, longest=400, seed=s)[0], seed)


def write_phrase(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """The likeliest phrase at a random point of the latent space; of the piece nothing is used. Lesson 11."""

    def write(attempt: int) -> np.ndarray:
        z = np.random.default_rng(attempt).normal(size=(1, *model.code_shape)).astype(np.float32)
        return sampler(model.decoder).sample(z, temperature=0, longest=50)[0]

    return tune_of(write, seed)


def to_c(piece: Piece) -> int:
    """Semitones, −6..5, that take the piece to C major or C minor."""
    return (6 - pitch_class(piece.key or estimate_key(piece))) % 12 - 6


def resample_sets(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """The pitch classes of each quarter note, 25 Gibbs steps later. Lesson 06."""
    sets = pitch_sets(piano_frames(piece, transpose=to_c(piece)))
    made = model.gibbs(sets, 25, seed=keras.random.SeedGenerator(seed))
    return sets_piece(np.asarray(made).astype(bool)).transpose(-to_c(piece))


def resample_frames(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """The notes of each quarter note, 25 Gibbs steps later. Lesson 06."""
    made = model.gibbs(piano_frames(piece, transpose=to_c(piece)), 25, seed=keras.random.SeedGenerator(seed))
    return frames_piece(np.asarray(made).astype(bool)).transpose(-to_c(piece))


def sample_alone(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """As many frames as the piece has quarter notes, each by itself; of its notes nothing is used. Lesson 12."""
    made = model.sample(len(piano_frames(piece)), seed=model.generator(seed))
    return frames_piece(np.asarray(made).astype(bool)).transpose(-to_c(piece))


def carry_on(model: keras.Model, piece: Piece, seed: int, shift: int = 0) -> Piece:
    """The first sixteen quarter notes, and sixteen more. shift: semitones that the model is trained for. Lesson 12."""
    prompt = piano_frames(piece, transpose=to_c(piece))[None, :16]
    condition = np.eye(2 * shift + 1, dtype=np.float32)[[shift]] if shift else None
    made = sample_frames(model, prompt.shape[1] + 16, 1, condition, prompt, seed)
    return frames_piece(made[0]).transpose(-to_c(piece))


def label_chords(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """The first voice over the likeliest chord of each half bar. Lesson 09."""
    half = half_bars(piece)
    chord = np.asarray(model(half.inputs[None]))[0].argmax(-1)
    return chord_piece(piece.select(0), transposed_chords(chord, -half.shift), piece.bar_steps // 2)


def resample_voices(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """Three voices below the first one of four bars, by Gibbs sampling with a second expert. Lesson 09."""
    window = four_bars(piece)
    shift, _ = shift_to_c(window.regrid(2).select(0))
    seen = window.regrid(2).transpose(shift)
    metadata = np.column_stack([np.eye(8)[np.arange(len(seen)) % 8], seen.fermata])[None].astype(np.float32)
    start = np.zeros((1, len(seen), 4), int)
    start[..., 0] = OneHot(WIDE.ranges[:1]).symbols(seen.select(0))[:, 0]
    holds_at_start = WIDE.one_hot(np.broadcast_to(WIDE.holds, (len(seen), 4))) & (np.arange(len(seen)) == 0)[:, None]
    network = Gibbs(model, WIDE.sizes, WIDE.masked_features, barred=holds_at_start)
    made = network.sample(
        start,
        metadata,
        free=np.broadcast_to(np.arange(4) > 0, (len(seen), 4)),
        shares=np.maximum(0.05, np.linspace(1, -0.9, 96)),
        temperatures=np.linspace(1, 0.5, 96),
        penalty=lambda symbols: 3.0 * voice_leading_violations(WIDE.sounding(symbols)),
        seed=seed,
    )
    return WIDE.piece(made[0], like=replace(seen, voices=SATB)).transpose(-shift)


def first_phrase(piece: Piece, voices: Sequence[int]) -> tuple[Piece, np.ndarray]:
    """The first phrase, with these voices, and its first voice as numbers (1, steps). Raises MusicError for none."""
    found = chorale_phrases([piece], voices)
    if not found:
        raise MusicError(f"{piece.title!r} has no phrase of up to {LONGEST_PHRASE} eighths under a fermata.")
    return found[0], padded([SOPRANO.encode(found[0])], LONGEST_PHRASE + 1)


def write_bass(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """The likeliest bass below the first phrase, by beam search. Lesson 10."""
    phrase, source = first_phrase(piece, (0, len(piece.voices) - 1))
    row = beam_search(model.decoder, model.encode(source), 4, np.array([len(phrase)]), LONGEST_PHRASE + 1).numbers[0]
    return BASS.join(phrase, row)


def write_chords(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """The likeliest chords, one a quarter note, below the first phrase, by beam search. Lesson 10."""
    phrase, source = first_phrase(piece, range(len(piece.voices)))
    melody = replace(phrase.select(0), pickup=0)
    count = len(segments(melody, GRID))
    row = beam_search(model.decoder, model.encode(source), 4, np.array([count]), LONGEST_PHRASE + 1).numbers[0]
    return chord_piece(melody, row[:count] - FIRST, GRID)


def generate_bars(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """Four new bars in a row, from noise; of the piece only title and tempo stay. Lesson 07."""
    encoding = OneHot()
    made = np.asarray(model.sample(4, seed)).reshape(-1, encoding.width)
    return encoding.decode(made, like=replace(four_bars(piece), fermata=None))


def write_melody(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """A new melody over the chords of the full bars of 4/4, bar after bar, within C4..B5. Lesson 15."""
    bars = chord_bars([lead_sheet(piece)])
    if not len(bars.chord):
        raise MusicError(f"{piece.title!r} has no full bar of 4/4 with a chord in both halves. Take another piece.")
    made = [np.full((1, BAR), -1)]
    for number, chord in enumerate(bars.chord):
        before = (made[-1][..., None] == np.arange(MELODY_PITCHES)).astype(np.float32)
        output = model.sample(1, seed + number, [chord_features(chord[None]), before])
        made.append(np.asarray(output).argmax(-1))
    return bars_piece(np.concatenate(made[1:]), bars.chord, piece.title, piece.tempo)


def impose_structure(model: keras.Model, piece: Piece, seed: int) -> Piece:
    """New notes with the structure, the key and the onsets of the first eight bars. Lesson 13."""
    roll, goal = VoiceRoll(), template(piece)
    model.seed, model.seed_generator = seed, keras.random.SeedGenerator(seed)
    notes = roll.sounding[:, roll.sounding.any(axis=0)]
    constraints = [
        (2000.0, SelfSimilarity(notes, 4, goal.structure[None])),
        (40.0, Sums(roll.classes, 16, key_profile(goal.key)[None, None])),
        (30.0, Places(roll.onsets, goal.onsets[None])),
    ]
    v = constrained(model, np.asarray(model.independent(1, len(goal.piece))), constraints, cooling(300))
    return roll.decode(np.asarray(v)[0], like=goal.piece)


# ---------------------------------------------------------------- the systems


class Exhibit(NamedTuple):
    """A shipped system. title: in words. formula: as in the course. make: (model, piece, seed) → piece."""

    title: str
    formula: str
    make: Callable[[keras.Model, Piece, int], Piece]


VRAE = "Variational(Autoencoder(RNN, RNN))"
ENCODER_DECODER = "Autoencoder(RNN, RNN)"
MIDINET = "GAN(Conditioning(Convolutional(Feedforward), …), Conditioning(Convolutional(Feedforward), …))"
EXHIBITS = {
    "02_sliding": Exhibit(
        "One step at a time", "Feedforward", partial(harmonise, window=SlidingWindow(common_key=False, metre=False))
    ),
    "02_metre": Exhibit("… with the metre", "Feedforward", partial(harmonise, window=SlidingWindow(common_key=False))),
    "02_key": Exhibit("… in a common key", "Feedforward", partial(harmonise, window=SlidingWindow())),
    "02_harmoniser": Exhibit("MiniBach, improved", "Feedforward", partial(harmonise, window=SlidingWindow())),
    "03_autoencoder": Exhibit("auto-bach", "Autoencoder", reconstruct),
    "03_sparse": Exhibit("Sparse autoencoder", "Sparse(Autoencoder)", reconstruct),
    "03_stack": Exhibit("DeepHear's stack, repaired", "Autoencoder³", reconstruct),
    "04_autoencoder": Exhibit("Autoencoder", "Autoencoder", reconstruct),
    "04_linear": Exhibit("Linear VAE", "Variational(Autoencoder)", reconstruct),
    "04_vae": Exhibit("VAE", "Variational(Autoencoder)", reconstruct),
    "04_collapsed": Exhibit("Collapsed VAE", "Variational(Autoencoder)", reconstruct_sampling),
    "04_autoregressive": Exhibit("Autoregressive VAE", "Variational(Autoencoder)", reconstruct_sampling),
    "05_rnn": Exhibit("Plain recurrent network", "RNN", write_tune),
    "05_lstm": Exhibit("Celtic melodies", "LSTM²", write_tune),
    "06_cd1": Exhibit("RBM of pitch classes, CD-1", "RBM", resample_sets),
    "06_cd10": Exhibit("RBM of pitch classes, CD-10", "RBM", resample_sets),
    "06_pcd": Exhibit("RBM of pitch classes, PCD", "RBM", resample_sets),
    "06_exact": Exhibit("RBM of pitch classes, exact gradient", "RBM", resample_sets),
    "06_keys": Exhibit("RBM of 88 keys", "RBM", resample_frames),
    **{
        f"07_bar{seed}": Exhibit("Bars in four voices", "GAN(Feedforward, Feedforward)", generate_bars)
        for seed in ("", "_1", "_2")
    },
    "09_forward": Exhibit("Chords from the past", "RNN", label_chords),
    "09_bidirectional": Exhibit("Chords from past and future", "Bidirectional(RNN, RNN)", label_chords),
    "09_voices": Exhibit("Four voices by Gibbs sampling", "Bidirectional(RNN, RNN)²", resample_voices),
    "10_free": Exhibit("A bass from a code, free running", ENCODER_DECODER, write_bass),
    "10_code": Exhibit("A bass from a code", ENCODER_DECODER, write_bass),
    "10_attention": Exhibit("A bass with attention", ENCODER_DECODER, write_bass),
    "10_chords": Exhibit("Chords with attention", ENCODER_DECODER, write_chords),
    "11_language": Exhibit("Phrases without a code", "RNN", write_tune),
    "11_plain": Exhibit("VRAE, β = 1", VRAE, write_phrase),
    "11_annealed": Exhibit("VRAE, annealed", VRAE, write_phrase),
    "11_word_dropout": Exhibit("VRAE, annealed, word dropout", VRAE, write_phrase),
    "11_free_bits": Exhibit("VRAE, annealed, word dropout, free bits", VRAE, write_phrase),
    "11_vrae": Exhibit("VRAE, β = 0.3, annealed, word dropout", VRAE, write_phrase),
    "11_low_beta": Exhibit("VRAE, β = 0.01, annealed, word dropout", VRAE, write_phrase),
    "11_free_running": Exhibit("VRAE without teacher forcing", VRAE, write_phrase),
    "12_nade": Exhibit("NADE, frame by frame", "NADE", sample_alone),
    "12_rnn": Exhibit("RNN of frames", "RNN", carry_on),
    "12_rnn_rbm": Exhibit("RNN-RBM", "RNN ∘ RBM", carry_on),
    "12_rnn_rbm_cd1": Exhibit("RNN-RBM, CD-1", "RNN ∘ RBM", carry_on),
    "12_rnn_rbm_together": Exhibit("RNN-RBM, chords and time together", "RNN ∘ RBM", carry_on),
    "12_rnn_nade": Exhibit("RNN-NADE", "RNN ∘ NADE", carry_on),
    "12_lstm_nade": Exhibit("LSTM-NADE", "LSTM ∘ NADE", partial(carry_on, shift=3)),
    "12_notes": Exhibit("LSTM, note by note", "LSTM ∘ NADE", partial(carry_on, shift=3)),
    "13_crbm": Exhibit("C-RBM, structure imposed", "Convolutional(RBM)", impose_structure),
    "15_stable": Exhibit("MidiNet, stable", MIDINET, write_melody),
    "15_creative": Exhibit("MidiNet, creative", MIDINET, write_melody),
}
"""Name of the shipped weights, with the lesson's number in front → the system."""


def exhibit(name: str, piece: Piece, seed: int = 0) -> Piece:
    """What the system of this name, of ``EXHIBITS``, makes of a piece, such as a chorale. seed: of all random numbers.

    Raises MusicError where the piece does not fit the system: metre, ranges, length.
    """
    system = EXHIBITS[name]
    return replace(system.make(shipped(name), piece, seed), title=f"{system.title}: {piece.title}")
