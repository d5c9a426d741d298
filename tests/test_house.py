"""The rules of the house: what may import what, one name for one thing, plain terms, and size."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest

import course_lib.training  # noqa: F401 (it knows all architectures)
from tests.instances import INSTANCES

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "course_lib"
MODULES = sorted(LIBRARY.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NETWORKS = ("keras", "tensorflow", "jax", "torch")
OTHER_WING = ("course_lib.music", "course_lib.show", "course_lib.exhibits", "music21", "matplotlib", "tensorflow")
WINGS = {  # exhibits alone may import both
    "music": (*NETWORKS, "course_lib.architectures", "course_lib.training", "course_lib.exhibits", "course_lib.show"),
    "show": (*NETWORKS, "course_lib.architectures", "course_lib.training", "course_lib.exhibits"),
    "architectures": OTHER_WING,
    "training.py": OTHER_WING,
}
MUSIC = (
    "alto|bach|bar line|bass|chorale|chord|crotchet|fermata|harmon(?:y|ies)|melod(?:y|ies|ic)|music|musical|note|"
    "octave|piano|pitch|pitche|quaver|semitone|soprano|tenor|tune|voice"
)
"""What architectures do not speak of. ``hold`` belongs here too, as a symbol: see below."""
DIALECT = (
    r"dic?e(?! roll)|thrown?|throws|told|deaf|forgetful|scribe|strokes?(?![-=\"])|struck|silenced|"
    r"hears?|heard|said|says|writers?|filled up|chances|imagined examples|lean"
)
"""Words that are no term of the field, whole or as part of a name; DESIGN: the plain word is used instead."""
LINES = {"architectures": 3720, "music": 5980, "show": 2900}
"""Where the house stands with fourteen lessons; architectures count with training. A lesson that needs more
has to find what can go."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def defined(path: Path) -> dict[str, ast.stmt]:
    """Public names that a module defines itself."""
    found: dict[str, ast.stmt] = {}
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {n.id: node for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return {name: node for name, node in found.items() if not name.startswith("_")}


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def name_of(path: Path) -> str:
    return str(path.relative_to(LIBRARY))


EACH = pytest.mark.parametrize("path", MODULES, ids=name_of)
EACH_NOTEBOOK = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

# ---------------------------------------------------------------- what imports what


@EACH
def test_the_wings_do_not_import_each_other(path: Path) -> None:
    forbidden = set(WINGS.get(path.relative_to(LIBRARY).parts[0], ()))
    if path.name == "adversarial.py":  # a gradient inside its step needs TensorFlow's tape
        forbidden -= {"tensorflow"}
    assert not [n for n in imported(path) if any(n == f or n.startswith(f + ".") for f in forbidden)]


def test_exhibits_alone_joins_the_wings() -> None:
    wings = {"course_lib.music": "music", "course_lib.architectures": "networks", "course_lib.training": "networks"}
    joins = {
        name_of(path)
        for path in MODULES
        if path.relative_to(LIBRARY).parts[0] not in ("checks", "commands")
        if len({wing for start, wing in wings.items() for n in imported(path) if n.startswith(start)}) > 1
    }
    assert joins == {"exhibits.py"}


def test_importing_the_library_loads_nothing_heavy() -> None:
    code = (
        "import sys, course_lib, course_lib.music, course_lib.music.measures;"
        "print([m for m in ('tensorflow', 'keras', 'music21', 'matplotlib', 'verovio') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# ---------------------------------------------------------------- one name for one thing


def test_no_public_name_is_defined_twice() -> None:
    homes = defaultdict(list)
    for path in MODULES:
        for name in defined(path):
            if "checks" not in path.parts:  # check_1 of each lesson
                homes[name].append(name_of(path))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_no_name_that_a_folder_hands_on_hides_a_module() -> None:
    for init in LIBRARY.rglob("__init__.py"):
        handed = {
            alias.asname or alias.name for n in tree(init).body if isinstance(n, ast.ImportFrom) for alias in n.names
        }
        modules = {path.stem for path in init.parent.glob("*.py")} | {
            p.name for p in init.parent.iterdir() if p.is_dir()
        }
        assert handed & modules == set(), init


# ---------------------------------------------------------------- plain terms


def words(name: str) -> list[str]:
    """The words of a name, in small letters: ``OneHotEmbedding``, ``one_hot`` → one, hot, …"""
    return [word.lower().rstrip("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def spoken(path: Path) -> list[tuple[int, str]]:
    """Line and text of every name, comment and string of the code; of docstrings none."""
    docstrings = {
        node.body[0].value.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if ast.get_docstring(node, clean=False) is not None
    }
    below = {
        after.lineno
        for before, after in zip(tree(path).body, tree(path).body[1:], strict=False)
        if isinstance(before, ast.Assign | ast.AnnAssign)
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }
    found = []
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.NAME:
            found.append((token.start[0], " ".join(words(token.string))))
        elif token.type == tokenize.COMMENT:
            found.append((token.start[0], token.string.lower()))
        elif token.type == tokenize.STRING and token.start[0] not in docstrings | below:
            found.append((token.start[0], token.string.lower()))
    return found


@pytest.mark.parametrize("path", [p for p in MODULES if "architectures" in p.parts], ids=name_of)
def test_architectures_speak_of_no_music(path: Path) -> None:
    music = re.compile(rf"\b(?:{MUSIC})s?\b")
    assert [(line, text) for line, text in spoken(path) if music.search(text)] == []
    holds = re.compile(r"\bhold(?:s|ing)?\b")
    names = [n.id for n in ast.walk(tree(path)) if isinstance(n, ast.Name)]
    assert [name for name in names if holds.search(" ".join(words(name)))] == []


@pytest.mark.parametrize(
    "path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_private_dialect(path: Path) -> None:
    if path.name == Path(__file__).name:
        return
    dialect = re.compile(rf"\b(?:{DIALECT})\b", re.IGNORECASE)
    text = path.read_text(encoding="utf-8").replace("_", " ")
    assert [f"{n}: {line.strip()}" for n, line in enumerate(text.splitlines(), 1) if dialect.search(line)] == []


@EACH_NOTEBOOK
def test_headings_use_the_terms_of_the_field(path: Path) -> None:
    dialect = re.compile(rf"\b(?:{DIALECT}|machines?)\b", re.IGNORECASE)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).splitlines()]
    headings = [line.replace("The paper says", "") for line in lines if line.startswith("#")]
    assert [line for line in headings if dialect.search(line)] == []


# ---------------------------------------------------------------- what lessons take


def taken(path: Path) -> dict[str, set[str]]:
    """Module or folder → the names that a notebook imports from it, of course_lib."""
    found = defaultdict(set)
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or source.startswith("%%"):
            continue
        code = "\n".join("" if line.startswith(("%", "!")) else line for line in source.splitlines())
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib"):
                found[node.module] |= {alias.name for alias in node.names}
    return found


@cache
def lessons_of() -> dict[str, set[str]]:
    """Public name → the lessons that teach it: "Notebook: 04" in its docstring; a constant: those of its module."""
    found: dict[str, set[str]] = {}
    for path in MODULES:
        own = {}
        for name, node in defined(path).items():
            doc = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.ClassDef) else None
            own[name] = set(re.findall(r"\d\d", " ".join(re.findall(r"Notebooks?: ([\d, and]+)", doc or ""))))
        constants = set().union(*own.values()) if own else set()
        for name, node in defined(path).items():
            found[name] = own[name] or (constants if isinstance(node, ast.Assign | ast.AnnAssign) else set())
    return found


@EACH_NOTEBOOK
def test_a_lesson_imports_few_names_beside_its_own(path: Path) -> None:
    lesson = path.stem[:2]
    names = {n for module, ns in taken(path).items() for n in ns if not module.startswith("course_lib.checks")}
    others = sorted(n for n in names if lesson not in lessons_of().get(n, set()))
    assert len(others) <= 20, others


def test_what_one_lesson_needs_stands_where_that_is_allowed() -> None:
    home = {name: path for path in MODULES if path.name != "__init__.py" for name in defined(path)}
    users: dict[Path, set[str]] = defaultdict(set)
    for notebook in NOTEBOOKS:
        for name in {name for names in taken(notebook).values() for name in names}:
            if name in home:
                users[home[name]].add(notebook.stem)
    inside = Counter(module for path in MODULES if path.name != "__init__.py" for module in imported(path))
    lonely = {
        name_of(path)
        for path, lessons in users.items()
        if len(lessons) == 1 and not inside[dotted(path)]
        if path.relative_to(LIBRARY).parts[0] not in ("architectures", "checks") and "widgets" not in path.parts
    }
    assert lonely == set()


# ---------------------------------------------------------------- saved and loaded


def test_there_is_an_instance_of_every_registered_class() -> None:
    registered = {name for name in keras.saving.get_custom_objects() if name.startswith("course>")}
    assert {f"course>{name}" for name in INSTANCES} == registered


@pytest.mark.parametrize("name", INSTANCES)
def test_what_is_registered_survives_serialising(name: str) -> None:
    make, inputs = INSTANCES[name]
    one = make()
    one(*inputs)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(one))))
    again(*inputs)
    assert type(again) is type(one)
    if hasattr(one, "weights"):
        again.set_weights(one.get_weights())
    for before, after in zip(*(keras.tree.flatten(part(*inputs)) for part in (one, again)), strict=True):
        np.testing.assert_allclose(np.asarray(before), np.asarray(after), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- size


def test_the_library_stays_small() -> None:
    lines = Counter()
    for path in MODULES:
        lines[path.relative_to(LIBRARY).parts[0]] += len(path.read_text(encoding="utf-8").splitlines())
    lines["architectures"] += lines["training.py"]
    assert {room: lines[room] for room, most in LINES.items() if lines[room] > most} == {}
    assert lines["checks"] <= 147 * len(NOTEBOOKS)
