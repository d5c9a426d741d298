"""What the solution cells of a lesson define."""

from __future__ import annotations

import json
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def solutions_of(number: str, scope: dict[str, object]) -> dict[str, object]:
    """``scope`` with what the lesson's solution cells define, run from top to bottom. number: such as ``"05"``."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and "solution" in cell["metadata"].get("tags", ()):
            exec("".join(cell["source"]), scope)
    return scope
