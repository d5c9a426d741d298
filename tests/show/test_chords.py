"""The chord board without a browser: what it asks, writes and plays."""

import numpy as np
import pytest

from course_lib.music.errors import MusicError
from course_lib.show.widgets.chords import ChordBoard

G_AND_F = [-1, -1, -1, -1, -1, 1, -1, 1, -1, -1, -1, 0]


def seventh(fixed: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """G7, where nothing forbids it."""
    if temperature > 2:
        raise ValueError("too hot")
    chord = np.isin(np.arange(12), (7, 11, 2, 5)) & (fixed != 0)
    return np.where(fixed < 0, 0.25, fixed), chord


def test_it_asks_at_each_change_and_plays_the_answer() -> None:
    board = ChordBoard(seventh)
    assert "adds D F G B: G7" in repr(board) and board.player.piece.title == "G7"
    assert board.probabilities.tolist() == [0.25] * 12
    board.fixed = G_AND_F
    assert repr(board) == "ChordBoard. Given F G; the model adds D: D F G."
    assert board.probabilities[7] == 1 and board.probabilities[11] == 0
    assert {int(p) % 12 for p in board.player.piece.pitch[-1]} == {2, 5, 7}
    assert board._state["chord"] == board.chord.tolist()


def test_another_chord_is_drawn() -> None:
    asked = []

    def answer(fixed: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
        asked.append((fixed.tolist(), temperature))
        return np.zeros(12), np.arange(12) == len(asked)

    board = ChordBoard(answer, G_AND_F, 0.5)
    board.another()
    assert asked == [(G_AND_F, 0.5)] * 2 and board.chord[2] and not board.chord[1]


def test_silence_is_an_answer() -> None:
    board = ChordBoard(lambda fixed, temperature: (np.zeros(12), np.zeros(12)))
    assert "adds nothing: silence" in repr(board)
    assert (board.player.piece.pitch < 0).all()


def test_what_the_model_raises_is_shown_and_the_board_goes_on() -> None:
    board = ChordBoard(seventh)
    board.temperature = 2.5
    assert board._state["wrong"] and "ValueError: too hot" in repr(board)
    board.temperature = 1.0
    assert not board._state["wrong"] and "G7" in repr(board)


@pytest.mark.parametrize("fixed", [[1, 0], [2] * 12])
def test_states_are_checked(fixed: list[int]) -> None:
    with pytest.raises(MusicError, match="twelve of 1"):
        ChordBoard(seventh, fixed)
    board = ChordBoard(seventh)
    with pytest.raises(MusicError, match="twelve of 1"):
        board.fixed = fixed


def test_temperatures_are_checked() -> None:
    with pytest.raises(MusicError, match="from 0.3 to 3"):
        ChordBoard(seventh, temperature=5)
