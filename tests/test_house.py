"""The rules of the house: what may import what, and how light the door is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[1] / "course_lib"
MODULES = sorted(LIBRARY.rglob("*.py"))
WINGS = {
    "music": (
        "keras",
        "tensorflow",
        "jax",
        "torch",
        "course_lib.architectures",
        "course_lib.training",
        "course_lib.show",
    ),
    "show": ("keras", "tensorflow", "jax", "torch", "course_lib.architectures", "course_lib.training"),
    "architectures": ("course_lib.music", "course_lib.show", "music21", "matplotlib", "tensorflow"),
    "training.py": ("course_lib.music", "course_lib.show", "music21", "matplotlib", "tensorflow"),
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_the_wings_do_not_import_each_other(path: Path) -> None:
    forbidden = WINGS.get(path.relative_to(LIBRARY).parts[0], ())
    assert not [n for n in imported(path) if any(n == f or n.startswith(f + ".") for f in forbidden)]


def test_importing_the_library_loads_nothing_heavy() -> None:
    code = (
        "import sys, course_lib, course_lib.music.datasets, course_lib.music.files, course_lib.music.measures.metrics;"
        "print([m for m in ('tensorflow', 'keras', 'music21', 'matplotlib', 'verovio') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
