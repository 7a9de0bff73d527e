"""Long texts of tables as marks, and the texts once below: a terminal has 120 columns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.rendering import Row, Table

LONGEST = 40  # characters of a text that a table may show beside its numbers


def with_legends(tables: Sequence[Table], letters: Mapping[str, str]) -> list[Table]:
    """Return tables with marks (`p1`, `p2`) in place of long texts, and a legend for each column.

    `letters` maps a column to the letter of its marks. A mark stands for one text in all tables. A
    column without a text longer than LONGEST stays as it is.
    """
    shown = list(tables)
    legends = []
    for column, letter in letters.items():
        texts = dict.fromkeys(
            row[column]
            for table in tables
            if column in table.columns
            for row in table.rows
            if row.get(column)
        )
        if max(map(len, texts), default=0) <= LONGEST:
            continue
        marks = {text: f"{letter}{number}" for number, text in enumerate(texts, start=1)}
        shown = [_marked(table, column, marks) for table in shown]
        rows: list[Row] = [{"mark": mark, column: text} for text, mark in marks.items()]
        legends.append(Table(f"{column.capitalize()}s", rows, {"mark": "", column: column}))
    return [*shown, *legends]


def _marked(table: Table, column: str, marks: Mapping[str, str]) -> Table:
    if column not in table.columns:
        return table
    rows = [
        {**row, column: marks[row[column]]} if row.get(column) else dict(row) for row in table.rows
    ]
    return replace(table, rows=rows)
