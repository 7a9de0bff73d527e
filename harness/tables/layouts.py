"""Rows as tables: the paper's, a leaderboard, the embedded benchmark, one run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.records.record import ResultRecord
from harness.rendering import Row, Table
from harness.tables import comparison, left_out
from harness.tables.paper import Paper

PAPER_COLUMNS = {
    "task": "task", "dataset": "dataset", "metric": "metric", "printed": "paper",
    "measured": "measured", "delta": "delta", "interval": "95 % interval", "n": "n",
    "checkpoint": "checkpoint", "protocol": "protocol", "verdict": "verdict",
}  # fmt: skip
SHAPES_COLUMNS = {
    "checkpoint": "checkpoint", "task": "task", "split": "split", "metric": "metric",
    "measured": "measured", "interval": "95 % interval", "n": "n", "protocol": "protocol",
}  # fmt: skip
SHAPES_TITLE = "Embedded benchmark (shapes): not comparable with any published number"
LEADERBOARD_COLUMNS = {
    "checkpoint": "checkpoint", "task": "task", "split": "split", "metric": "metric",
    "measured": "measured", "published": "published", "delta": "delta",
    "interval": "95 % interval", "n": "n", "protocol": "protocol", "source": "source",
    "verdict": "verdict",
}  # fmt: skip
SCORE_COLUMNS = {"metric": "metric", "measured": "measured", "interval": "95 % interval", "n": "n"}
RECORD_COLUMNS = {
    "checkpoint": "checkpoint", "data": "data", "task": "task", "split": "split",
    "metric": "metric", "measured": "measured", "interval": "95 % interval", "n": "n",
    "record": "record",
}  # fmt: skip


class Layout(NamedTuple):
    """Results in one layout.

    `listing` is one table of all rows, for machines; `tables` are for people, those of the embedded
    benchmark (`shapes`) first. `left_out` has a sentence about each record that none of them shows.
    """

    listing: Table
    shapes: Table
    tables: Sequence[Table]
    left_out: Sequence[str]


def lay_out(
    records: Sequence[ResultRecord], paper: Paper, layout: str, *, checkpoint: str | None
) -> Layout:
    """Arrange results as the `paper`'s rows, as a `leaderboard`, or as those on `shapes` alone.

    The paper's rows are filled from `checkpoint`, by default each from its own. Raises UsageError
    for an unknown checkpoint.
    """
    shapes = Table(SHAPES_TITLE, comparison.shapes_rows(records, paper), SHAPES_COLUMNS)
    reasons = left_out.objections(records, paper)
    if layout == "paper":
        rows = comparison.paper_rows(records, paper, checkpoint=checkpoint)
        within = f"reproduced: within {paper.tolerance} points"
        listing = Table(f"{paper.source}: published and measured ({within})", rows, PAPER_COLUMNS)
        tables = [listing]
        reasons += left_out.passed_over(records, paper, checkpoint=checkpoint)
    elif layout == "leaderboard":
        rows = comparison.leaderboard_rows(records, paper)
        listing = Table("Leaderboard", rows, LEADERBOARD_COLUMNS)
        tables = leaderboard(rows)
    else:
        listing, tables = shapes, []
    embedded = [shapes] if shapes.rows or not tables else []
    return Layout(listing, shapes, [*embedded, *tables], reasons)


def record_rows(record: ResultRecord, path: Path) -> list[Row]:
    """Return a row for every metric of one record."""
    return [
        {
            "checkpoint": comparison.display_name(record),
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
    """Return a table per task and protocol: checkpoints by splits and metrics.

    A cell is `measured (published, difference)`. Different protocols never share a table.
    """
    tables = []
    for task, protocol in dict.fromkeys((row["task"], row["protocol"]) for row in rows):
        chosen = [row for row in rows if (row["task"], row["protocol"]) == (task, protocol)]
        columns = dict.fromkeys(f"{row['split']} {row['metric']}" for row in chosen)
        by_checkpoint = {row["checkpoint"]: {"checkpoint": row["checkpoint"]} for row in chosen}
        for row in chosen:
            column = f"{row['split']} {row['metric']}"
            by_checkpoint[row["checkpoint"]][column] = _leaderboard_cell(row)
        headings = {"checkpoint": "checkpoint", **{column: column for column in columns}}
        suffix = f", protocol {protocol}" if protocol else ""
        title = f"{task}: measured (published, difference){suffix}"
        tables.append(Table(title, list(by_checkpoint.values()), headings))
    return tables


def _leaderboard_cell(row: Row) -> str:
    """Return `84.49 (84.51, -0.02)`: measured, published and the difference, as far as known.

    The verdict stands for a missing measurement.
    """
    measured, published, delta = row["measured"], row["published"], row["delta"]
    references = [f"{published:.2f}"] if published is not None else []
    references += [f"{delta:+.2f}"] if delta is not None else []
    value = f"{measured:.2f}" if measured is not None else str(row["verdict"])
    return f"{value} ({', '.join(references)})" if references else value
