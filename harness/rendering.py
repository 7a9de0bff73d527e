"""Render rows as tables for people (terminal, Markdown, LaTeX, HTML) and machines (CSV, JSON)."""

import csv
import html
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import printable

MISSING = "–"  # the cell of a value that a row lacks; empty in CSV, null in JSON

NO_SPREAD = "no spread seen"  # an interval of no width: every resample gives the same number

Row = dict[str, Any]  # one line of a table: column key -> value, at full precision


@dataclass(frozen=True)
class Table:
    """Rows under a title; `columns` maps the keys that are shown to their headings."""

    title: str
    rows: Sequence[Row]
    columns: dict[str, str]


def render(tables: Sequence[Table], format: str) -> str:
    """Return tables as text in a format: `terminal`, `md`, `latex` or `html`."""
    return "\n\n".join(_render_table(table, format) for table in tables)


def render_csv(table: Table) -> str:
    """Return one table as CSV: every digit of a number, nothing for a missing value."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.columns.values())
    for row in table.rows:
        writer.writerow([_exact_text(row.get(key)) for key in table.columns])
    return file.getvalue().rstrip("\n")


def render_json(content: dict[str, Any]) -> str:
    """Return content as indented JSON, numbers at full precision; ValueError for NaN."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def _render_table(table: Table, format: str) -> str:
    from tabulate import tabulate  # imported here: CSV and JSON do without it

    # Names and protocols of results are anybody's text: a title with a line break would leave the
    # comment of LaTeX, and a control character would steer the terminal.
    table = _without_empty_columns(replace(table, title=printable(" ".join(table.title.split()))))
    cells = [
        [printable(format_cell(key, row.get(key))) for key in table.columns] for row in table.rows
    ]
    headings = list(table.columns.values())
    # tabulate 0.9 cannot align columns without rows.
    alignment = [_alignment(table, key) for key in table.columns] if cells else None
    options: dict[str, Any] = {"disable_numparse": True, "colalign": alignment}
    if format == "terminal":
        return f"{table.title}\n{tabulate(cells, headings, tablefmt='simple', **options)}"
    if format == "md":
        cells = [[escape_markdown(cell) for cell in row] for row in cells]
        headings = [escape_markdown(heading) for heading in headings]
        return f"### {table.title}\n\n{tabulate(cells, headings, tablefmt='pipe', **options)}"
    if format == "latex":
        return f"% {table.title}\n{tabulate(cells, headings, tablefmt='latex_booktabs', **options)}"
    body = tabulate(cells, headings, tablefmt="html", **options)
    return f"<h3>{html.escape(table.title)}</h3>\n{body}"


def _without_empty_columns(table: Table) -> Table:
    """Drop the columns in which no row has a value, except `measured`: its absence is news."""
    columns = {
        key: heading
        for key, heading in table.columns.items()
        if key == "measured" or any(row.get(key) is not None for row in table.rows)
    }
    return replace(table, columns=columns)


def format_cell(key: str, value: Any) -> str:
    """Return a value for people: two decimals, a sign for a `delta`, `low to high`."""
    if value is None:
        return MISSING
    if isinstance(value, tuple | list):
        low, high = value
        return NO_SPREAD if key == "interval" and low == high else f"{low:.2f} to {high:.2f}"
    if isinstance(value, float):
        return f"{value:+.2f}" if key == "delta" else f"{value:.2f}"
    return str(value)


def _exact_text(value: Any) -> str:
    """Return a value for machines: every digit, and a space between the bounds of an interval."""
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return " ".join(_exact_text(item) for item in value)
    return str(value)


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, in one line: no tag, link, picture or emphasis."""
    text = html.escape(" ".join(text.split("\n")), quote=False)
    return re.sub(r"([|\[\]`*])", r"\\\1", text)


def _alignment(table: Table, key: str) -> str:
    return "right" if any(type(row.get(key)) in (int, float) for row in table.rows) else "left"
