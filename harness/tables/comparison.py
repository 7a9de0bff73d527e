"""Set results beside the paper: which record fills which printed number, and how far off it is. `report.py` makes the rows readable."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from harness.checkpoints import entries, normalise_name
from harness.errors import UsageError, nearest
from harness.records.record import ResultRecord
from harness.rendering import Row
from harness.tables.paper import Cell, Paper, PaperRow, paper

REPRODUCED, WITHIN, OFF = "reproduced", "within confidence interval", "off"
NOT_RUN, NEEDS_SERVER = "not run", "needs server"
MEASURED = (
    "measured",
    "delta",
    "interval",
    "n",
    "checkpoint",
    "checkpoint_sha256",
    "protocol",
    "settings",
    "receipt",
)


class Published(NamedTuple):
    """A number that others printed, and where."""

    value: float
    source: str


def paper_rows(records: Iterable[ResultRecord], *, checkpoint: str | None = None) -> list[Row]:
    """Return the paper's rows in its order, filled with what one checkpoint measured by the official protocol.

    That is the paper's own, or the one called `checkpoint`. Raises UsageError for a name that no record and no entry has.
    """
    records = list(records)
    name = _chosen(checkpoint, records)
    filling = {
        (record.task, record.split): record
        for record in records
        # A file given by path may have any name: only an entry of checkpoints.yaml is the paper's model without being asked for.
        if record.checkpoint["name"] == name
        and (checkpoint or _registered(record))
        and _comparable(record)
    }
    return [_paper_row(row, filling.get(row.measured_by[:2])) for row in paper().rows]


def leaderboard_rows(records: Iterable[ResultRecord]) -> list[Row]:
    """Return a row for every checkpoint, protocol, split and metric that was measured on the official splits or published."""
    table, published = paper(), _published(paper())
    rows = []
    for record in records:
        if table.objection(record) is None:
            for metric in [*record.metrics, *_awaited(record)]:
                cell = Cell(record.task, record.split, metric)
                # A published number belongs to the model that it was printed for, evaluated as the paper does.
                beside = (
                    published.pop((record.checkpoint["name"], cell), None)
                    if _registered(record) and _comparable(record)
                    else None
                )
                rows.append(_leaderboard_row(shown_name(record), cell, record, beside))
    rows += [
        _leaderboard_row(name, cell, None, beside) for (name, cell), beside in published.items()
    ]
    return sorted(rows, key=_place)


def shapes_rows(records: Iterable[ResultRecord]) -> list[Row]:
    """Return a row for every metric measured on the embedded benchmark."""
    rows = [
        {
            "task": record.task,
            "split": record.split,
            "metric": metric,
            **_measured(record, metric, None),
        }
        for record in records
        if record.embedded and record.subset is None
        for metric in record.metrics
    ]
    return sorted(rows, key=_place)


def objections(records: Iterable[ResultRecord]) -> list[str]:
    """Say of each record that stands beside no published number why not (embedded results have a table of their own)."""
    return [
        f"{_title(record)}: {reason}"
        for record in records
        if (reason := paper().objection(record))
        and (record.subset is not None or not record.embedded)
    ]


def passed_over(records: Iterable[ResultRecord], *, checkpoint: str | None = None) -> list[str]:
    """Say of each record that would be comparable why it fills none of the paper's rows: another protocol, or another checkpoint."""
    records = [record for record in records if paper().objection(record) is None]
    name = _chosen(checkpoint, records)
    reasons = []
    for record in records:
        if record.protocol not in (official := paper().official[record.task].protocols):
            reasons.append(
                f"{_title(record)}: measured by the protocol {record.protocol}, the paper's is {' or '.join(official)}"
            )
        elif record.checkpoint["name"] != name or not (checkpoint or _registered(record)):
            shown = record.checkpoint["name"]
            reasons.append(
                f"{_title(record)}: not the paper's checkpoint; `xvlm-eval table --checkpoint {shown}` fills the rows with it"
            )
    return reasons


def shown_name(record: ResultRecord) -> str:
    """Return the name of a record's checkpoint, marked where it was a file given by path and no entry of checkpoints.yaml."""
    return f"{record.checkpoint['name']}{'' if _registered(record) else ' (file)'}"


def _title(record: ResultRecord) -> str:
    return f"{shown_name(record)} {record.task} {record.split}"


def _chosen(name: str | None, records: Iterable[ResultRecord]) -> str:
    """Return the checkpoint meant by a name, in which `_`, `-` and case do not matter; the paper's own for none."""
    if name is None:
        return paper().checkpoint
    known = dict.fromkeys([*(record.checkpoint["name"] for record in records), *entries()])
    for candidate in known:
        if normalise_name(candidate) == normalise_name(name):
            return candidate
    raise UsageError(f"--checkpoint {name}: no result has this name{nearest(name, known)}")


def _registered(record: ResultRecord) -> bool:
    return record.checkpoint.get("registered") is True


def _comparable(record: ResultRecord) -> bool:
    """Whether a record was made by the paper's protocol on all of an official split."""
    return (
        paper().objection(record) is None
        and record.protocol in paper().official[record.task].protocols
    )


def _paper_row(row: PaperRow, record: ResultRecord | None) -> Row:
    published = float(row.value)
    return {
        "task": row.task,
        "dataset": row.dataset,
        "metric": row.metric,
        "model": row.model,
        "paper": published,
        "printed": row.value,
        **_measured(record, row.measured_by.metric, published),
        "verdict": _verdict(record, row.measured_by, published),
        "measured_by": row.measured_by._asdict(),
    }


def _leaderboard_row(
    name: str, cell: Cell, record: ResultRecord | None, published: Published | None
) -> Row:
    value = published.value if published else None
    official = paper().official.get(cell.task)
    row = {
        **_measured(record, cell.metric, value),
        **cell._asdict(),
        "checkpoint": name,
        "published": value,
        "source": published.source if published else None,
        "verdict": _verdict(record, cell, value),
    }
    return (
        row if row["protocol"] else {**row, "protocol": official.protocols[0] if official else None}
    )


def _measured(record: ResultRecord | None, metric: str, published: float | None) -> Row:
    """Return what a record says of a metric, all None where there is no record."""
    value = record.metrics.get(metric) if record else None
    if record is None or value is None:
        return dict.fromkeys(MEASURED)
    return {
        "measured": value,
        "delta": None if published is None else value - published,
        "interval": record.intervals.get(metric),
        "n": record.n,
        "checkpoint": shown_name(record),
        "checkpoint_sha256": record.checkpoint.get("sha256"),
        "protocol": record.protocol,
        "settings": record.settings,
        "receipt": record.predictions.get("receipt"),
    }


def _awaited(record: ResultRecord) -> list[str]:
    """Return the metrics of a finished run that only a server can compute."""
    return list(record.not_run) if record.split in paper().needs_server.get(record.task, ()) else []


def _verdict(record: ResultRecord | None, cell: Cell, published: float | None) -> str | None:
    value = record.metrics.get(cell.metric) if record else None
    if record is None or value is None:
        return NEEDS_SERVER if record is not None and cell.metric in _awaited(record) else NOT_RUN
    if published is None:
        return None
    by_server = " (server)" if "receipt" in record.predictions else ""
    if abs(value - published) <= paper().tolerance:
        return REPRODUCED + by_server
    low, high = record.intervals.get(cell.metric, (value, value))
    return (WITHIN if low <= published <= high else OFF) + by_server


def _published(table: Paper) -> dict[tuple[str, Cell], Published]:
    """Return every number printed for a released model, by model and cell: the paper's table and what checkpoints.yaml adds."""
    numbers = {
        (table.checkpoint, row.measured_by): Published(float(row.value), table.source)
        for row in table.rows
    }
    for entry in entries().values():
        for number in entry.published:
            numbers.setdefault(
                (entry.name, Cell(number.task, number.split, number.metric)),
                Published(number.value, number.source),
            )
    return numbers


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return where a row stands: tasks in the paper's order, splits in their own, R@5 before R@10, unknown names last."""
    table = paper()
    splits = list(table.official[row["task"]].n) if row["task"] in table.official else []
    return (
        table.tasks.index(row["task"]) if row["task"] in table.tasks else len(table.tasks),
        row["task"],
        row["protocol"] or "",
        _natural(row["checkpoint"] or ""),
        splits.index(row["split"]) if row["split"] in splits else len(splits),
        row["split"],
        _natural(row["metric"]),
    )


def _natural(name: str) -> list[tuple[str, int]]:
    """Return a sorting key that counts: r5 comes before r10."""
    parts = enumerate(re.split(r"(\d+)", name))  # every second one is a number
    return [("", int(part)) if number % 2 else (part, 0) for number, part in parts]
