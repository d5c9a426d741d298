"""What the exercise cells and the solution cells of a lesson define."""

from __future__ import annotations

import json
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def solutions_of(
    number: str, scope: dict[str, object], tag: str = "solution", without: str | None = None
) -> dict[str, object]:
    """``scope`` with what the lesson's solution cells define, run from top to bottom. number: such as ``"05"``.

    tag: ``"exercise"`` for the cells with the stubs. without: cells in which this stands are left out.
    """
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if (
            cell["cell_type"] == "code"
            and tag in cell["metadata"].get("tags", ())
            and not (without and without in source)
        ):
            exec(source, scope)
    return scope
