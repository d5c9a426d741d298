"""The board of templates without a browser: what its parts do, and what it writes about files and errors."""

import datetime
from collections.abc import Callable

import numpy as np
import pytest

from course_lib.music.errors import MusicError
from course_lib.music.files import midi_bytes
from course_lib.music.measures.structure import Template
from course_lib.music.piece import Piece
from course_lib.show.widgets.templates import TemplateBoard, picture


def tune(steps: int = 32, title: str = "A tune") -> Piece:
    pitch = (60 + np.arange(steps) % 8)[:, None]
    return Piece(pitch, np.ones((steps, 1), bool), steps_per_quarter=2, title=title)


def copy_of(goal: Template, strengths: dict[str, float], tell: Callable[[float], None]) -> Piece:
    if strengths["metre"] == 3:
        raise ZeroDivisionError("too strong")
    tell(0.5)
    return goal.piece.transpose(round(strengths["structure"]))


def board(answer: Callable = copy_of) -> TemplateBoard:
    pieces = {"one": tune(), "two": tune(48)}
    return TemplateBoard(pieces, answer, ("structure", "metre"), tune())


def upload(made: TemplateBoard, name: str, content: bytes) -> None:
    file = {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
    made.upload.value = ({**file, "last_modified": datetime.datetime(2026, 1, 1)},)


def test_it_begins_with_a_piece_on_the_first_template() -> None:
    made = board()
    assert made.menu.options == ("one", "two") and made.menu.layout.visibility is None
    assert "by 1.00" in made.status.value and made.matrices.value.count("<img") == 2


def test_compose_asks_for_what_is_chosen_and_shows_it() -> None:
    made = board()
    made.menu.value, made.strengths["structure"].value = "two", 2.0
    made.button.click()
    assert len(made.piece) == 48 and made.player.piece == made.piece and made.piece.pitch.min() == 62
    assert "Composed on two" in made.status.value
    assert not made.button.disabled and made.bar.layout.visibility == "hidden" and made.bar.value == 0.5


def test_what_the_model_raises_is_shown_and_the_board_goes_on() -> None:
    made = board()
    made.strengths["metre"].value = 3.0
    made.button.click()
    assert "ZeroDivisionError: too strong" in made.status.value and not made.button.disabled
    made.strengths["metre"].value = 1.0
    made.button.click()
    assert "Composed on one" in made.status.value


def test_a_piece_of_another_length_is_refused_in_words() -> None:
    made = board(lambda goal, strengths, tell: tune(40))
    made.button.click()
    assert "made 40 time steps for a template of 32" in made.status.value


def test_a_file_of_ones_own_becomes_the_template() -> None:
    made = board()
    upload(made, "mine.mid", midi_bytes(tune(64)))
    assert made.menu.value == "your file mine.mid" and "Taken: mine.mid, 64 eighths" in made.status.value
    made.button.click()
    assert len(made.piece) == 64
    upload(made, "mine.mid", midi_bytes(tune(24)))  # the same name again, another file
    assert len(made.template.piece) == 24 and len(made.menu.options) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"MThd and nothing else", "broken.mid"),
        (b"no music at all", "neither MIDI"),
        (b"", "is empty"),
        (midi_bytes(tune(8)), "a template needs 16"),
    ],
    ids=["broken", "text", "empty", "short"],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(content: bytes, message: str) -> None:
    made = board()
    upload(made, "broken.mid", content)
    assert message in made.status.value and "Not taken" in made.status.value and "Traceback" not in made.status.value
    assert made.menu.value == "one"
    made.button.click()
    assert "Composed on one" in made.status.value


def test_words_of_others_are_no_html() -> None:
    made = board()
    upload(made, "<b>x</b>.mid", b"no music")
    assert "<b>" not in made.status.value and "&lt;b&gt;" in made.status.value


def test_a_board_needs_a_template() -> None:
    with pytest.raises(MusicError, match="0 templates"):
        TemplateBoard({}, copy_of, ("structure",), tune())


def test_the_first_pair_is_below_left() -> None:
    import base64
    import io

    from PIL import Image

    url = picture(np.array([[1.0, 0.0], [0.0, 0.5]]))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))
    assert pixels[1, 0].tolist() == [0, 60, 120] and pixels[0, 0].tolist() == [255, 255, 255]
