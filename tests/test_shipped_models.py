"""Every model that is shipped can be loaded by its name, without the lesson that trained it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from course_lib.training import PRETRAINED, ROOT, load, shipped_record

NAMES = sorted(path.stem for path in PRETRAINED.glob("*.npz"))


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_loaded(name: str) -> None:
    assert load(name).count_params() == shipped_record(name)["parameters"]


def test_whoever_can_load_knows_every_architecture() -> None:
    code = "import sys, course_lib.training; print(*(m for m in sys.modules if m.startswith('course_lib.arch')))"
    known = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    modules = {path.stem for path in (ROOT / "course_lib" / "architectures").glob("[a-z]*.py")}
    assert modules - {name.rpartition(".")[2] for name in known} <= {"manipulation"}  # which is none
