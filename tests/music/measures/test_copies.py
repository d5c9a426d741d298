"""The copy detector against planted copies, and against a search that tries everything."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.music.datasets import chorales, windows
from course_lib.music.errors import MusicError, WrongMetre, WrongVoices
from course_lib.music.measures.copies import Copy, CopyDetector
from course_lib.music.piece import REST, Piece


def random_piece(rng: np.random.Generator, steps: int, voices: int, title: str = "") -> Piece:
    """Every voice strikes a random pitch of two octaves in every step, or rests."""
    pitch = rng.integers(59, 84, (steps, voices))
    pitch[pitch == 59] = REST
    return Piece(pitch, pitch != REST, title=title)


def melody(*pitches: int, onset: list[bool] | None = None, title: str = "") -> Piece:
    pitch = np.array(pitches)[:, None]
    onset = pitch != REST if onset is None else np.array(onset)[:, None]
    return Piece(pitch, onset, title=title)


def plant(host: Piece, at: int, guest: Piece) -> Piece:
    pitch, onset = host.pitch.copy(), host.onset.copy()
    pitch[at : at + len(guest)], onset[at : at + len(guest)] = guest.pitch, guest.onset
    return Piece(pitch, onset)


# The definition, taken word by word.


def equal(mine: Piece, first: int, theirs: Piece, source_first: int, length: int) -> bool:
    here, there = mine.window(first, length), theirs.window(source_first, length)
    moves = {int(a) - int(b) for a, b in zip(here.pitch.flat, there.pitch.flat, strict=True) if REST not in (a, b)}
    rests_agree = ((here.pitch == REST) == (there.pitch == REST)).all()
    return len(moves) <= 1 and bool(rests_agree) and bool((here.onset[1:] == there.onset[1:]).all())


def shared_runs(mine: Piece, training: list[Piece]) -> Iterator[tuple[int, int, int, int]]:
    """(length, start, source, source_start) of all of them: longest first, then in order of place."""
    for length in range(len(mine), 0, -1):
        for first in range(len(mine) - length + 1):
            for source, theirs in enumerate(training):
                for source_first in range(len(theirs) - length + 1):
                    if equal(mine, first, theirs, source_first, length):
                        yield length, first, source, source_first


def least_distance(mine: Piece, training: list[Piece]) -> float:
    return min(
        float((np.where(mine.pitch == REST, REST, mine.pitch - move) != theirs.window(first, len(mine)).pitch).mean())
        for theirs in training
        for first in range(len(theirs) - len(mine) + 1)
        for move in range(-3, 4)  # pitches 60..63
    )


@st.composite
def tiny(draw: st.DrawFn, voices: int = 2) -> Piece:
    """A few steps with few pitches, so that much is shared; rests, holds and silence are frequent."""
    steps = draw(st.integers(1, 7))
    cells = draw(st.lists(st.tuples(st.sampled_from([REST, 60, 61, 63]), st.booleans()), min_size=steps * voices))
    cells = (cells + cells * (steps * voices))[: steps * voices] if cells else [(REST, False)] * (steps * voices)
    pitch = np.array([cell[0] for cell in cells]).reshape(steps, voices)
    onset = np.array([cell[1] for cell in cells]).reshape(steps, voices)
    onset[1:] |= pitch[1:] != pitch[:-1]
    return Piece(pitch, onset & (pitch != REST))


@settings(max_examples=400, deadline=None)
@given(tiny(), st.lists(tiny(), min_size=1, max_size=3))
def test_longest_is_what_trying_everything_finds(mine: Piece, training: list[Piece]) -> None:
    found = CopyDetector(training).longest(mine)
    expected = next(shared_runs(mine, training), (0, 0, None, 0))
    assert (found.length, found.start, found.source, found.source_start) == expected
    if found.source is not None:
        here = mine.window(found.start, found.length)
        there = training[found.source].window(found.source_start, found.length)
        assert (here.pitch == there.transpose(found.transposition).pitch).all()


@settings(max_examples=50, deadline=None)
@given(tiny(), st.lists(tiny(), min_size=1, max_size=3))
def test_nearest_is_what_trying_everything_finds(mine: Piece, training: list[Piece]) -> None:
    mine = mine.window(0, min(len(mine), max(len(theirs) for theirs in training)))
    found = CopyDetector(training).nearest(mine)
    assert found.distance == pytest.approx(least_distance(mine, training))
    there = training[found.source].window(found.source_start, len(mine)).transpose(found.transposition)
    assert found.distance == pytest.approx((there.pitch != mine.pitch).mean())


@pytest.mark.parametrize("move", [5, -11, 0])
def test_a_planted_copy_is_found_where_it_is(move: int) -> None:
    rng = np.random.default_rng(1)
    training = [random_piece(rng, 90, 4, title) for title in ("one", "two", "three")]
    stolen = training[1].window(17, 24).transpose(move)
    mine = plant(random_piece(rng, 64, 4), 30, stolen)
    found = CopyDetector(training).longest(mine)
    assert found == Copy(24, 6.0, 1.5, 30, 1, "two", 17, move)
    assert str(found) == f"1.50 bars from step 30 on are those of 'two' from step 17 on, transposed by {move:+d}"


def test_a_random_piece_shares_little() -> None:
    rng = np.random.default_rng(2)
    detector = CopyDetector([random_piece(rng, 500, 4)])
    assert detector.longest(random_piece(rng, 64, 4)).length <= 1
    assert detector.nearest(random_piece(rng, 64, 4)).distance > 0.8


def test_nothing_shared() -> None:
    found = CopyDetector([melody(60, 62)]).longest(melody(REST, REST))
    assert found == Copy(0, 0.0, 0.0, 0, None, "", 0, 0)
    assert str(found) == "nothing shared"


def test_a_run_has_one_transposition() -> None:
    training = [melody(60, 62, REST, 64, 65)]
    detector = CopyDetector(training)
    assert detector.longest(melody(67, 69, REST, 71, 72)).length == 5
    # Both halves are shared, but not in one transposition. The silence between belongs to either.
    found = detector.longest(melody(67, 69, REST, 70, 71))
    assert (found.length, found.start, found.transposition) == (3, 0, 7)


def test_silence_counts_and_has_no_transposition() -> None:
    found = CopyDetector([melody(60, REST, REST, REST, 60)]).longest(melody(REST, REST, REST))
    assert found == Copy(3, 0.75, 3 / 16, 0, 0, "", 1, 0)


def test_a_run_does_not_go_on_into_the_next_training_piece() -> None:
    detector = CopyDetector([melody(60, 62), melody(64, 65)])
    assert detector.longest(melody(60, 62, 64, 65)).length == 2


def test_only_the_first_step_of_a_run_may_cut_into_a_note() -> None:
    detector = CopyDetector([melody(60, 60, 62, 62, onset=[True, False, True, False])])
    assert detector.longest(melody(60, 62, 62, onset=[True, True, False])).length == 3
    assert detector.longest(melody(60, 62, 62)).length == 2  # here the last note starts again


def test_one_voice_alone() -> None:
    rng = np.random.default_rng(3)
    training = [random_piece(rng, 60, 2), random_piece(rng, 60, 2)]
    mine = random_piece(rng, 60, 2)
    pitch, onset = mine.pitch.copy(), mine.onset.copy()
    tune = training[1].window(8, 20).transpose(-3)
    pitch[30:50, 0], onset[30:50, 0] = tune.pitch[:, 0], tune.onset[:, 0]
    mine = Piece(pitch, onset)
    assert CopyDetector(training).longest(mine).length < 5
    assert CopyDetector(training, voice=1).longest(mine).length < 8
    assert CopyDetector(training, voice=0).longest(mine) == Copy(20, 5.0, 1.25, 30, 1, "", 8, -3)


def test_without_rhythm_the_same_notes_are_a_copy() -> None:
    quick = melody(60, 62, 64, 65, 67, title="quick")
    slow = np.repeat([72, REST, 74, 76, 77, 60], 3)[:, None]
    onset = np.zeros((18, 1), bool)
    onset[::3] = slow[::3] != REST
    mine = Piece(slow, onset, steps_per_quarter=12)
    with pytest.raises(WrongMetre, match="12 steps per quarter"):
        CopyDetector([quick]).longest(mine)
    detector = CopyDetector([quick], rhythm=False)
    # Four notes in the first 15 steps, a rest among them.
    assert detector.longest(mine) == Copy(4, 15 / 12, 15 / 48, 0, 0, "quick", 0, 12)
    assert detector.nearest(mine).distance == pytest.approx(1 / 5)


def test_nearest_neighbour() -> None:
    rng = np.random.default_rng(4)
    training = [random_piece(rng, 80, 4, title) for title in ("one", "two")]
    pitch = training[1].window(40, 16).transpose(-6).pitch.copy()
    pitch[3, 1] = REST if pitch[3, 1] != REST else 60
    pitch[4:7, 0] = 100
    found = CopyDetector(training).nearest(Piece(pitch, pitch != REST))
    assert found == (4 / 64, 1, "two", 40, -6)


def test_pieces_that_do_not_fit() -> None:
    rng = np.random.default_rng(5)
    four, two = random_piece(rng, 20, 4), random_piece(rng, 20, 2)
    with pytest.raises(MusicError, match="0 training pieces"):
        CopyDetector([])
    with pytest.raises(WrongVoices, match="2 voices"):
        CopyDetector([four, two])
    with pytest.raises(WrongVoices, match="2 voices"):
        CopyDetector([four]).longest(two)
    with pytest.raises(WrongVoices, match="0..3"):
        CopyDetector([four], voice=4)
    with pytest.raises(WrongMetre, match="21 steps"):
        CopyDetector([four]).nearest(random_piece(rng, 21, 4))
    with pytest.raises(WrongMetre, match="0 steps"):
        CopyDetector([melody(60)], rhythm=False).nearest(melody(REST))


def test_real_chorales() -> None:
    split = chorales()
    detector = CopyDetector(split.train)
    stolen = split.train[100]
    found = detector.longest(stolen.transpose(2).window(9, 40))
    assert (found.length, found.title, found.source_start, found.transposition) == (40, stolen.title, 9, 2)
    unseen = [detector.longest(window).length for window in windows(split.test, stride=4)]
    assert 4 <= np.median(unseen) <= 16
