"""The checks of notebook 01 pass its solutions, and refuse stubs and typical wrong answers with the reason."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from course_lib.checks import lesson01
from course_lib.checks.feedback import Feedback
from course_lib.music.datasets import windows
from course_lib.music.encodings.voices import MINIBACH_RANGES, OneHot, Tokens
from course_lib.music.piece import REST, Piece

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_music_as_tensors.ipynb"
CHECKS = [lesson01.check_1, lesson01.check_2, lesson01.check_3, lesson01.check_4, lesson01.check_5]

TUNE = """X:1
M:4/4
L:1/4
K:C
C C G G | A A G2 | F F E E | D D C2 |
"""


def refusal(feedback: Feedback) -> str:
    assert not feedback.passed
    return feedback.message


def solution_cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "solution" in cell["metadata"].get("tags", ())]
    return ["".join(cell["source"]) for cell in tagged if cell["cell_type"] == "code"]


def test_every_check_has_a_solution_in_the_notebook() -> None:
    assert len(solution_cells()) == len(CHECKS)


@pytest.mark.parametrize("number", range(len(CHECKS)))
def test_the_notebooks_solution_passes(number: int) -> None:
    code = ast.parse(solution_cells()[number])
    last = code.body.pop()
    assert isinstance(last, ast.Expr)
    scope: dict[str, object] = {}
    imports = (
        "import numpy as np\nfrom course_lib.checks import lesson01\n"
        "from course_lib.music.datasets import chorales, windows\nfrom course_lib.music.encodings import OneHot\n"
        "from course_lib.music.piece import REST, Piece\npuzzle = lesson01.PUZZLE\n"
    )
    exec(imports, scope)
    exec(compile(code, NOTEBOOK.name, "exec"), scope)
    feedback = eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), scope)
    assert feedback.passed, feedback


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("stub", [..., None])
def test_a_stub_gets_a_hint_where_to_begin(check: Callable[[object], Feedback], stub: object) -> None:
    message = refusal(check(stub))
    assert message.startswith(("Replace", "Write", "Repair"))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("answer", [3.5, object(), [], {"a": 1}, (1, 2, 3), np.zeros(3)])
def test_what_is_of_another_type_is_refused(check: Callable[[object], Feedback], answer: object) -> None:
    assert refusal(check(answer))


@pytest.mark.parametrize(
    "answer, hint",
    [
        ((16, 3), "number of time steps"),
        ((13, 3), "time steps that sound"),
        ((5, 3), "how often the pitch row changes"),
        ((4, 3), "runs of one pitch"),
        ((9, 3), "exactly one place"),
        ((6, 5), "two onsets"),
        ((6, 2), "A note lasts"),
        ("six", "two whole numbers"),
    ],
)
def test_1_names_the_miscount(answer: object, hint: str) -> None:
    assert hint in refusal(lesson01.check_1(answer))


def test_2_shows_the_first_window_that_is_refused() -> None:
    message = refusal(lesson01.check_2(OneHot(MINIBACH_RANGES)))
    assert "BWV" in message and "rest=True" in message
    assert "this encoding holds" in refusal(lesson01.check_2(OneHot(MINIBACH_RANGES, rest=True)))
    assert "4 voices" in refusal(lesson01.check_2(OneHot(MINIBACH_RANGES[:3], rest=True)))


def test_2_names_which_voice_is_too_wide() -> None:
    message = refusal(lesson01.check_2(OneHot(((0, 127),) * 4, rest=True)))
    assert "520 numbers" in message and "voice 3 needs 36..64 and has 0..127" in message
    assert "OneHot(...)" in refusal(lesson01.check_2(Tokens()))


def split_after_cutting(pieces: list[Piece], rng: np.random.Generator) -> tuple[list[Piece], list[Piece]]:
    cut = windows(pieces)
    order = rng.permutation(len(cut))
    return [cut[i] for i in order[100:]], [cut[i] for i in order[:100]]


@pytest.mark.parametrize(
    "answer, hint",
    [
        (split_after_cutting, "windows on both sides"),
        (lambda pieces, rng: (windows(pieces), []), "Both sides need some"),
        (lambda pieces, rng: (windows(pieces[15:]), windows(pieces[:10])), "in place of"),
        (lambda pieces, rng: (windows(pieces[:30]), windows(pieces[30:])), "About a fifth"),
        (lambda pieces: pieces, "TypeError"),
        (lambda pieces, rng: None, "two lists of windows"),
        (lambda pieces, rng: (pieces[0].title, 3), "two lists of windows"),
        ("split_windows", "without brackets"),
    ],
)
def test_3_finds_the_leak_and_other_faults(answer: object, hint: str) -> None:
    assert hint in refusal(lesson01.check_3(answer))


@pytest.mark.parametrize(
    "answer, hint",
    [
        (TUNE.replace("K:C\n", ""), "cannot be read"),
        (TUNE.replace("M:4/4", "M:3/4"), "metre is 3/4"),
        (TUNE.replace("D D C2 |", "D D |"), "lasts 14 quarter notes"),
        (TUNE.replace("A A", "A z"), "it rests at step 20"),
        (TUNE.replace("A A", "A, A"), "A3 lies outside"),
        (TUNE.replace("A A", "[CA] A"), "2 voices"),
        (TUNE.replace("A A", "(3AAA A"), "not all of it fits on the grid"),
        (TUNE.replace("A A G2 | F F E E", "C C G2 | C C G G").replace("D D", "C C"), "2 different pitches"),
        ("", "cannot be read"),
        (b"X:1", "three quotation marks"),
    ],
)
def test_4_names_what_does_not_fit_yet(answer: object, hint: str) -> None:
    assert hint in refusal(lesson01.check_4(answer))


def tokens_of(piece: Piece) -> np.ndarray:
    return Tokens().encode(piece)[:, 0]


def of_tokens(tokens: np.ndarray) -> Piece:
    return Tokens().decode(tokens[:, None])


def pitches_only(pitch: np.ndarray) -> Piece:
    onset = np.append(True, pitch[1:] != pitch[:-1]) & (pitch != REST)
    return Piece(pitch[:, None], onset[:, None])


def test_5_counts_the_numbers_of_any_exact_encoding() -> None:
    feedback = lesson01.check_5((tokens_of, of_tokens))
    assert feedback.passed
    assert "takes 63 numbers" in feedback.message  # 64 for each window, 16 for the puzzle


@pytest.mark.parametrize(
    "answer, hint",
    [
        ((lambda piece: piece.pitch[:, 0], pitches_only), "onset was True at step"),
        ((tokens_of, lambda tokens: of_tokens(tokens[:-1])), "came back as"),
        ((tokens_of, lambda tokens: of_tokens(tokens).transpose(1)), "pitch was"),
        ((lambda piece: piece, lambda piece: piece), "not whole numbers"),
        ((lambda piece: piece.pitch / 2, of_tokens), "not whole numbers"),
        ((tokens_of, lambda tokens: tokens), "not a Piece"),
        ((lambda piece: 1 / 0, of_tokens), "encode. It stopped with ZeroDivisionError"),
        ((tokens_of, lambda tokens: tokens.nothing), "decode. It stopped with AttributeError"),
        (tokens_of, "two functions"),
    ],
)
def test_5_shows_where_an_encoding_drops_something(answer: object, hint: str) -> None:
    assert hint in refusal(lesson01.check_5(answer))
