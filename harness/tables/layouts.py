"""Rows as tables: the paper's, a leaderboard, the embedded benchmark, one run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.records.record import ResultRecord
from harness.rendering import Row, Table
from harness.tables import comparison, left_out
from harness.tables.legends import with_legends
from harness.tables.order import natural_key
from harness.tables.paper import Paper
from harness.tables.verdict import NOT_RUN

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
ALL_COLUMNS = {
    "checkpoint": "checkpoint", "data": "data", "task": "task", "split": "split",
    "metric": "metric", "measured": "measured", "published": "published",
    "interval": "95 % interval", "n": "n", "protocol": "protocol", "verdict": "verdict",
}  # fmt: skip
# The tables of papers: a title, and the tasks in it.
PAPER_TABLES = {
    "table2": (
        "Image-text retrieval, as X-VLM's Table 2",
        ("coco-retrieval", "flickr30k-retrieval"),
    ),
    "table3": (
        "Question answering, reasoning, grounding and captions, as X-VLM's Table 3",
        ("vqav2", "nlvr2", "refcoco+", "refcoco+-weak", "coco-caption"),
    ),
    "ovad": ("Attributes of given boxes, as OVAD's table", ("ovad",)),
}
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
    """Arrange results in a layout.

    `paper`: the paper's rows. `leaderboard`: by task and protocol, beside published numbers.
    `table2`, `table3`, `ovad`: a paper's table of all models. `all`: every metric of every record.
    `shapes`: those on the embedded benchmark alone. The paper's rows are filled from `checkpoint`,
    by default each from its own. Raises UsageError for an unknown checkpoint.
    """
    shapes = Table(SHAPES_TITLE, comparison.shapes_rows(records, paper), SHAPES_COLUMNS)
    reasons = left_out.objections(records, paper)
    if layout == "paper":
        rows = comparison.paper_rows(records, paper, checkpoint=checkpoint)
        within = f"reproduced: within {paper.tolerance} points"
        listing = Table(f"{paper.source}: published and measured ({within})", rows, PAPER_COLUMNS)
        tables = [listing]
        reasons += left_out.passed_over(records, paper, checkpoint=checkpoint)
    elif layout == "all":
        rows, reasons = comparison.all_rows(records, paper), []
        listing = Table("All results", rows, ALL_COLUMNS)
        return Layout(listing, shapes, with_legends([listing], {"protocol": "p"}), [])
    elif layout in PAPER_TABLES:
        title, tasks = PAPER_TABLES[layout]
        rows = [row for row in comparison.leaderboard_rows(records, paper) if row["task"] in tasks]
        listing = Table(title, rows, LEADERBOARD_COLUMNS)
        tables = leaderboard(rows, split_by_protocol=False)
        tables = with_legends(tables, {"protocol": "p", "source": "s"})
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


def leaderboard(rows: Sequence[Row], *, split_by_protocol: bool = True) -> list[Table]:
    """Return a table per task and protocol: checkpoints by splits and metrics.

    A cell is `measured (published, difference)`, or `(published)` where nothing was measured.
    Different protocols share a table only where that names the protocol of each row. A second
    number of a cell, published by another source, stands in a line below.
    """
    tables = []
    keys = [(row["task"], row["protocol"] if split_by_protocol else None) for row in rows]
    for task, protocol in dict.fromkeys(keys):
        chosen = [row for row, key in zip(rows, keys, strict=True) if key == (task, protocol)]
        splits = {row["split"] for row in chosen}
        heading_of = "{metric}" if len(splits) == 1 else "{split} {metric}"
        columns = dict.fromkeys(heading_of.format_map(row) for row in chosen)
        names = ["checkpoint"] if split_by_protocol else ["checkpoint", "protocol", "source"]
        headings = {column: column for column in [names[0], *columns, *names[1:]]}
        suffix = f", protocol {protocol}" if protocol else ""
        subject = f"{task} {splits.pop()}" if len(splits) == 1 else task
        title = f"{subject}: measured (published, difference){suffix}"
        lines = _leaderboard_lines(chosen, names, heading_of)
        if not split_by_protocol:  # the numbers of one model side by side
            lines.sort(key=lambda line: natural_key(line["checkpoint"].lower()))
        tables.append(Table(title, lines, headings))
    return tables


def _leaderboard_lines(rows: Sequence[Row], names: Sequence[str], heading_of: str) -> list[Row]:
    """Return a line per combination of `names`; a second number of a cell begins a line below."""
    by_names: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        named = {name: row[name] or "" for name in names}
        heading = heading_of.format_map(row)
        lines = by_names.setdefault(tuple(named.values()), [])
        line = next((line for line in lines if heading not in line), None)
        if line is None:
            lines.append(line := dict(named))
        line[heading] = _leaderboard_cell(row)
    return [line for lines in by_names.values() for line in lines]


def _leaderboard_cell(row: Row) -> str:
    """Return `84.49 (84.51, -0.02)`: measured, published and the difference, as far as known.

    A number that was not measured leaves `(84.51)`; one that a server knows says so.
    """
    measured, published, delta = row["measured"], row["published"], row["delta"]
    references = [f"{published:.2f}"] if published is not None else []
    references += [f"{delta:+.2f}"] if delta is not None else []
    if measured is None and row["verdict"] == NOT_RUN and references:
        return f"({published:.2f})"
    value = f"{measured:.2f}" if measured is not None else str(row["verdict"])
    return f"{value} ({', '.join(references)})" if references else value
