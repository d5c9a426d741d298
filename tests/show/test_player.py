"""The widget: one message a piece, picture and sound together."""

from __future__ import annotations

import io

import pytest
import soundfile

from course_lib.music.errors import MusicError
from course_lib.music.piece import Note, Piece
from course_lib.show.panel import Player


@pytest.fixture
def piece() -> Piece:
    return Piece.from_notes([Note(0, 60, 0, 4)], 8, 1, title="First")


def test_a_new_piece_changes_picture_and_sound_at_once(piece: Piece, monkeypatch: pytest.MonkeyPatch) -> None:
    player = Player(piece, caption="Move the slider.")
    assert player.piece is piece and "First" in player._markup and "Move the slider." in player._markup
    sent: list[set[str]] = []
    monkeypatch.setattr(Player, "send_state", lambda self, key=None: sent.append(set(key)))
    longer = Piece.from_notes([Note(0, 62, 0, 16)], 16, 1, title="Second")
    player.piece = longer
    assert sent == [{"_markup", "_sound"}]
    assert player.piece is longer and "Second" in player._markup and "First" not in player._markup
    assert soundfile.info(io.BytesIO(player._sound)).duration == pytest.approx(longer.seconds + 1, abs=0.05)
    assert repr(player).startswith("Player. Piano roll of Second")


def test_its_page_carries_no_second_copy_of_the_sound(piece: Piece) -> None:
    assert "<audio" not in Player(piece)._markup


def test_what_cannot_sound_changes_nothing(piece: Piece) -> None:
    player = Player(piece)
    before = player._markup, player._sound
    player.instruments = "kazoo"
    with pytest.raises(MusicError, match="kazoo"):
        player.piece = piece.transpose(1)
    assert (player._markup, player._sound) == before and player.piece is piece
