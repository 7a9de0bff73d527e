"""Turn rows into tables that people and machines read: terminal, Markdown, CSV, LaTeX, HTML, JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

MISSING = "–"

Row = dict[str, Any]  # one line of a table, by the names that its JSON has


@dataclass(frozen=True)
class Table:
    """Rows under a title. `rows` hold full precision; `columns` (key -> heading) are what people are shown."""

    title: str
    rows: Sequence[Row]
    columns: dict[str, str]


def render(tables: Sequence[Table], format: str) -> str:
    """Return tables as text: `terminal`, `md`, `latex` or `html`. (CSV and JSON are made from rows, for machines.)"""
    return "\n\n".join(_as_text(table, format) for table in tables)


def render_csv(table: Table) -> str:
    """Return one table as CSV: every digit, empty cells where nothing was measured."""
    return str(_frame(table, precise=True).to_csv(index=False)).rstrip("\n")


def render_json(content: dict[str, Any]) -> str:
    """Return rows as JSON, at full precision, null where nothing was measured."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def _as_text(table: Table, format: str) -> str:
    from tabulate import tabulate

    table = _without_empty_columns(table)
    frame = _frame(table, precise=False)
    plain: dict[str, Any] = {
        "headers": "keys",
        "showindex": False,
        "disable_numparse": True,
        "colalign": [_align(table, key) for key in table.columns],
    }
    if format == "terminal":
        return f"{table.title}\n{tabulate(frame, tablefmt='simple', **plain)}"
    if format == "md":
        escaped = frame.map(_cell_of_markdown).rename(columns=_cell_of_markdown)
        return f"### {table.title}\n\n{tabulate(escaped, tablefmt='pipe', **plain)}"
    if format == "latex":
        return f"% {table.title}\n{tabulate(frame, tablefmt='latex_booktabs', **plain)}"
    return f"<h3>{_escaped(table.title)}</h3>\n{frame.to_html(index=False, border=0)}"


def _without_empty_columns(table: Table) -> Table:
    """Leave out what no row has, but for the measured value: that nothing was measured is worth a column."""
    columns = {
        key: heading
        for key, heading in table.columns.items()
        if key == "measured" or any(row.get(key) is not None for row in table.rows)
    }
    return replace(table, columns=columns)


def _frame(table: Table, *, precise: bool) -> "pandas.DataFrame":
    """Return the columns that people see, as strings; `precise` keeps every digit (for CSV)."""
    import pandas

    rows = [
        [_text(key, row.get(key), precise=precise) for key in table.columns] for row in table.rows
    ]
    return pandas.DataFrame(rows, columns=list(table.columns.values()), dtype=str)


def _text(key: str, value: Any, *, precise: bool) -> str:
    if value is None:
        return "" if precise else MISSING
    if isinstance(value, tuple | list):
        return (
            " ".join(_text(key, item, precise=precise) for item in value)
            if precise
            else f"{value[0]:.2f} to {value[1]:.2f}"
        )
    if isinstance(value, float) and not precise:
        return f"{value:+.2f}" if key == "delta" else f"{value:.2f}"
    return str(value)


def _cell_of_markdown(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _align(table: Table, key: str) -> str:
    return "right" if any(type(row.get(key)) in (int, float) for row in table.rows) else "left"


def _escaped(text: str) -> str:
    import html

    return html.escape(text)
