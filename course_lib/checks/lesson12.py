"""Checks of lesson 12, RNN-RBM."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, integers
from course_lib.music.datasets import chorale_frames, chorales
from course_lib.music.encodings.frames import frames_piece, piano_frames
from course_lib.music.measures.copies import CopyDetector
from course_lib.music.measures.metrics import parallels
from course_lib.music.piece import REST, Piece


@check
def check_1(counted: object) -> str:
    """Parameters of an RNN-RBM."""
    begun(counted, "Replace ... by two whole numbers. What does the RNN add to an RBM that stands alone?")
    everything, of_time = integers(counted, 2, "two whole numbers: (all, those of time)")
    rbm, rnn, moves = 88 * 150 + 88 + 150, 88 * 100 + 100 * 100 + 100, 100 * 88 + 100 * 150
    if (everything, of_time) == (rbm + rnn + moves, rnn + moves):
        return f"RBM {rbm:,}, RNN {rnn:,}, B and C {moves:,}. Over three quarters are there for time."
    if everything == rbm + rnn:
        hint = "B and C are missing: they turn 100 numbers into 88 and into 150 shifts."
    elif everything == rbm + rnn + moves + 88 + 150:
        hint = "B and C have no biases of their own: b and c are there already."
    elif everything == rbm + rnn + moves - 100:
        hint = "Each unit of the RNN has a bias."
    elif everything != rbm + rnn + moves:
        hint = f"The RBM alone has {rbm:,}. Then W_vu, W_uu and b_u of the RNN; then B and C."
    elif of_time == rnn:
        hint = "The first is right. Without time there would be no shifts either."
    else:
        hint = "The first is right. The second: all but W, b and c."
    raise NotYet(f"You answered ({everything}, {of_time}). {hint}")


@check
def check_2(features: Callable) -> str:
    """p(h | v, past)."""
    rng = np.random.default_rng(0)
    for scale in (1.0, 3000.0):
        v = (rng.random((5, 6)) < 0.5).astype(float)
        u, w, c, to_hidden = (scale * rng.normal(size=size) for size in ((5, 4), (6, 3), (3,), (4, 3)))
        u = np.tanh(u)
        hint = "return one probability for each frame and hidden unit."
        got = call(features, v.copy(), u, w, c, to_hidden, hint=hint, shape=(5, 3), where="v (5, 6), w (6, 3): ")
        logits = v @ w + c + u @ to_hidden
        sigmoid = lambda x: 0.5 * (1 + np.tanh(x / 2))  # noqa: E731
        if np.allclose(got, sigmoid(logits)):
            continue
        if not np.isfinite(got).all():
            raise NotYet("With large weights it is not finite. 0.5 * (1 + tanh(x / 2)) is σ without overflow.")
        if np.allclose(got, logits):
            raise NotYet("These are logits. A probability is σ of them.")
        if np.allclose(got, sigmoid(v @ w + c)):
            raise NotYet("That is the RBM of lesson 06: the past moves nothing. Add u C to c.")
        if np.allclose(got, sigmoid(v @ w + u @ to_hidden)):
            raise NotYet("The shift replaces the bias c; it should be added to it.")
        raise NotYet(
            f"For the first frame it returns {got[0].round(3).tolist()}, expected "
            f"{sigmoid(logits)[0].round(3).tolist()}: σ(v W + c + u C)."
        )
    return "Five frames, also with weights of 3,000: the past moves the features as it should."


@check
def check_3(mean: Callable) -> str:
    """The pooled mean, without padding."""
    nats = np.array([[4.0, 6.0, 5.0, 5.0, 1.0, 0.5], [8.0, 10.0, 0.2, 0.1, 0.1, 0.1], [7.0, 0.3, 0.3, 0.2, 0.2, 0.2]])
    lengths = np.array([6, 2, 1])
    got = call(mean, nats.copy(), lengths.copy(), hint="return one number.", shape=())
    real = np.arange(6) < lengths[:, None]
    wanted = nats[real].mean()
    if np.isclose(got, wanted):
        more = np.pad(nats, ((0, 0), (0, 4)), constant_values=0.1)
        if not np.isclose(call(mean, more, lengths, shape=()), wanted):
            raise NotYet("Padded by four frames more, the same pieces have another figure. Nothing may change.")
        return f"{wanted:.3f}, and more padding changes nothing. With padding it would be {nats.mean():.3f}."
    hint = "Take the first lengths[i] frames of each row i, all together, and their mean."
    if np.isclose(got, nats.mean()):
        hint = "You still average over the padding: it is easy to predict, so the figure looks good."
    elif np.isclose(got, (nats * real).mean()):
        hint = "The padding adds nothing now, but it is counted in the divisor."
    elif np.isclose(got, np.mean([row[:n].mean() for row, n in zip(nats, lengths, strict=True)])):
        hint = "That is a mean of means: a short piece counts as much as a long one. Pool the frames."
    elif np.isclose(got, (nats * real).sum() / len(nats)):
        hint = "That is nats a piece; divide by the number of real frames."
    raise NotYet(f"Three pieces of 6, 2 and 1 frames: it returns {got:.3f}, expected {wanted:.3f}. {hint}")


@check
def check_4(inputs: Callable) -> str:
    """The RNN's input in each step."""
    roll = np.zeros((6, 5))
    roll[np.arange(6), [0, 2, 1, 4, 3, 0]] = 1
    settings = {"hint": "return the RNN's inputs, (steps, D).", "shape": roll.shape, "each": "an input for each step"}
    got = call(inputs, roll.copy(), **settings)
    for step in range(6):
        other = roll.copy()
        other[step] = 1 - other[step]
        changed = np.flatnonzero((call(inputs, other, **settings) != got).any(1))
        if len(changed) and changed[0] <= step:
            raise NotYet(
                f"Frame {step} was turned over, and the input at step {changed[0]} changed: the network's input holds "
                f"{'the very answer' if changed[0] == step else 'the future'}."
            )
    if got[0].any():
        raise NotYet("Nothing leaks. But before step 0 there is no frame: expected zeros.")
    if not np.array_equal(got[1:], roll[:-1]):
        raise NotYet("Nothing leaks. But the input at step t should be frame t − 1, as it is.")
    return "Six frames turned over, one after the other: each changes only what comes after it."


@cache
def _training() -> CopyDetector:
    rolls = zip(chorale_frames().train, chorales().train, strict=True)
    return CopyDetector([frames_piece(roll, piece.title) for roll, piece in rolls], voice=0)


@check
def check_5(piece: object) -> str:
    """A completed melody of one's own: properties, not one right answer."""
    begun(piece, "Replace ... by a Piece: complete a melody of yours, then frames_piece(...).")
    if not isinstance(piece, Piece) or piece.pitch.shape[1] != 4 or piece.steps_per_quarter != 1:
        raise NotYet(f"Got {piece!r}; expected what frames_piece returns: four voices, a step a quarter note.")
    top = piece.pitch[:, 0][piece.pitch[:, 0] != REST].astype(int)
    if len(top) < 8:
        raise NotYet(f"Your melody has {len(top)} notes; write eight at least.")
    if len(set(top.tolist())) < 4:
        raise NotYet(f"Your melody has {len(set(top.tolist()))} different notes; use four at least.")
    if np.abs(np.diff(top)).max() > 12:
        raise NotYet(f"It leaps by {np.abs(np.diff(top)).max()} semitones: nobody can sing that. At most 12.")
    notes = float((piece.pitch != REST).sum(1).mean())
    if notes < 3:
        raise NotYet(f"{notes:.1f} notes sound on average: little was completed. Three at least.")
    last = set((piece.pitch[-1][piece.pitch[-1] != REST] % 12).tolist())
    if not any({root, (root + third) % 12} <= last for root in last for third in (3, 4)):
        raise NotYet("The last chord has no third in it: the piece does not close. Try another seed, or ending.")
    known = _training().longest(piece)
    if known.length > 16:
        raise NotYet(f"Your melody is one of the training chorales for {known.length} notes: {known}.")
    found = [len(parallels(piece, interval)) for interval in (7, 0)]
    if sum(found) > len(piece) / 8:
        raise NotYet(
            f"{found[0]} parallel fifths and {found[1]} parallel octaves in {len(piece)} beats: too "
            "many for the school. Draw several times (seed), more particles, a lower temperature, and keep the best."
        )
    chords = len({row.tobytes() for row in np.packbits(piano_frames(piece), axis=1)})
    return (
        f"{len(top)} notes of yours over {chords} different chords, {found[0]} parallel fifths and {found[1]} "
        f"octaves; your melody shares {known.length} notes with {known.title or 'none'} at most. Listen to it."
    )
