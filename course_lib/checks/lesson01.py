"""Checks of notebook 01: music as tensors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np

from course_lib.checks.feedback import NotYet, begun, call, check, integers
from course_lib.music.datasets import chorales, windows
from course_lib.music.encodings.voices import MINIBACH_RANGES, OneHot
from course_lib.music.errors import MusicError
from course_lib.music.files import read_bytes
from course_lib.music.keys import note_name
from course_lib.music.piece import REST, Piece

PUZZLE = Piece(
    np.array([[67, 67, 67, 67, 67, 69, 69, 69, REST, REST, REST, 69, 67, 67, 67, 67]], np.int16).T,
    np.array([[1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0]], bool).T,
    title="The puzzle of exercise 1",
)
"""One voice, sixteen steps, with repeated notes and a rest."""


@check
def check_1(answer: object) -> str:
    """Read: (number of notes, time steps of the longest note) of ``PUZZLE``."""
    begun(answer, "Replace the three dots by two numbers, as in: answer_1 = (3, 4)")
    count, longest = integers(answer, 2, "two whole numbers in round brackets, as in: (3, 4)")
    pitch = PUZZLE.pitch[:, 0]
    notes = PUZZLE.notes()
    lengths = [note.length for note in notes]
    changes = 1 + int((np.diff(pitch) != 0).sum())
    if count != len(notes):
        hints = {
            changes: "That is how often the pitch row changes. A repeated note changes nothing there, and a rest is "
            "no note",
            changes - 1: "That is the number of runs of one pitch. A note with an onset of its own is a new note",
            int((pitch != REST).sum()): "That is the number of time steps that sound",
            len(pitch): "That is the number of time steps",
        }
        where = hints.get(count, "Each note has exactly one place where it starts")
        raise NotYet(f"You counted {count} notes. {where}. Count the marks in the onset row.")
    if longest != max(lengths):
        run = "The pitch 67 stands 5 times in a row, but with two onsets. " if longest == 5 else ""
        raise NotYet(
            f"{count} notes is right. For the longest you wrote {longest} steps. {run}"
            "A note lasts from its onset to the step before the next onset or rest."
        )
    return f"{count} notes, with the lengths {lengths} in time steps. The onset row tells them apart."


@check
def check_2(answer: object) -> str:
    """Change: the narrowest ``OneHot`` that holds every training window, rests included."""
    begun(answer, "Replace the three dots by an encoding: OneHot(ranges=..., rest=...).")
    if not isinstance(answer, OneHot):
        raise NotYet(f"You gave {type(answer).__name__} {answer!r}. An encoding is asked for: OneHot(...)")
    found = _training_windows()
    refused, first = 0, ""
    for window in found:
        try:
            answer.symbols(window)
        except MusicError as error:
            refused += 1
            first = first or f"{window.title}: {error}"
        except (TypeError, ValueError) as error:
            raise NotYet(f"The ranges {answer.ranges!r} cannot be used ({error}). Write four pairs.") from error
    if refused:
        raise NotYet(
            f"It holds {len(found) - refused:,} of {len(found):,} training windows. The first that it refuses: {first}"
        )
    needed = _needed_ranges()
    wide = [
        f"voice {voice} needs {low}..{high} and has {a}..{b}"
        for voice, ((low, high), (a, b)) in enumerate(zip(needed, answer.ranges, strict=True))
        if (a, b) != (low, high)
    ]
    if wide:
        raise NotYet(
            f"It holds all {len(found):,} windows, with {answer.width} numbers a time step. "
            f"{OneHot(needed, rest=True).width} are enough: {'; '.join(wide)}."
        )
    return (
        f"All {len(found):,} training windows fit, with {answer.width} numbers a time step. "
        f"MiniBach has {OneHot().width}: the others are needed to keep every window."
    )


@check
def check_3(answer: object) -> str:
    """Repair: ``split_windows(pieces, rng)`` → training windows, test windows; no chorale on both sides."""
    begun(answer, "Repair the function below the comment, then write: answer_3 = split_windows")
    if not callable(answer):
        raise NotYet(f"You gave {answer!r}. Give the function, without brackets: answer_3 = split_windows")
    pieces = list(chorales().train[:60])
    tried = f"I called it with {len(pieces)} chorales. "
    sides = call(answer, pieces, np.random.default_rng(3), hint="return two lists of windows.", where=tried)
    try:
        train, test = sides
        titles = [{piece.title for piece in side} for side in (train, test)]
        starts = [[(window.title, window.pitch.tobytes()) for window in side] for side in (train, test)]
    except Exception as error:
        raise NotYet(f"{tried}It has to return two lists of windows, training and test ({error}).") from error
    if not train or not test:
        raise NotYet(f"{len(train)} training and {len(test)} test windows. Both sides need some.")
    both = sorted(titles[0] & titles[1])
    if both:
        raise NotYet(
            f"{tried}{len(both)} of them have windows on both sides, for example "
            f"{both[0]}. Windows of one chorale overlap: divide the pieces first, cut windows afterwards."
        )
    whole = sorted((window.title, window.pitch.tobytes()) for window in windows(pieces))
    if sorted(starts[0] + starts[1]) != whole:
        raise NotYet(
            f"No chorale is on both sides, but {len(train) + len(test)} windows came back in place of {len(whole)}. "
            "Use windows(...) once for each side, and leave no piece out."
        )
    share = len(titles[1]) / len(titles[0] | titles[1])
    if not 0.1 <= share <= 0.3:
        raise NotYet(f"{share:.0%} of the chorales are on the test side. About a fifth is asked for.")
    return (
        f"{len(titles[0])} chorales with {len(train)} windows to learn from, {len(titles[1])} with {len(test)} "
        "to test, and none on both sides. (The course goes one step further and keeps equal melodies together.)"
    )


@check
def check_4(answer: object) -> str:
    """Create: a melody in ABC, four bars of 4/4, in the soprano's range, without rests."""
    low, high = MINIBACH_RANGES[0]
    begun(answer, "Replace the three dots by your melody, in ABC, between three quotation marks.")
    if not isinstance(answer, str):
        raise NotYet(f"You gave {type(answer).__name__}. Write text between three quotation marks.")
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            piece = read_bytes(answer.encode(), "your melody")
    except MusicError as error:
        raise NotYet(f"It cannot be read. {error}") from error
    if warned:
        raise NotYet(f"It can be read, but not all of it fits on the grid. {warned[0].message}")
    faults = []
    if len(piece.voices) != 1:
        faults.append(f"it has {len(piece.voices)} voices; write one note at a time")
    if piece.time_signature != (4, 4):
        beats, unit = piece.time_signature
        faults.append(f"its metre is {beats}/{unit}; write M:4/4 above the line K:")
    if len(piece) != 64:
        faults.append(
            f"it lasts {len(piece) / piece.steps_per_quarter:g} quarter notes; four bars of 4/4 are 16. "
            "Add up the lengths in each bar"
        )
    if (piece.pitch == REST).any():
        faults.append(f"it rests at step {int(np.argwhere(piece.pitch == REST)[0, 0])}; MiniBach knows no rest")
    sounding = piece.pitch[piece.pitch != REST]
    outside = sounding[(sounding < low) | (sounding > high)]
    if outside.size:
        faults.append(
            f"{note_name(int(outside[0]))} lies outside the soprano's {note_name(low)}..{note_name(high)}; "
            "in ABC, C is C4 and c is C5"
        )
    if len(set(sounding.tolist())) < 5:
        faults.append(f"it has {len(set(sounding.tolist()))} different pitches; use at least 5")
    if faults:
        raise NotYet("It can be read. What does not fit yet: " + "; ".join(faults) + ".")
    return (
        f"{len(piece.notes())} notes, {len(set(sounding.tolist()))} different pitches, tensor of shape (64, 21). "
        "Keep it: in lesson 02, a network writes three voices under it."
    )


@check
def check_5(answer: object) -> str:
    """Create: (encode, decode), an encoding of one voice as whole numbers with its exact inverse."""
    begun(answer, "Write the two functions, then: answer_5 = (encode, decode)")
    if not (isinstance(answer, tuple) and len(answer) == 2 and all(callable(part) for part in answer)):
        raise NotYet(f"You gave {answer!r}. Give two functions in round brackets: (encode, decode)")
    encode, decode = answer
    sizes = []
    for melody in _melodies():
        where = f"I tried it on the soprano of {melody.title}: "
        numbers = np.asarray(call(encode, melody, hint="return whole numbers.", where=f"{where}encode. "))
        if numbers.dtype.kind not in "iub":
            raise NotYet(f"{where}encode gave {numbers.dtype} {numbers.shape}, not whole numbers.")
        back = call(decode, numbers, hint="return a Piece(pitch, onset).", where=f"{where}decode. ")
        if not isinstance(back, Piece):
            raise NotYet(f"{where}decode gave {type(back).__name__}, not a Piece(pitch, onset).")
        if back.pitch.shape != melody.pitch.shape:
            raise NotYet(f"{where}pitch has the shape {melody.pitch.shape}, and came back as {back.pitch.shape}.")
        for name, before, after in (("pitch", melody.pitch, back.pitch), ("onset", melody.onset, back.onset)):
            if (before != after).any():
                step = int(np.argwhere(before != after)[0, 0])
                raise NotYet(
                    f"{where}{name} was {before[step, 0]} at step {step} and came back as {after[step, 0]}. "
                    "The encoding drops something there."
                )
        sizes.append(numbers.size)
    return (
        f"{len(sizes)} melodies came back equal. Your encoding takes {np.mean(sizes):.0f} numbers for 64 time steps, "
        "on the mean; tokens take 64, one-hot takes 1,344."
    )


@cache
def _training_windows() -> Sequence[Piece]:
    return tuple(windows(chorales().train))


def _needed_ranges() -> tuple[tuple[int, int], ...]:
    """The ranges of the voices in the training windows."""
    pitch = np.concatenate([window.pitch for window in _training_windows()])
    sung = [pitch[pitch[:, voice] != REST, voice] for voice in range(pitch.shape[1])]
    return tuple((int(voice.min()), int(voice.max())) for voice in sung)


def _melodies() -> list[Piece]:
    """Four-bar sopranos that start with a note; and one with rests and repeats."""
    found = [window.select(0) for window in _training_windows()[::40]]
    return [melody for melody in found if melody.onset[0, 0]] + [PUZZLE]
