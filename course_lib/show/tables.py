"""Small tables that a screen reader reads as tables, and the scoreboard among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from numbers import Integral, Real

from course_lib.music.measures.metrics import MEASURES, Spread, spread
from course_lib.music.piece import Piece

Cell = str | float | int | None

_SHORT = 24  # characters


class Table:
    """Rows under named columns, as HTML and as plain text. Made by ``table``."""

    def __init__(self, cells: list[list[str]], columns: list[str], caption: str, best: set[tuple[int, int]]) -> None:
        self.cells, self.columns, self.caption, self.best = cells, columns, caption, best
        # A column of numbers is set to the right, a column of words to the left.
        self._right = [
            any(row[c] != "–" for row in cells) and all(_is_number(row[c]) for row in cells)
            for c in range(len(columns))
        ]

    def __repr__(self) -> str:
        mark = lambda r, c: "* " if (r, c) in self.best else ""  # noqa: E731
        shown = [[mark(r, c) + text for c, text in enumerate(row)] for r, row in enumerate(self.cells)]
        widths = [max(len(line[c]) for line in [self.columns, *shown]) for c in range(len(self.columns))]
        lines = [
            "  ".join(
                t.rjust(w) if right else t.ljust(w) for t, w, right in zip(line, widths, self._right, strict=True)
            ).rstrip()
            for line in [self.columns, ["-" * width for width in widths], *shown]
        ]
        note = ["* best in its column"] if self.best else []
        return "\n".join([self.caption, *lines, *note])

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col" style="{_style(right)}">{escape(name)}</th>'
            for name, right in zip(self.columns, self._right, strict=True)
        )
        body = ""
        for r, row in enumerate(self.cells):
            line = f'<th scope="row" style="{_style(self._right[0])}">{escape(row[0])}</th>'
            for c, text in enumerate(row[1:], 1):
                shown = f"<strong>★ {escape(text)}</strong>" if (r, c) in self.best else escape(text)
                # A short entry such as "0.94 (0.87–0.99)" stays on one line.
                whole = ";white-space:nowrap" if len(text) <= _SHORT else ""
                line += f'<td style="{_style(self._right[c])}{whole}">{shown}</td>'
            body += f"<tr>{line}</tr>"
        note = "<br/>★ best in its column" if self.best else ""
        return (
            '<div style="overflow-x:auto"><table style="margin-left:0;font-variant-numeric:tabular-nums">'
            f'<caption style="caption-side:top;text-align:left;white-space:normal">{escape(self.caption)}{note}'
            f"</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )


def table(
    rows: Sequence[Sequence[Cell]],
    columns: Sequence[str],
    caption: str,
    best: Mapping[str, Callable[[list[float]], float]] | None = None,
    digits: int = 3,
) -> Table:
    """A table to show: the first column names the rows, numbers stand to the right.

    rows: a sequence of cells each; a float gets ``digits`` decimals, None becomes a dash.
    best: column name → which of its values to mark: ``{"accuracy": max, "loss": min}``.
    Raises ValueError when a row has another length than ``columns`` or ``best`` names no column.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"row {list(row)} has {len(row)} cells for {len(columns)} columns {list(columns)}.")
    marked = set()
    for name, choose in (best or {}).items():
        if name not in columns:
            raise ValueError(f"best names the column {name!r}; there are {list(columns)}.")
        c = list(columns).index(name)
        values = {r: row[c] for r, row in enumerate(rows) if isinstance(row[c], Real) and row[c] == row[c]}
        if values:
            top = choose(list(values.values()))  # type: ignore[arg-type]
            # What looks alike in the table is marked alike.
            marked |= {(r, c) for r, value in values.items() if _text(value, digits) == _text(top, digits)}
    return Table([[_text(cell, digits) for cell in row] for row in rows], list(columns), caption, marked)


def scoreboard(groups: Mapping[str, Sequence[Piece]], caption: str = "Scoreboard") -> Table:
    """Is it music? A row for each measure, a column for each group of pieces, the music to be matched first.

    groups: such as ``{"Bach": …, "random": …, "network": …}``. A cell holds "mean (5th–95th percentile)", and ✗ where
        the mean lies outside the percentiles of the first group. Measures that no group has are left out.
    Raises MusicError for an empty group. Notebook: 01.
    """
    first, *others = groups
    spreads = {group: spread(pieces) for group, pieces in groups.items()}
    rows = [
        [
            f"{name} ({unit})",
            str(spreads[first][name]),
            *(_against(spreads[first][name], spreads[group][name]) for group in others),
        ]
        for name, (_, unit) in MEASURES.items()
        if any(found[name].count for found in spreads.values())
    ]
    legend = f"Mean (5th–95th percentile); ✗ where the mean lies outside the percentiles of {first}."
    return table(rows, ["measure", *groups], f"{caption.removesuffix('.')}. {legend}")


def _against(real: Spread, found: Spread) -> str:
    fits = not (real.count and found.count) or real.low <= found.mean <= real.high
    return str(found) if fits else f"{found} ✗"


def _text(cell: Cell, digits: int) -> str:
    if cell is None or cell != cell:
        return "–"
    if isinstance(cell, Real) and not isinstance(cell, bool):
        return f"{cell:,}" if isinstance(cell, Integral) else f"{cell:,.{digits}f}"
    return str(cell)


def _is_number(text: str) -> bool:
    return text == "–" or text.replace(",", "").replace(".", "", 1).lstrip("-").isdigit()


def _style(right: bool) -> str:
    return f"text-align:{'right' if right else 'left'};padding:2px 10px"
