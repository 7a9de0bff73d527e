"""Turn rows into tables that people and machines read: terminal, Markdown, CSV, LaTeX, HTML, JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.record import ResultRecord
from harness.tables.comparison import Row, shown_name

if TYPE_CHECKING:
    import pandas

MISSING = "–"


@dataclass(frozen=True)
class Table:
    """Rows under a title. `rows` hold full precision; `columns` (key -> heading) are what people are shown."""

    title: str
    rows: Sequence[Row]
    columns: dict[str, str]


PAPER_COLUMNS = {
    "task": "task", "dataset": "dataset", "metric": "metric", "printed": "paper", "measured": "measured", "delta": "delta",
    "interval": "95 % interval", "n": "n", "checkpoint": "checkpoint", "protocol": "protocol", "verdict": "verdict",
}  # fmt: skip
SHAPES_COLUMNS = {
    "checkpoint": "checkpoint", "task": "task", "split": "split", "metric": "metric", "measured": "measured",
    "interval": "95 % interval", "n": "n", "protocol": "protocol",
}  # fmt: skip
SHAPES_TITLE = "Embedded benchmark (shapes): not comparable with any published number"
LEADERBOARD_COLUMNS = {
    "checkpoint": "checkpoint", "task": "task", "split": "split", "metric": "metric", "measured": "measured", "published": "published",
    "delta": "delta", "interval": "95 % interval", "n": "n", "protocol": "protocol", "source": "source", "verdict": "verdict",
}  # fmt: skip
SCORE_COLUMNS = {"metric": "metric", "measured": "measured", "interval": "95 % interval", "n": "n"}
RECORD_COLUMNS = {
    "checkpoint": "checkpoint", "data": "data", "task": "task", "split": "split", "metric": "metric", "measured": "measured",
    "interval": "95 % interval", "n": "n", "record": "record",
}  # fmt: skip


def record_rows(record: ResultRecord, path: Path) -> list[Row]:
    """Return a row for every metric of one record."""
    return [
        {
            "checkpoint": shown_name(record),
            "data": record.data["name"],
            "task": record.task,
            "split": record.split,
            "metric": metric,
            "measured": value,
            "interval": record.intervals.get(metric),
            "n": f"{record.n} of {record.subset.total}" if record.subset else record.n,
            "record": str(path),
        }
        for metric, value in record.metrics.items()
    ]


def leaderboard(rows: Sequence[Row]) -> list[Table]:
    """Return one table per task and protocol: a row per checkpoint, a column per split and metric.

    In the cells stands `measured (published, delta)`. What was measured by different protocols is never in one table.
    """
    tables = []
    for task, protocol in dict.fromkeys((row["task"], row["protocol"]) for row in rows):
        mine = [row for row in rows if (row["task"], row["protocol"]) == (task, protocol)]
        columns = dict.fromkeys(f"{row['split']} {row['metric']}" for row in mine)
        board = {checkpoint: {"checkpoint": checkpoint} for checkpoint in dict.fromkeys(row["checkpoint"] for row in mine)}
        for row in mine:
            board[row["checkpoint"]][f"{row['split']} {row['metric']}"] = _cell(row)
        headings = {"checkpoint": "checkpoint", **{column: column for column in columns}}
        title = f"{task}: measured (published, difference)" + (f", protocol {protocol}" if protocol else "")
        tables.append(Table(title, list(board.values()), headings))
    return tables


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
        key: heading for key, heading in table.columns.items() if key == "measured" or any(row.get(key) is not None for row in table.rows)
    }
    return replace(table, columns=columns)


def _frame(table: Table, *, precise: bool) -> "pandas.DataFrame":
    """Return the columns that people see, as strings; `precise` keeps every digit (for CSV)."""
    import pandas

    rows = [[_text(key, row.get(key), precise=precise) for key in table.columns] for row in table.rows]
    return pandas.DataFrame(rows, columns=list(table.columns.values()), dtype=str)


def _text(key: str, value: Any, *, precise: bool) -> str:
    if value is None:
        return "" if precise else MISSING
    if isinstance(value, tuple | list):
        return " ".join(_text(key, item, precise=precise) for item in value) if precise else f"{value[0]:.2f} to {value[1]:.2f}"
    if isinstance(value, float) and not precise:
        return f"{value:+.2f}" if key == "delta" else f"{value:.2f}"
    return str(value)


def _cell(row: Row) -> str:
    """Return `84.49 (84.51, -0.02)`: measured, published and the difference, whichever there are; or why nothing was measured."""
    measured, published, delta = row["measured"], row["published"], row["delta"]
    beside = [f"{published:.2f}"] if published is not None else []
    beside += [f"{delta:+.2f}"] if delta is not None else []
    return (f"{measured:.2f}" if measured is not None else str(row["verdict"])) + (f" ({', '.join(beside)})" if beside else "")


def _cell_of_markdown(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _align(table: Table, key: str) -> str:
    return "right" if any(type(row.get(key)) in (int, float) for row in table.rows) else "left"


def _escaped(text: str) -> str:
    import html

    return html.escape(text)
