"""Checks of lesson 15, MidiNet."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

from course_lib.architectures.adversarial import GAN, R1, Choice
from course_lib.architectures.conditioning import conditioned, paper_generator, paper_history
from course_lib.checks.feedback import NotYet, begun, call, check, integers
from course_lib.music.encodings.lead_sheets import BAR, HALF, MELODY_PITCHES, chord_tone_share
from course_lib.training import fit

SHUFFLED, DATA = 0.31, 0.62
"""Share of an unseen melody's sixteenths that lie in any other bar's chords, and in its own."""


@check
def check_1(counted: object) -> str:
    """Weights of the released discriminator's first convolution, and those that look at the chord."""
    begun(counted, "Replace ... by two numbers. How many numbers does one filter see at once?")
    parameters, chord = integers(counted, 2, "two whole numbers: (parameters, weights that look at the chord)")
    filters, cells = 14, 2 * 128
    right, constant = filters * (cells * 14 + 1), filters * cells * 13
    if (parameters, chord) == (right, constant):
        return f"{right:,}, of which {constant:,} see the same 13 numbers at 256 places: one look would do."
    if parameters == right - filters:
        hint = "These are the weights. Each filter has a bias besides."
    elif parameters == filters * (cells + 1):
        hint = "Beside each cell of the bar stand 13 numbers of the chord: a filter sees 14 channels."
    elif parameters != right:
        hint = "A filter covers 2 steps × 128 pitches × 14 channels; there are 14 filters, each with a bias."
    else:
        hint = "Of the 14 channels one is the bar, 13 are the chord. Biases look at nothing."
    raise NotYet(f"You answered ({parameters}, {chord}). {hint}")


@check
def check_2(beside: Callable) -> str:
    """A condition of several segments beside each position."""
    rng = np.random.default_rng(0)
    for positions, segments in ((16, 2), (16, 1), (8, 4), (2, 2)):
        x, y = rng.normal(size=(3, positions, 5)), rng.normal(size=(3, segments, 4))
        right = np.concatenate([x, np.repeat(y, positions // segments, axis=1)], axis=2)
        where, form = f"For {positions} positions and {segments} segments: ", "x and the segment that it lies in"
        got = call(beside, x.copy(), y.copy(), hint=form, shape=right.shape, each=form, where=where)
        if np.allclose(got, np.concatenate([x, np.tile(y, (1, positions // segments, 1))], axis=2)) and segments > 1:
            if not np.allclose(got, right):
                raise NotYet(
                    f"{where}The segments take turns. Each one must stay for its share: first, first, second, …"
                )
        if np.allclose(got[..., :4], right[..., 5:]):
            raise NotYet(f"{where}The order is reversed: x first, the condition behind it.")
        if not np.allclose(got, right):
            step = int(np.abs(got - right).max(axis=(0, 2)).argmax())
            raise NotYet(f"{where}Position {step} is wrong: there segment {step * segments // positions} belongs.")
    return "Bars, halves, quarters: each position has its own segment beside it."


@check
def check_3(make: Callable) -> str:
    """A bar made alone is the bar made in a batch."""
    keras.utils.set_random_seed(0)
    generator = conditioned((8,), paper_generator(16, 24, 16), (1, 13), history=paper_history(16, 24))
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(6, *shape)).astype(np.float32) for shape in ((8,), (1, 13), (16, 24, 1))]
    before = generator.get_weights()
    form = "what the generator makes of the three, float (bars, 16, 24, 1)"
    shape = (16, 24, 1)
    together = call(make, generator, *given, hint=form, shape=(6, *shape), each="one bar a row")
    alone = [call(make, generator, *(a[i : i + 1] for a in given), hint=form, shape=(1, *shape))[0] for i in range(6)]
    changed = not all(np.array_equal(a, b) for a, b in zip(before, generator.get_weights(), strict=True))
    if not np.allclose(together, alone, atol=1e-5):
        worst = float(np.abs(together - np.array(alone)).max())
        raise NotYet(
            f"Six bars in a batch and the same six one by one differ by up to {worst:.2f}. In training, batch "
            "normalisation takes mean and spread of the batch; else those that it has learnt."
        )
    if changed:
        raise NotYet("Making bars changed the generator's moving averages. Nothing may be learnt while it is played.")
    if not np.allclose(together, np.asarray(generator(given, training=False)), atol=1e-4):
        raise NotYet(
            "The bars no longer depend on the batch, but they are not those of the generator as it was trained."
        )
    return "Alone or in a batch: the same bar, and the generator is as it was."


@check
def check_4(critic: Callable) -> str:
    """A discriminator that can multiply what it sees by its condition, judged by the generator that it trains."""
    keras.utils.set_random_seed(0)
    model = call(critic, hint="a keras.Model of [x, y]")
    if not isinstance(model, keras.Model) or [x.shape[1:] for x in model.inputs] != [(4,), (4,)]:
        raise NotYet("It returns no keras.Model of two inputs with 4 numbers each, x and y.")
    if model.output_shape[-1] != 1 or model.count_params() > 500:
        raise NotYet(
            f"It has {model.count_params()} parameters and {model.output_shape} outputs; at most 500, one logit."
        )
    z, y = keras.Input((4,)), keras.Input((4,))
    h = layers.Dense(24, activation="relu")(layers.Concatenate()([z, y]))
    gan = GAN(keras.Model([z, y], Choice([4])(layers.Dense(4)(h))), model, penalty=R1(0.02), average=0.9)
    gan.compile(keras.optimizers.Adam(1e-2, 0.5), keras.optimizers.Adam(1e-2, 0.5))
    condition = np.arange(12_800) % 4
    real = np.where(np.random.default_rng(0).random(12_800) < 0.9, condition, (condition + 1) % 4)
    eye = np.eye(4, dtype=np.float32)
    fit(gan, [eye[real], eye[condition]], epochs=3, batch_size=64, keep="last")
    asked = np.arange(400) % 4
    made = np.asarray(gan.sample(400, 1, [eye[asked]])).argmax(-1)
    follows = (made == asked).mean()
    tried = f"A generator that learnt from it for 600 steps follows its condition in {follows:.0%} of the cases"
    if follows < 0.75:
        raise NotYet(f"{tried}; at least 75 % are wanted, chance gives 25 %. Can your logit be high for x = y alone?")
    return f"{tried}. With {model.count_params()} parameters."


@check
def check_5(discriminator: Callable) -> str:
    """A discriminator that sees the bar before."""
    model = call(discriminator, hint="a keras.Model of [x, y, h]")
    shapes = [tuple(x.shape[1:]) for x in getattr(model, "inputs", [])]
    if shapes != [(16, 24), (2, 13), (16, 24)]:
        raise NotYet(
            f"Its inputs have the shapes {shapes}; expected [(16, 24), (2, 13), (16, 24)]: bar, chords, bar before."
        )
    rng = np.random.default_rng(0)
    eye = np.eye(24, dtype=np.float32)
    x, h = (eye[rng.integers(0, 24, (8, 16))] for _ in range(2))
    given = [x, rng.random((8, 2, 13)).astype(np.float32), h]
    logits = np.asarray(model(given))
    if logits.shape != (8, 1):
        raise NotYet(f"It answers with shape {logits.shape[1:]}; expected one logit.")
    for number, name in enumerate(("the bar", "the chords", "the bar before")):
        for step in (0, -1):
            other = [np.array(array) for array in given]
            other[number][:, step] = np.roll(other[number][:, step], 1, axis=-1)
            if np.allclose(np.asarray(model(other)), logits, atol=1e-7):
                place = "first" if step == 0 else "last"
                raise NotYet(f"Another {place} step of {name} does not change its verdict.")
    return "Bar, chords and the bar before: it sees all of each, so a jump at the bar line can be punished."


@check
def check_6(melody: object) -> str:
    """Eight bars that follow their chords, do not repeat, and move like a melody."""
    begun(melody, "Replace ... by (melody, chord): int (8, 16) and int (8, 2), as the generator makes and takes them.")
    try:
        notes, chord = (np.asarray(part) for part in melody)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise NotYet(f"Expected a pair (melody, chord); got {type(melody).__name__}.") from error
    if notes.shape != (8, BAR) or chord.shape != (8, BAR // HALF):
        raise NotYet(f"Shapes {notes.shape} and {chord.shape}; expected (8, 16) and (8, 2).")
    if notes.min() < 0 or notes.max() >= MELODY_PITCHES or chord.min() < 0 or chord.max() > 23:
        raise NotYet("Notes are 0..23 above C4, chords 0..23, as in CHORDS.")
    if len(np.unique(chord)) < 4:
        raise NotYet(
            f"{len(np.unique(chord))} different chords; choose at least 4, so that following them is an achievement."
        )
    if len(np.unique(notes, axis=0)) < 8:
        raise NotYet(f"Only {len(np.unique(notes, axis=0))} of the 8 bars differ. Give each its own noise.")
    control = (chord_tone_share(notes, chord).mean() - SHUFFLED) / (DATA - SHUFFLED)
    if control < 0.6:
        raise NotYet(
            f"Control is {control:.2f}, wanted 0.60: the melody hardly follows your chords. Draw some bars again."
        )
    changes = (np.diff(notes.ravel()) != 0).mean()
    if not 0.06 <= changes <= 0.35:
        raise NotYet(
            f"A new note in {changes:.0%} of the sixteenths; Bach has 16 %. Between 6 and 35 % it is a melody."
        )
    return f"Control {control:.2f}, eight different bars, a new note in {changes:.0%} of the sixteenths. Listen to it."
