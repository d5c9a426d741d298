"""The explorer's side of the kernel: what it answers, in which order, and what it refuses."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import numpy as np
import pytest
import soundfile

from course_lib.music.errors import MusicError, WrongVoices
from course_lib.music.files import read_bytes
from course_lib.music.piece import Piece
from course_lib.show import roll
from course_lib.show.widgets.explorer import Explorer

DIMENSIONS = 6
RNG = np.random.default_rng(0)
CODES = RNG.normal(size=(40, DIMENSIONS)) * [3, 2, 1, 1, 1, 0]
LABELS = [f"piece {i % 30}" for i in range(40)]  # some names stand twice
ENDS = [("first", CODES[0]), ("second", CODES[1]), ("third", CODES[2])]


def decode(code: np.ndarray) -> Piece:
    """Four voices that follow the first numbers of the code."""
    assert code.shape == (DIMENSIONS,) and code.dtype == np.float32
    beats = np.round(np.sin(np.arange(8)[:, None] * code[:4]) * 4 + [72, 67, 60, 50] + code[4]).astype(int)
    pitch = beats.repeat(4, axis=0)
    return Piece(pitch, np.tile(np.arange(32) % 4 == 0, (4, 1)).T, tempo=240)


Message = tuple[dict[str, Any], list[bytes]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What an explorer sends."""
    messages: list[Message] = []
    monkeypatch.setattr(Explorer, "send", lambda self, content, buffers=(): messages.append((content, list(buffers))))
    return messages


@pytest.fixture
def explorer(sent: list[Message]) -> Explorer:
    return Explorer(decode, CODES, LABELS, ENDS)


def ask(explorer: Explorer, **message: object) -> None:
    explorer._receive(explorer, {"id": "x 1", **message}, [])


def bars(data: bytes) -> list[roll.NoteBox]:
    return [
        roll.NoteBox(int(v), *(value / 20 for value in rest)) for v, *rest in np.frombuffer(data, "<i2").reshape(-1, 5)
    ]


def test_the_roll_comes_first_and_then_the_sound(explorer: Explorer, sent: list[Message]) -> None:
    ask(explorer, kind="move", code=CODES[7].tolist(), sound=True)
    (drawn, [notes]), (played, [sound]) = sent
    piece = decode(CODES[7].astype(np.float32))
    assert (drawn["kind"], played["kind"], drawn["id"], played["id"]) == ("roll", "sound", "x 1", "x 1")
    for got, true in zip(bars(notes), roll.note_boxes(piece), strict=True):
        assert got == pytest.approx(true, abs=0.03)
    assert drawn["label"] == LABELS[7] and drawn["near"] == 7 and drawn["alt"] == roll.roll_alt(piece)
    info = soundfile.info(io.BytesIO(sound))
    assert info.format == "FLAC" and info.duration == pytest.approx(piece.seconds, abs=1e-3)
    assert explorer.piece == piece and explorer.code == pytest.approx(CODES[7])
    assert len(notes) + len(json.dumps({**drawn, "frame": None})) < 2000


def test_the_frame_is_sent_only_where_it_changes(explorer: Explorer, sent: list[Message]) -> None:
    ask(explorer, kind="move", code=CODES[0].tolist())
    form = sent[-1][0]["form"]
    assert "<figure" in sent[-1][0]["frame"]["html"]
    ask(explorer, kind="move", code=CODES[0].tolist(), form=form)
    assert "frame" not in sent[-1][0] and len(sent) == 2  # and no sound, which nobody asked for
    far = [*CODES[0][:4], 30.0, 0.0]  # far above the roll
    ask(explorer, kind="move", code=far, form=form)
    box = sent[-1][0]["frame"]["box"]
    assert box[1] + box[3] > decode(np.array(far, np.float32)).pitch.max()


def test_a_visit_answers_with_the_code_of_the_training_piece(explorer: Explorer, sent: list[Message]) -> None:
    ask(explorer, kind="move", code=CODES[0].tolist(), visit=9)
    assert sent[0][0]["code"] == CODES[9].tolist() and sent[0][0]["near"] == 9


@pytest.mark.parametrize("kind", ["MIDI", "MusicXML"])
def test_files_read_back_equal(explorer: Explorer, sent: list[Message], kind: str) -> None:
    ask(explorer, kind="save", format=kind, code=CODES[3].tolist())
    message, [content] = sent[-1]
    assert message["ending"] == {"MIDI": "mid", "MusicXML": "mxl"}[kind]
    assert read_bytes(content) == decode(CODES[3].astype(np.float32))


def test_the_score_is_engraved_when_it_is_asked_for(explorer: Explorer, sent: list[Message]) -> None:
    ask(explorer, kind="score", code=CODES[3].tolist())
    assert sent[-1][0]["html"].startswith("<img alt=") and "Score of" in sent[-1][0]["html"]


def test_python_moves_it_too(explorer: Explorer, sent: list[Message]) -> None:
    explorer.code = CODES[5]
    assert sent == [({"kind": "goto", "code": CODES[5].tolist()}, [])]
    assert explorer.piece == decode(CODES[5].astype(np.float32))
    with pytest.raises(MusicError, match=r"shape \(3,\); it must be 6 finite numbers"):
        explorer.code = np.zeros(3)
    assert "40 pieces in 6 dimensions" in repr(explorer)


def test_errors_of_the_decoder_are_shown(sent: list[Message]) -> None:
    def moody(code: np.ndarray) -> Piece:
        if code[0] > 50:
            raise ZeroDivisionError("too far")
        return "no piece" if code[0] < -50 else decode(code)  # type: ignore[return-value]

    explorer = Explorer(moody, CODES, LABELS)
    for first, message in ((99.0, "ZeroDivisionError: too far"), (-99.0, "decode gave a str")):
        ask(explorer, kind="move", code=[first, 0, 0, 0, 0, 0], sound=True)
        assert sent[-1][0]["kind"] == "error" and message in sent[-1][0]["text"] and sent[-1][0]["id"] == "x 1"
    ask(explorer, kind="move", code=[0.0] * 6)
    assert sent[-1][0]["kind"] == "roll"


def test_it_starts_at_a_at_the_mean_or_where_asked() -> None:
    assert Explorer(decode, CODES, LABELS, ENDS).code == pytest.approx(CODES[0])
    assert Explorer(decode, CODES, LABELS).code == pytest.approx(CODES.mean(axis=0))
    assert Explorer(decode, CODES, LABELS, ENDS, code=CODES[8]).code == pytest.approx(CODES[8])


def test_the_plane_of_principal_components() -> None:
    plane = Explorer(decode, CODES, LABELS)._plane
    basis = np.stack([plane.x, plane.y])
    assert basis @ basis.T == pytest.approx(np.eye(2))
    directions = np.linalg.svd(CODES - CODES.mean(axis=0))[2][:2]
    assert np.abs((basis * directions).sum(axis=1)) == pytest.approx(1)
    assert re.fullmatch(r"component 1 \(\d\d % of variance\)", plane.names[0])


def test_other_planes() -> None:
    two = Explorer(decode, CODES, LABELS, plane=(2, 0))._plane
    assert two.place(CODES) == pytest.approx(CODES[:, [2, 0]]) and two.names == ("z2", "z0")
    three = Explorer(decode, CODES, LABELS, plane=CODES[:3])._plane
    assert three.code(three.place(CODES[:3])) == pytest.approx(CODES[:3])
    assert [*three.place(CODES[0]), three.place(CODES[1])[1]] == pytest.approx([0, 0, 0], abs=1e-9)


def test_the_map_and_the_sliders_hold_all_pieces() -> None:
    facts = Explorer(decode, CODES, LABELS)._facts
    dots = np.frombuffer(base64.b64decode(facts["dots"]), "<i2").reshape(-1, 2)
    who = np.frombuffer(base64.b64decode(facts["who"]), "<u2")
    assert len(dots) == 40 and np.abs(dots).max() < 32_000
    assert [facts["names"][i] for i in who] == LABELS and len(facts["names"]) == 30
    low, high = np.array(facts["ranges"]).T
    assert (low < CODES.mean(axis=0)).all() and (CODES.mean(axis=0) < high).all()
    assert high[5] - low[5] > 0.1  # a dimension that is always zero can be moved as well


def test_the_atlas_is_complete_and_small() -> None:
    explorer = Explorer(decode, CODES, LABELS, ENDS, caption="Drag <it>.")
    html = explorer.atlas(5).html
    assert len(html) < 90_000
    assert "http" not in re.sub(r"http(:|%3A)//www\.w3\.org/\d+/svg", "", html)
    assert not re.search(r"@import|url\(|import\(|fetch\(|XMLHttpRequest|WebSocket", html)
    facts = facts_of(html)
    atlas, plane = facts["atlas"], facts["plane"]
    notes = base64.b64decode(atlas["bars"])
    starts = np.cumsum([0, *atlas["sizes"]]) * 10
    for cell in (0, 7, 24):
        row, column = divmod(cell, 5)
        u, v = (facts["centre"][i] + atlas["reach"] * (place / 2 - 1) for i, place in enumerate((column, row)))
        code = np.array(plane["origin"]) + u * np.array(plane["x"]) + v * np.array(plane["y"])
        piece = decode(code.astype(np.float32))
        for got, true in zip(bars(notes[starts[cell] : starts[cell + 1]]), roll.note_boxes(piece), strict=True):
            assert got == pytest.approx(true, abs=0.03)
        assert atlas["answers"][cell]["alt"] == roll.roll_alt(piece)
    for voice in atlas["sound"]["voices"]:
        assert len(base64.b64decode(voice["partials"])) == 24 * len(voice["pitches"])


def test_pieces_of_different_lengths(sent: list[Message]) -> None:
    """Each gets the frame of its own length, in the widget and in the atlas."""

    def breathing(code: np.ndarray) -> Piece:
        return decode(code).window(0, 16 if code[0] < 0 else 32)

    explorer = Explorer(breathing, CODES, LABELS, plane=(0, 1))
    ask(explorer, kind="move", code=[-1.0] * 6, sound=True)
    (short, _), (_, [sound]) = sent
    assert short["frame"]["seconds"] == soundfile.info(io.BytesIO(sound)).duration == 1
    ask(explorer, kind="move", code=[1.0] * 6, form=short["form"])
    assert sent[-1][0]["frame"]["seconds"] == 2
    atlas = facts_of(explorer.atlas(4).html)["atlas"]
    assert len(atlas["frames"]) == 2
    for cell, answer in enumerate(atlas["answers"]):
        assert atlas["frames"][answer["form"]]["seconds"] == (1 if cell % 4 < 2 else 2)


def facts_of(html: str) -> dict[str, Any]:
    """What the script of an atlas knows."""
    return json.loads(re.search(r"const facts = (\{.*?\}); root\.dataset", html)[1].replace("<\\/", "</"))


def test_an_atlas_needs_one_choir() -> None:
    def changing(code: np.ndarray) -> Piece:
        return decode(code) if code[0] < 0 else decode(code).select(0, 1)

    with pytest.raises(WrongVoices, match="atlas"):
        Explorer(changing, CODES, LABELS, plane=(0, 1)).atlas(3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes": CODES[:, :1]}, r"shape \(40, 1\)"),
        ({"codes": np.where(np.arange(40)[:, None] == 3, np.nan, CODES)}, "code of piece 3 is not finite"),
        ({"labels": LABELS[:5]}, "5 labels for 40 codes"),
        ({"ends": [("short", CODES[0][:2])]}, "code of 'short'"),
        ({"plane": (0, 6)}, r"two different dimensions of 0\.\.5"),
        ({"plane": (1, 1)}, "two different dimensions"),
        ({"plane": CODES[:2]}, r"shape \(2, 6\)"),
        ({"plane": CODES[[0, 1, 1]]}, "on one line"),
        ({"ranges": np.zeros((6, 2))}, "low below high"),
        ({"code": CODES[0][:3]}, "6 finite numbers"),
        ({"instruments": "kazoo"}, "'kazoo' is unknown"),
        ({"decode": lambda code: None}, "decode gave a NoneType"),
    ],
)
def test_arguments_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    arguments = {"decode": decode, "codes": CODES, "labels": LABELS, "ends": ENDS, **changes}
    with pytest.raises(MusicError, match=message):
        Explorer(**arguments)


@pytest.mark.parametrize("n", [1, 26])
def test_the_size_of_an_atlas(n: int) -> None:
    with pytest.raises(MusicError, match=rf"atlas of {n} × {n}"):
        Explorer(decode, CODES, LABELS).atlas(n)


def test_pieces_too_long_to_be_shown() -> None:
    with pytest.raises(MusicError, match="1600 time steps; up to 1500"):
        Explorer(lambda code: Piece(np.full((1600, 1), 60), np.ones((1600, 1), bool)), CODES, LABELS)
