"""The chord strip without a browser: what it asks for, what is kept, what it plays."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.errors import MusicError
from course_lib.show.widgets.chord_strip import ChordStrip

CHORDS = [[0, 7], [21, 5], [0, 0]]
NONE = [-1] * 16


class Roots:
    """Writes the roots in stable mode, a semitone above them otherwise; notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[int], list[int], int, str]] = []

    def __call__(self, chord: np.ndarray, before: np.ndarray, seed: int, mode: str) -> np.ndarray:
        if chord[0] == 23:
            raise ValueError("no B minor")
        self.asked.append((chord.tolist(), before.tolist(), seed, mode))
        return np.repeat(chord % 12, 8) + (mode != "stable") + 12 * (seed % 2)


@pytest.fixture
def write() -> Roots:
    return Roots()


@pytest.fixture
def strip(write: Roots) -> ChordStrip:
    return ChordStrip(write, CHORDS, ("stable", "creative"))


def test_each_bar_is_written_after_the_one_before(strip: ChordStrip, write: Roots) -> None:
    assert [(chord, mode) for chord, _, _, mode in write.asked] == [(pair, "stable") for pair in CHORDS]
    assert [before for _, before, _, _ in write.asked] == [NONE, *strip.melody[:2].tolist()]
    assert np.array_equal(strip.melody % 12, np.repeat(np.array(CHORDS) % 12, 8, axis=1))
    assert strip.shares.tolist() == [1, 1, 1] and strip._state["shares"] == [100] * 3
    assert repr(strip) == "ChordStrip. Written. 100% of the melody lies in its chords."


def test_the_piece_follows(strip: ChordStrip) -> None:
    piece = strip.player.piece
    assert len(piece) == 48 and np.array_equal(piece.pitch[:, 0] - 60, strip.melody.ravel())
    strip.chords = [CHORDS[0], [2, 2], CHORDS[2]]
    assert strip.player.piece.pitch[16, 0] % 12 == 2 and strip.player.piece.pitch[16, 4] % 12 == 2


def test_a_new_chord_draws_its_bar_alone(strip: ChordStrip, write: Roots) -> None:
    before = strip.melody.copy()
    strip.chords = [CHORDS[0], CHORDS[1], [4, 4]]
    assert len(write.asked) == 4 and write.asked[-1][:2] == ([4, 4], before[1].tolist())
    assert np.array_equal(strip.melody[:2], before[:2]) and "New chords for bar 3" in repr(strip)


def test_locked_bars_stay(strip: ChordStrip, write: Roots) -> None:
    before, seeds = strip.melody.copy(), [asked[2] for asked in write.asked]
    strip.locked = [False, True, False]
    strip.draw()
    assert [asked[0] for asked in write.asked[3:]] == [CHORDS[0], CHORDS[2]]
    assert np.array_equal(strip.melody[1], before[1])
    assert not {asked[2] for asked in write.asked[3:]} & set(seeds)  # other noise
    strip.locked = [True] * 3
    strip.draw()
    assert len(write.asked) == 5 and "All bars are locked" in repr(strip)


def test_one_bar_is_drawn_again(strip: ChordStrip, write: Roots) -> None:
    strip._request = [1, 2]  # what the page sends
    assert len(write.asked) == 4 and write.asked[-1][0] == CHORDS[2]
    strip._request = [2, -1]
    assert len(write.asked) == 7


def test_another_mode_keeps_the_noise(strip: ChordStrip, write: Roots) -> None:
    strip.mode = "creative"
    assert [asked[2] for asked in write.asked[3:]] == [asked[2] for asked in write.asked[:3]]
    assert strip.shares.tolist() == [0, 0, 0] and "creative" in strip.player.piece.title


def test_the_same_seed_gives_the_same_strip(write: Roots) -> None:
    first, second, other = (ChordStrip(write, CHORDS, seed=seed)._seeds.tolist() for seed in (1, 1, 2))
    assert first == second != other


def test_what_the_model_raises_is_shown_and_nothing_is_lost(strip: ChordStrip) -> None:
    before = strip.melody.copy()
    strip.chords = [[23, 0], *CHORDS[1:]]
    assert strip._state["wrong"] and "ValueError: no B minor" in repr(strip)
    assert np.array_equal(strip.melody, before)
    strip.chords = CHORDS
    assert not strip._state["wrong"]


def test_a_model_that_never_worked_leaves_an_empty_strip(write: Roots) -> None:
    strip = ChordStrip(write, [[23, 0]])
    assert strip._state["wrong"] and strip._state["shares"] == [0] and strip._state["notes"] == [""]
    strip.chords = [[0, 0]]
    assert not strip._state["wrong"] and strip._state["notes"][0].startswith("C")


@pytest.mark.parametrize("chords", [[], [[0]], [[0, 24]], [[-1, 0]], CHORDS[:2]])
def test_chords_are_checked(strip: ChordStrip, write: Roots, chords: list) -> None:
    with pytest.raises(MusicError, match="chords are"):
        strip.chords = chords
    if chords != CHORDS[:2]:
        with pytest.raises(MusicError, match="chords are"):
            ChordStrip(write, chords)


def test_modes_and_locks_are_checked(strip: ChordStrip, write: Roots) -> None:
    with pytest.raises(MusicError, match="choose one of stable, creative"):
        strip.mode = "wild"
    with pytest.raises(MusicError, match="3 bars"):
        strip.locked = [True]
    with pytest.raises(MusicError, match="0 modes"):
        ChordStrip(write, CHORDS, ())
