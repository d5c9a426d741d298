"""The contract of the lessons, checked on the notebooks as they are shipped; and each of them runs."""

from __future__ import annotations

import ast
import copy
import importlib
import json
import re
import shutil
import subprocess
import symtable
import sys
from collections.abc import Iterable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import offline_guard
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbconvert.preprocessors import TagRemovePreprocessor
from nbformat import NotebookNode
from nbmake.nb_run import NotebookRun

from course_lib.checks.feedback import Feedback
from course_lib.music.files import read

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ARCHITECTURES = sorted((ROOT / "course_lib" / "architectures").glob("[a-z]*.py"))

CELL_SECONDS = 300  # on a machine that is busy with something else; the whole notebook takes about a minute
BYTES = 1_500_000
SLIDES = {"slide", "subslide", "fragment", "skip", "notes"}
FORMATS = {"text/plain", "text/html", "text/markdown", "application/vnd.jupyter.widget-view+json"}
SCORE = {".mid", ".mp3", ".musicxml"}
# What lessons leave in results/:
LEAVES = dict.fromkeys(("02", "03", "04", "06", "07", "09", "10", "13", "15"), SCORE)
LEAVES |= dict.fromkeys(("05", "11"), {".abc", ".mid", ".mp3"})
LEAVES["12"] = SCORE

SHIPPED = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


@cache
def book_of(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code(book: NotebookNode, tag: str = "") -> list[NotebookNode]:
    """The code cells, all or those with a tag."""
    return [cell for cell in book.cells if cell.cell_type == "code" and (not tag or tag in tags(cell))]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def python(cell: NotebookNode) -> str:
    """The source without IPython's own syntax."""
    return TransformerManager().transform_cell(cell.source)


def text(cell: NotebookNode) -> str:
    """What the cell shows, as plain text, without what it prints."""
    return "\n".join(output.data.get("text/plain", "") for output in cell.outputs if "data" in output)


def kinds(cell: NotebookNode) -> set[tuple[str, ...]]:
    """Which kinds of output the cell has."""
    return {(output.output_type, *sorted(output.get("data", [output.get("name")]))) for output in cell.outputs}


def faults(book: NotebookNode) -> list[str]:
    """Errors, and whatever stands on stderr."""
    return [
        f"{cell.id}: {output.get('text') or output.get('evalue')}"
        for cell in code(book)
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def names(cells: Iterable[NotebookNode]) -> tuple[set[str], set[str]]:
    """The global names that the cells bind, and those that they use, in functions too."""
    bound, used = set(), set()
    for cell in cells:
        tables = [symtable.symtable(python(cell), cell.id, "exec")]
        while tables:
            table = tables.pop()
            tables += table.get_children()
            for symbol in table.get_symbols():
                if table.get_type() == "module" or symbol.is_global():
                    bound |= {symbol.get_name()} if symbol.is_assigned() or symbol.is_imported() else set()
                    used |= {symbol.get_name()} if symbol.is_referenced() else set()
    return bound, used


def checked(book: NotebookNode, tag: str) -> dict[str, tuple[NotebookNode, str]]:
    """Check → the cell with this tag that calls it, and the name that it is given first."""
    return {
        call.func.attr: (cell, ast.unparse(call.args[0]))
        for cell in code(book, tag)
        for call in ast.walk(ast.parse(python(cell)))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr.startswith("check_")
    }


# ---------------------------------------------------------------- as shipped


def test_the_lessons_are_those_that_the_readme_links() -> None:
    rows = re.findall(r"^\| (\d\d) \| (.+?) \|.*\| (.+?) \|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [number for number, *_ in rows] == [f"{number:02}" for number in range(19)]
    links = [re.search(r"\(notebooks/(.+)\.ipynb\)", link)[1] for _, link, measured in rows if measured != "planned"]
    assert links == [path.stem for path in NOTEBOOKS]


@SHIPPED
def test_is_executed_from_top_to_bottom(path: Path) -> None:
    book = book_of(path)
    nbformat.validate(book)
    assert [cell.execution_count for cell in code(book)] == list(range(1, len(code(book)) + 1))
    assert faults(book) == []
    assert "execution" not in book.metadata  # would allow errors, or other time-outs
    assert book.metadata.kernelspec.name == "python3"


@SHIPPED
def test_is_small(path: Path) -> None:
    assert path.stat().st_size < BYTES


@SHIPPED
def test_begins_with_its_title_then_its_imports(path: Path) -> None:
    book = book_of(path)
    assert re.match(rf"# {path.stem[:2]} · \w", book.cells[0].source)
    assert isinstance(ast.parse(python(code(book)[0])).body[0], ast.Import | ast.ImportFrom)
    assert [cell.id for cell in book.cells if "sys.path" in cell.source] == []  # course_lib is simply there


@SHIPPED
def test_is_a_talk_too(path: Path) -> None:
    book = book_of(path)
    assert [c.id for c in book.cells if c.metadata.get("slideshow", {}).get("slide_type") not in SLIDES] == []
    assert book.cells[0].metadata.slideshow.slide_type == "slide"
    notes = [cell for cell in book.cells if "instructor" in tags(cell)]
    assert notes and all(cell.metadata.slideshow.slide_type == "notes" for cell in notes)


@SHIPPED
def test_keeps_to_its_own_results_and_to_the_profile(path: Path) -> None:
    book, number = book_of(path), path.stem[:2]
    source = "\n".join(cell.source for cell in code(book))
    assert set(re.findall(r"\bresults/(\w*)", source)) <= {number}
    # The profile comes from outside: a cell asks course_lib.training.profile(), and text names its two values.
    assert "COURSE_PROFILE" not in source
    prose = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert re.findall(r"COURSE_PROFILE(?!=(?:quick|full)\b).{0,20}", prose) == []
    assert [cell.id for cell in code(book) if text(cell) == "'full'"] == []


# ---------------------------------------------------------------- exercises


@SHIPPED
def test_each_exercise_has_a_stub_a_check_and_a_solution(path: Path) -> None:
    book, number = book_of(path), path.stem[:2]
    lesson = importlib.import_module(f"course_lib.checks.lesson{number}")
    stubs, solutions = checked(book, "exercise"), checked(book, "solution")
    assert len(stubs) >= (1 if number == "00" else 4)
    assert set(stubs) == set(solutions) == {name for name in vars(lesson) if re.fullmatch(r"check_\d+", name)}
    for tag, answers, solved in (("exercise", stubs, False), ("solution", solutions, True)):
        bound, _ = names(code(book, tag))
        assert [answer for _, answer in answers.values() if answer not in bound] == []
        verdict = Feedback(solved, "").verdict
        assert [check for check, (cell, _) in answers.items() if not text(cell).startswith(verdict)] == []
    assert [c for c in stubs if book.cells.index(stubs[c][0]) > book.cells.index(solutions[c][0])] == []


@SHIPPED
def test_solutions_are_folded_and_nothing_needs_them(path: Path) -> None:
    book = book_of(path)
    solutions = code(book, "solution")
    assert [cell.id for cell in solutions if not cell.metadata.get("jupyter", {}).get("source_hidden")] == []
    assert [cell.id for cell in solutions if "exercise" in tags(cell)] == []
    remover = TagRemovePreprocessor(enabled=True, remove_cell_tags={"solution"})
    handout, _ = remover.preprocess(copy.deepcopy(book), {})
    assert len(handout.cells) < len(book.cells)
    # Run All passes without the solutions when it passes with them and no other cell shares a name with them.
    bound, used = names(code(handout))
    assert names(solutions)[0] & (bound | used) == set()


# ---------------------------------------------------------------- the code that it teaches


def definition(source: str, name: str) -> str:
    """The text of a function or class, decorators included."""
    node = next(node for node in ast.parse(source).body if getattr(node, "name", None) == name)
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])


@SHIPPED
def test_shows_the_library_word_for_word(path: Path) -> None:
    shown = [cell for cell in code(book_of(path)) if "%load" in cell.source]
    assert shown or path.stem[:2] in ("00", "01")
    for cell in shown:
        line, _, rest = cell.source.partition("\n")
        found = re.fullmatch(r"# %load -s (\w+(?:,\w+)*) \.\./(course_lib/[\w/]+\.py)", line)
        assert found, line
        source = (ROOT / found[2]).read_text(encoding="utf-8")
        assert rest == "\n\n\n".join(definition(source, name) for name in found[1].split(","))


@SHIPPED
def test_defines_no_architecture_of_the_library_anew(path: Path) -> None:
    theirs = {
        node.name
        for module in ARCHITECTURES
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    own = {
        node.name
        for cell in code(book_of(path))
        if "%load" not in cell.source
        for node in ast.parse(python(cell)).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert theirs & own == set()


# ---------------------------------------------------------------- what it shows


class Shown(HTMLParser):
    """Reads HTML for pictures without words, and for what the page would fetch from elsewhere."""

    WORDS = ("alt", "title", "aria-label")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.mute: list[str] = []
        self.fetched: list[str] = []
        self.element = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.element = tag
        given = {name: value or "" for name, value in attrs}
        words = any(given.get(name, "").strip() for name in self.WORDS)
        if (tag == "img" and not given.get("alt", "").strip()) or (
            tag in ("svg", "canvas") and not words and given.get("aria-hidden") != "true"
        ):
            self.mute.append(self.get_starttag_text()[:120])
        for name, value in given.items():
            if name not in self.WORDS and not (tag == "a" and name == "href"):
                self.look(value, r"|^\s*//")

    def handle_data(self, data: str) -> None:
        if self.element in ("script", "style"):
            self.look(data)

    def handle_endtag(self, tag: str) -> None:
        self.element = ""

    def look(self, value: str, more: str = "") -> None:
        value = value.replace("http://www.w3.org/", "")  # names of formats, nothing to fetch
        if re.search(r"(?:https?|wss?)://" + more, value):
            self.fetched.append(value[:120])


def test_shown_finds_what_it_looks_for() -> None:
    for html in ('<img src="data:,">', '<img src="data:," alt=" ">', "<svg></svg>", "<p><canvas></canvas>"):
        assert Shown(html).mute, html
    for html in (
        '<img alt="a" src="https://example.org/a.png">',
        '<script src="//example.org/a.js"></script>',
        '<link rel="stylesheet" href="http://example.org/a.css">',
        "<style>@import url(https://example.org/a.css);</style>",
        "<script>fetch('https://example.org')</script>",
        '<p style="background: url(http://example.org/a.png)">',
    ):
        assert Shown(html).fetched, html
    fine = Shown(
        '<a href="https://example.org">https://example.org</a><img alt="A roll" src="data:image/svg+xml,http://www.w3.org/">'
        '<svg aria-hidden="true" xmlns="http://www.w3.org/2000/svg"></svg><script>a = 1; // a comment</script>'
    )
    assert fine.mute == fine.fetched == []


@SHIPPED
def test_every_picture_has_words_and_nothing_comes_from_elsewhere(path: Path) -> None:
    book = book_of(path)
    outputs = [output.data for cell in code(book) for output in cell.outputs if "data" in output]
    assert {kind for data in outputs for kind in data} <= FORMATS
    texts = [data[kind] for data in outputs for kind in ("text/html", "text/markdown") if kind in data]
    texts += [cell.source for cell in book.cells if cell.cell_type == "markdown"]
    for words, place in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", "\n".join(texts)):
        assert words.strip() and (path.parent / place).is_file(), place
    shown = [Shown(html) for html in texts]
    assert [tag for one in shown for tag in one.mute] == []
    assert [address for one in shown for address in one.fetched] == []
    widgets = json.dumps(book.metadata.get("widgets", {}))
    assert re.findall(r"(?:https?|wss?)://(?!www\.w3\.org/).{0,80}", widgets) == []


# ---------------------------------------------------------------- running


def test_a_notebook_that_would_leave_this_machine_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard of tests/conftest.py stands in the kernels of this file too."""
    monkeypatch.setenv(offline_guard.LOG, str(tmp_path / "refused.txt"))
    sly = "import socket\nsocket.create_connection(('192.0.2.1', 9), timeout=1)"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(sly)]), tmp_path / "sly.ipynb")
    error = NotebookRun(tmp_path / "sly.ipynb", CELL_SECONDS).execute().error
    assert error and "ConnectionRefusedOffline" in error.summary
    assert "192.0.2.1 by" in (tmp_path / "refused.txt").read_text()


def test_a_cell_that_hangs_ends_the_run(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in ("1", "import time\ntime.sleep(600)", "2")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "slow.ipynb")
    error = NotebookRun(tmp_path / "slow.ipynb", 2).execute().error
    assert error and error.failing_cell_index == 1 and "2 seconds" in error.trace


@pytest.mark.slow
@SHIPPED
def test_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run All, in the quick profile, on a copy beside which only results/ may appear."""
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / ".ipython"))
    number = path.stem[:2]
    here = tmp_path / "notebooks"
    shutil.copytree(path.parent, here, ignore=lambda _, inside: [name for name in inside if name[:1] == "."])
    before = {file.name: file.read_bytes() for file in here.rglob("*") if file.is_file()}
    result = NotebookRun(here / path.name, CELL_SECONDS).execute()
    assert result.error is None, f"cell {result.error.failing_cell_index}: {result.error.trace}"
    assert faults(result.nb) == []
    # The shipped outputs are not those of an older text.
    fresh, shipped = ({cell.id: kinds(cell) for cell in code(book)} for book in (result.nb, book_of(path)))
    assert fresh == shipped

    assert {file.name: file.read_bytes() for file in here.rglob("*") if file.is_file()} == before
    assert {folder.name for folder in tmp_path.iterdir()} <= {".ipython", "notebooks", "results"}
    made = list((tmp_path / "results").rglob("*")) if (tmp_path / "results").exists() else []
    assert {file.relative_to(tmp_path / "results").parts[0] for file in made} <= {number}
    assert {file.suffix for file in made} >= LEAVES.get(number, set())
    for file in made:
        if file.suffix in (".mid", ".musicxml"):
            assert len(read(file)) > 0


@pytest.mark.slow
@SHIPPED
@pytest.mark.parametrize("kind", ["html", "slides"])
def test_becomes_a_handout_and_slides(path: Path, kind: str, tmp_path: Path) -> None:
    """With nbconvert as it is, without the solutions."""
    options = ["--TagRemovePreprocessor.enabled=True", "--TagRemovePreprocessor.remove_cell_tags=solution"]
    command = [sys.executable, "-m", "nbconvert", "--to", kind, *options, "--output-dir", str(tmp_path), str(path)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    page = next(tmp_path.glob("*.html")).read_text(encoding="utf-8")
    left = [cell for cell in book_of(path).cells if "solution" not in tags(cell)]
    if kind == "slides":
        left = [cell for cell in left if cell.metadata.slideshow.slide_type != "skip"]
    assert re.findall(r'"cell-id=([^"]+)"', page) == [cell.id for cell in left]
    outputs = [output for cell in left if cell.cell_type == "code" for output in cell.outputs]
    panels = "".join(output.get("data", {}).get("text/html", "") for output in outputs).count('<div class="listen"')
    assert page.count('<div class="listen"') == panels
    if kind == "slides":
        assert page.count("<section") > sum(cell.metadata.slideshow.slide_type == "slide" for cell in left)
        assert '<aside class="notes">' in page
