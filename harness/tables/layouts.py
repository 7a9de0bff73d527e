"""Which columns the tables of results have: the paper's rows, the leaderboard, the embedded benchmark, one run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.records.record import ResultRecord
from harness.rendering import Row, Table
from harness.tables import comparison
from harness.tables.comparison import shown_name
from harness.tables.paper import paper

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
        board = {
            checkpoint: {"checkpoint": checkpoint}
            for checkpoint in dict.fromkeys(row["checkpoint"] for row in mine)
        }
        for row in mine:
            board[row["checkpoint"]][f"{row['split']} {row['metric']}"] = _cell(row)
        headings = {"checkpoint": "checkpoint", **{column: column for column in columns}}
        title = f"{task}: measured (published, difference)" + (
            f", protocol {protocol}" if protocol else ""
        )
        tables.append(Table(title, list(board.values()), headings))
    return tables


def _cell(row: Row) -> str:
    """Return `84.49 (84.51, -0.02)`: measured, published and the difference, whichever there are; or why nothing was measured."""
    measured, published, delta = row["measured"], row["published"], row["delta"]
    beside = [f"{published:.2f}"] if published is not None else []
    beside += [f"{delta:+.2f}"] if delta is not None else []
    return (f"{measured:.2f}" if measured is not None else str(row["verdict"])) + (
        f" ({', '.join(beside)})" if beside else ""
    )


class Layout(NamedTuple):
    """Results in one layout.

    `listing` is one table of all rows, for machines; `tables` are for people, those of the embedded
    benchmark (`shapes`) first. `left_out` says of each record in none of them why.
    """

    listing: Table
    shapes: Table
    tables: Sequence[Table]
    left_out: Sequence[str]


def lay_out(records: Sequence[ResultRecord], layout: str, *, checkpoint: str | None) -> Layout:
    """Arrange results as the `paper`'s rows, as a `leaderboard`, or as those on `shapes` alone.

    The paper's rows are filled from `checkpoint`, by default the paper's own.
    """
    shapes = Table(SHAPES_TITLE, comparison.shapes_rows(records), SHAPES_COLUMNS)
    left_out = comparison.objections(records)
    if layout == "paper":
        rows = comparison.paper_rows(records, checkpoint=checkpoint)
        within = f"reproduced: within {paper().tolerance} points"
        listing = Table(f"{paper().source}: published and measured ({within})", rows, PAPER_COLUMNS)
        tables = [listing]
        left_out += comparison.passed_over(records, checkpoint=checkpoint)
    elif layout == "leaderboard":
        listing = Table("Leaderboard", comparison.leaderboard_rows(records), LEADERBOARD_COLUMNS)
        tables = leaderboard(listing.rows)
    else:
        listing, tables = shapes, []
    embedded = [shapes] if shapes.rows or not tables else []
    return Layout(listing, shapes, [*embedded, *tables], left_out)
