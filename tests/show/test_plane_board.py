"""The board of a plane without a browser: buttons call, pictures follow, errors stand on the board."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.music.piece import MusicError
from course_lib.show.widgets.plane import PlaneBoard


def board(values: np.ndarray, **actions: object) -> PlaneBoard:
    return PlaneBoard(
        lambda: {"P": values, "D": values / 2}, actions, lambda: f"sum {values.sum():.0f}", [60, 62], range(3)
    )


def test_a_button_acts_and_the_pictures_follow() -> None:
    values = np.zeros((2, 3))
    one = board(values, add=lambda: values.__iadd__(1))
    before = one._state["number"]
    one.press("add")
    assert one._state["pictures"] == [["P", [1.0] * 6], ["D", [0.5] * 6]]
    assert one._state["number"] > before and repr(one) == "PlaneBoard of P, D. sum 6"
    assert one._pitches == [[60, 62], [0, 1, 2]] and one._actions == ["add"]


def test_what_an_action_raises_stands_on_the_board() -> None:
    values = np.zeros((2, 3))
    one = board(values, fail=lambda: 1 / 0, add=lambda: values.__iadd__(1))
    one.press("fail")
    assert one._state["wrong"] and "ZeroDivisionError" in repr(one)
    one.press("add")
    assert not one._state["wrong"] and "sum 6" in repr(one)


def test_pictures_have_the_shape_of_the_plane() -> None:
    with pytest.raises(MusicError, match=r"shape \(3, 2\)"):
        board(np.zeros((3, 2)))
