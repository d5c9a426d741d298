"""Executes a notebook without a browser: what `course.py run NN` starts inside .venv."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

_TITLE = 60  # characters of a cell's title on its line of progress


def execute(notebook: Path, copy: Path) -> int:
    """Executes ``notebook`` with a line of progress per cell and writes the executed notebook to ``copy``.

    Returns the exit status: 0, or 1 when a cell failed; then the end of its traceback is printed and ``copy``
    holds the cells up to there.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    book = nbformat.read(notebook, as_version=4)
    code = [index for index, cell in enumerate(book.cells) if cell.cell_type == "code" and cell.source.strip()]
    titles = _titles(book.cells)
    began = time.monotonic()
    started = began

    def announce(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal started
        started = time.monotonic()
        number = f"[{code.index(cell_index) + 1:{len(str(len(code)))}}/{len(code)}]"
        print(f"{number} {titles[cell_index]:{_TITLE}}", end=" ", flush=True)

    def account(cell: nbformat.NotebookNode, cell_index: int, execute_reply: dict) -> None:
        print(f"{time.monotonic() - started:6.1f} s", flush=True)

    client = NotebookClient(
        book,
        timeout=None,
        resources={"metadata": {"path": str(notebook.parent)}},
        on_cell_execute=announce,
        on_cell_executed=account,
    )
    print(f"Running {notebook.name}, profile {os.environ.get('COURSE_PROFILE', 'quick')}", flush=True)
    try:
        # On the kernel's own stderr, libraries written in C++ report on themselves; Python's goes into the notebook.
        # NotebookClient.execute would take the signals for itself and stumble over them.
        with client.setup_kernel(stderr=subprocess.DEVNULL):
            for index, cell in enumerate(book.cells):
                client.execute_cell(cell, index)
            client.set_widgets_metadata()
        print(f"Done in {time.monotonic() - began:.0f} s.", flush=True)
        return 0
    except CellExecutionError as error:
        print("\n" + short(error.traceback), flush=True)
    except DeadKernelError:
        print("\nPython died in this cell, most often because the memory is full. Close other programs, then repeat.")
    finally:
        copy.parent.mkdir(parents=True, exist_ok=True)
        beside = copy.with_suffix(".new")
        nbformat.write(book, beside)
        os.replace(beside, copy)
    return 1


def report(folder: Path, since: float) -> str:
    """The files in ``folder`` that were written after ``since`` (seconds since the epoch), with their sizes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime >= since)
    rows = [f"  {path.relative_to(folder)}  ({path.stat().st_size / 1000:,.0f} kB)" for path in files]
    return "\n".join([f"The results lie in {folder}:", *rows])


def short(traceback: str, keep: int = 15) -> str:
    """The last ``keep`` lines of a traceback, without its colours."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", traceback).strip().splitlines()
    return "\n".join((["..."] if len(lines) > keep else []) + lines[-keep:])


def _titles(cells: list) -> list[str]:
    """A title for each cell: the heading that it stands under, else its first line."""
    titles, heading = [], ""
    for cell in cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE) or [heading])[-1]
        titles.append((heading or cell.source.strip().partition("\n")[0])[:_TITLE])
    return titles


def run_notebook(notebook: str, results: str) -> int:
    """Executes a notebook into the folder ``results`` and prints what lies there. Returns the exit status."""
    began = time.time() - 1  # some file systems round times down
    folder = Path(results)
    status = execute(Path(notebook), folder / Path(notebook).name)
    print(report(folder, began), flush=True)
    return status


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: the notebook's Python goes too
    try:
        sys.exit(run_notebook(*sys.argv[1:]))
    except KeyboardInterrupt:
        logging.getLogger("asyncio").disabled = True  # it would report the cell that was under way
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
