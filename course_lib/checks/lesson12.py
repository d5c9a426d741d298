"""Checks of lesson 12, RNN-RBM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from course_lib.checks.feedback import Feedback, tried, unsolved
from course_lib.music.datasets import chorale_frames, chorales
from course_lib.music.encodings.frames import frames_piece, piano_frames
from course_lib.music.measures.copies import CopyDetector
from course_lib.music.measures.metrics import parallels
from course_lib.music.piece import REST, Piece


def check_1(counted: object) -> Feedback:
    """Parameters of an RNN-RBM."""
    if unsolved(counted):
        return Feedback(False, "Replace ... by two whole numbers. What does the RNN add to an RBM that stands alone?")
    if not isinstance(counted, Sequence) or isinstance(counted, str) or len(counted) != 2:
        return Feedback(False, f"You answered {counted!r}; expected two whole numbers: (all, those of time).")
    everything, of_time = counted
    rbm, rnn, moves = 88 * 150 + 88 + 150, 88 * 100 + 100 * 100 + 100, 100 * 88 + 100 * 150
    if (everything, of_time) == (rbm + rnn + moves, rnn + moves):
        return Feedback(
            True,
            f"RBM {rbm:,}, RNN {rnn:,}, B and C {moves:,}. Over three quarters are there for time.",
        )
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
    return Feedback(False, f"You answered ({everything}, {of_time}). {hint}")


def check_2(features: Callable) -> Feedback:
    """p(h | v, past)."""
    rng = np.random.default_rng(0)
    for scale in (1.0, 3000.0):
        v = (rng.random((5, 6)) < 0.5).astype(float)
        u, w, c, to_hidden = (scale * rng.normal(size=size) for size in ((5, 4), (6, 3), (3,), (4, 3)))
        u = np.tanh(u)
        with np.errstate(all="ignore"):
            got, problem = tried(features, v.copy(), u, w, c, to_hidden)
        if problem:
            return Feedback(False, problem)
        if unsolved(got):
            return Feedback(False, "Your function returns ... : return one probability for each frame and hidden unit.")
        got = np.asarray(got, float)
        if got.shape != (5, 3):
            return Feedback(False, f"For v (5, 6) and w (6, 3) it returns shape {got.shape}; expected (5, 3).")
        logits = v @ w + c + u @ to_hidden
        sigmoid = lambda x: 0.5 * (1 + np.tanh(x / 2))  # noqa: E731
        if np.allclose(got, sigmoid(logits)):
            continue
        if not np.isfinite(got).all():
            return Feedback(
                False, "With large weights it is not finite. 0.5 * (1 + tanh(x / 2)) is σ without overflow."
            )
        if np.allclose(got, logits):
            return Feedback(False, "These are logits. A probability is σ of them.")
        if np.allclose(got, sigmoid(v @ w + c)):
            return Feedback(False, "That is the RBM of lesson 06: the past moves nothing. Add u C to c.")
        if np.allclose(got, sigmoid(v @ w + u @ to_hidden)):
            return Feedback(False, "The shift replaces the bias c; it should be added to it.")
        return Feedback(
            False, f"For the first frame it returns {got[0].round(3).tolist()}, expected "
            f"{sigmoid(logits)[0].round(3).tolist()}: σ(v W + c + u C)."
        )  # fmt: skip
    return Feedback(True, "Five frames, also with weights of 3,000: the past moves the features as it should.")


def check_3(mean: Callable) -> Feedback:
    """The pooled mean, without what fills up."""
    nats = np.array([[4.0, 6.0, 5.0, 5.0, 1.0, 0.5], [8.0, 10.0, 0.2, 0.1, 0.1, 0.1], [7.0, 0.3, 0.3, 0.2, 0.2, 0.2]])
    lengths = np.array([6, 2, 1])
    got, problem = tried(mean, nats.copy(), lengths.copy())
    if problem:
        return Feedback(False, problem)
    if unsolved(got):
        return Feedback(False, "Your function returns ... : return one number.")
    if np.ndim(got) or not np.isfinite(float(got)):
        return Feedback(False, f"It returns {got!r}; expected one finite number.")
    real = np.arange(6) < lengths[:, None]
    wanted = nats[real].mean()
    said = f"Three pieces of 6, 2 and 1 frames: it returns {float(got):.3f}, expected {wanted:.3f}."
    if np.isclose(got, wanted):
        more = np.pad(nats, ((0, 0), (0, 4)), constant_values=0.1)
        if not np.isclose(tried(mean, more, lengths)[0] or np.nan, wanted):
            return Feedback(
                False, "Filled up by four frames more, the same pieces have another figure. Nothing may change."
            )
        return Feedback(
            True, f"{wanted:.3f}, and filling up changes nothing. With padding it would be {nats.mean():.3f}."
        )
    if np.isclose(got, nats.mean()):
        return Feedback(False, f"{said} You still average over what fills up: it is cheap, so the figure looks good.")
    if np.isclose(got, (nats * real).mean()):
        return Feedback(False, f"{said} The fillers cost nothing now, but they are counted in the divisor.")
    if np.isclose(got, np.mean([row[:n].mean() for row, n in zip(nats, lengths, strict=True)])):
        return Feedback(
            False, f"{said} That is a mean of means: a short piece counts as much as a long one. Pool the frames."
        )
    if np.isclose(got, (nats * real).sum() / len(nats)):
        return Feedback(False, f"{said} That is nats a piece; divide by the number of real frames.")
    return Feedback(False, f"{said} Take the first lengths[i] frames of each row i, all together, and their mean.")


def check_4(heard: Callable) -> Feedback:
    """What the RNN is given in each step."""
    roll = np.zeros((6, 5))
    roll[np.arange(6), [0, 2, 1, 4, 3, 0]] = 1
    got, problem = tried(heard, roll.copy())
    if problem:
        return Feedback(False, problem)
    if unsolved(got):
        return Feedback(False, "Your function returns ... : return what the RNN is given, (steps, D).")
    got = np.asarray(got, float)
    if got.shape != roll.shape:
        return Feedback(False, f"For frames {roll.shape} it returns {got.shape}; one input for each step, no fewer.")
    for step in range(6):
        other = roll.copy()
        other[step] = 1 - other[step]
        changed = np.flatnonzero((np.asarray(tried(heard, other)[0], float) != got).any(1))
        if len(changed) and changed[0] <= step:
            return Feedback(
                False, f"Frame {step} was turned over, and the input at step {changed[0]} changed: the network "
                f"{'hears what it is asked' if changed[0] == step else 'hears the future'}."
            )  # fmt: skip
    if got[0].any():
        return Feedback(False, "Nothing leaks. But at step 0 nothing was heard yet: expected zeros.")
    if not np.array_equal(got[1:], roll[:-1]):
        return Feedback(False, "Nothing leaks. But step t should be given frame t − 1, as it is.")
    return Feedback(True, "Six frames turned over, one after the other: each changes only what comes after it.")


@cache
def _training() -> CopyDetector:
    rolls = zip(chorale_frames().train, chorales().train, strict=True)
    return CopyDetector([frames_piece(roll, piece.title) for roll, piece in rolls], voice=0)


def check_5(piece: object) -> Feedback:
    """A completed melody of one's own: properties, not one right answer."""
    if unsolved(piece):
        return Feedback(False, "Replace ... by a Piece: complete a melody of yours, then frames_piece(...).")
    if not isinstance(piece, Piece) or piece.pitch.shape[1] != 4 or piece.steps_per_quarter != 1:
        return Feedback(
            False, f"Got {piece!r}; expected what frames_piece returns: four voices, a step a quarter note."
        )
    top = piece.pitch[:, 0][piece.pitch[:, 0] != REST].astype(int)
    if len(top) < 8:
        return Feedback(False, f"Your melody has {len(top)} notes; write eight at least.")
    if len(set(top.tolist())) < 4:
        return Feedback(False, f"Your melody has {len(set(top.tolist()))} different notes; use four at least.")
    if np.abs(np.diff(top)).max() > 12:
        return Feedback(False, f"It leaps by {np.abs(np.diff(top)).max()} semitones: nobody can sing that. At most 12.")
    notes = float((piece.pitch != REST).sum(1).mean())
    if notes < 3:
        return Feedback(False, f"{notes:.1f} notes sound on average: little was completed. Three at least.")
    last = set((piece.pitch[-1][piece.pitch[-1] != REST] % 12).tolist())
    if not any({root, (root + third) % 12} <= last for root in last for third in (3, 4)):
        return Feedback(
            False, "The last chord has no third in it: the piece does not close. Try another seed, or ending."
        )
    known = _training().longest(piece)
    if known.length > 16:
        return Feedback(False, f"Your melody is one of the training chorales for {known.length} notes: {known}.")
    found = [len(parallels(piece, interval)) for interval in (7, 0)]
    if sum(found) > len(piece) / 8:
        return Feedback(
            False, f"{found[0]} parallel fifths and {found[1]} parallel octaves in {len(piece)} beats: too "
            "many for the school. Draw several times (seed), more particles, a lower temperature, and keep the best."
        )  # fmt: skip
    chords = len({row.tobytes() for row in np.packbits(piano_frames(piece), axis=1)})
    return Feedback(
        True, f"{len(top)} notes of yours over {chords} different chords, {found[0]} parallel fifths and {found[1]} "
        f"octaves; your melody shares {known.length} notes with {known.title or 'none'} at most. Listen to it."
    )  # fmt: skip
