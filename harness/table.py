"""Set results beside the paper: which record fills which printed number, and how far off it is. `report.py` makes the rows readable."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.checkpoints import Published, entries
from harness.errors import DataError, UsageError, nearest
from harness.places import shipped
from harness.registry import find_task, task_names
from harness.results import ResultRecord

Key = tuple[str, str, str]  # task, split, metric
Row = dict[str, Any]

REPRODUCED, WITHIN, OFF = "reproduced", "within confidence interval", "off"
NOT_RUN, NEEDS_SERVER = "not run", "needs server"
MEASURED = ("measured", "delta", "interval", "n", "checkpoint", "checkpoint_sha256", "protocol", "settings")


@dataclass(frozen=True)
class PaperRow:
    """One printed number, in the words of the paper's listing; `value` keeps the digits that were printed."""

    task: str
    dataset: str
    metric: str
    value: str
    model: str
    measured_by: Key


@dataclass(frozen=True)
class Paper:
    """The table that is to be reproduced."""

    source: str
    checkpoint: str
    tolerance: float
    needs_server: Mapping[str, Sequence[str]]
    rows: tuple[PaperRow, ...]


@cache
def paper() -> Paper:
    """Return the table of `results/paper.yaml`."""
    return read_paper(shipped("results/paper.yaml"))


def read_paper(path: Path) -> Paper:
    """Read a paper's table. Raises DataError for a file that is none."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        rows = tuple(PaperRow(**{**row, "measured_by": tuple(row["measured_by"])}) for row in content.pop("rows"))
        return Paper(rows=rows, **content)
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read as a paper's table ({error})") from error


def in_order(records: Iterable[ResultRecord]) -> list[ResultRecord]:
    """Return records by checkpoint, then in the order of the tasks and of their splits."""
    names = task_names()

    def place(record: ResultRecord) -> tuple[str, int, str, int, str]:
        known = record.task in names
        splits = find_task(record.task).splits if known else ()
        split = splits.index(record.split) if record.split in splits else len(splits)
        task = names.index(record.task) if known else len(names)
        return record.checkpoint["name"], task, record.task, split, record.split

    return sorted(records, key=place)


def paper_rows(records: Iterable[ResultRecord], *, checkpoint: str | None = None) -> list[Row]:
    """Return the paper's rows in its order, filled with what `checkpoint` (the paper's own by default) measured on the official splits."""
    records = list(records)
    chosen = checkpoint or paper().checkpoint
    names = {record.checkpoint["name"] for record in records} | entries().keys()
    if chosen not in names:
        raise UsageError(f"--checkpoint {chosen}: no result has this name{nearest(chosen, names)}")
    filling = {
        (record.task, record.split): record
        for record in records
        # A file given by path may have any name: only an entry of checkpoints.yaml is the paper's model without being
        # asked for.
        if record.checkpoint["name"] == chosen and (checkpoint or record.checkpoint.get("registered")) and counts(record)
    }
    return [_paper_row(row, filling.get(row.measured_by[:2])) for row in paper().rows]


def leaderboard_rows(records: Iterable[ResultRecord]) -> list[Row]:
    """Return a row for every checkpoint, task, split and metric that was measured on the official splits or published."""
    measured = {(record.checkpoint["name"], record.task, record.split): record for record in records if counts(record)}
    printed = _published()
    wanted = {(name, *key): None for name, key in printed}
    wanted |= {(name, task, split, metric): None for (name, task, split), record in measured.items() for metric in record.metrics}
    rows = []
    for name, task, split, metric in wanted:
        record = measured.get((name, task, split))
        value, source = printed.get((name, (task, split, metric)), (None, None))
        rows.append(
            {
                **_measured(record, metric, value),
                "checkpoint": name,
                "task": task,
                "split": split,
                "metric": metric,
                "published": value,
                "source": source,
                "verdict": _verdict(record, metric, value, key=(task, split)),
            }
        )
    return sorted(rows, key=_place)


def shapes_rows(records: Iterable[ResultRecord]) -> list[Row]:
    """Return a row for every metric measured on the embedded benchmark."""
    return [
        {"task": record.task, "split": record.split, "metric": metric, **_measured(record, metric, None)}
        for record in records
        if record.embedded and record.subset is None
        for metric in record.metrics
    ]


def left_out(records: Iterable[ResultRecord], *, checkpoint: str | None = None) -> list[str]:
    """Say of each record that no table shows why it does not count."""
    reasons = []
    for record in records:
        name = f"{record.checkpoint['name']} {record.task} {record.split}"
        if record.subset is not None:
            reasons.append(f"{name}: a subset of {record.subset.limit} of {record.subset.total}, not a result")
        elif not record.embedded and not _complete(record):
            reasons.append(f"{name}: {record.n} samples, the official split has {_official_size(record)}")
    return reasons


def counts(record: ResultRecord) -> bool:
    """Whether a record may stand beside published numbers: a whole official split, on real data."""
    return record.subset is None and not record.embedded and _complete(record)


def _place(row: Row) -> tuple[Any, ...]:
    """Return where a row of the leaderboard stands: tasks and splits in the paper's or their own order, R@5 before R@10."""
    tasks = list(dict.fromkeys(listed.measured_by[0] for listed in paper().rows))
    splits = find_task(row["task"]).splits if row["task"] in task_names() else ()
    number = re.search(r"\d+$", row["metric"])
    return (
        tasks.index(row["task"]) if row["task"] in tasks else len(tasks),
        row["task"],
        row["checkpoint"],
        splits.index(row["split"]) if row["split"] in splits else len(splits),
        row["split"],
        row["metric"][: number.start()] if number else row["metric"],
        int(number[0]) if number else 0,
    )


def _paper_row(row: PaperRow, record: ResultRecord | None) -> Row:
    task, split, metric = row.measured_by
    published = float(row.value)
    return {
        "task": row.task,
        "dataset": row.dataset,
        "metric": row.metric,
        "model": row.model,
        "paper": published,
        "printed": row.value,
        **_measured(record, metric, published),
        "verdict": _verdict(record, metric, published, key=(task, split)),
        "measured_by": {"task": task, "split": split, "metric": metric},
    }


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
        "checkpoint": record.checkpoint["name"],
        "checkpoint_sha256": record.checkpoint.get("sha256"),
        "protocol": record.protocol,
        "settings": record.settings,
    }


def _verdict(record: ResultRecord | None, metric: str, published: float | None, *, key: tuple[str, str]) -> str | None:
    value = record.metrics.get(metric) if record else None
    if record is None or value is None:
        task, split = key
        return NEEDS_SERVER if split in paper().needs_server.get(task, ()) else NOT_RUN
    if published is None:
        return None
    if abs(value - published) <= paper().tolerance:
        return REPRODUCED
    low, high = record.intervals.get(metric, (value, value))
    return WITHIN if low <= published <= high else OFF


def _published() -> dict[tuple[str, Key], tuple[float, str]]:
    """Return every number printed for a released model, with its source: the paper's table and what checkpoints.yaml adds."""
    numbers = {(paper().checkpoint, row.measured_by): (float(row.value), paper().source) for row in paper().rows}
    for entry in entries().values():
        for number in entry.published:
            numbers.setdefault((entry.name, _key(number)), (number.value, number.source))
    return numbers


def _key(number: Published) -> Key:
    return (number.task, number.split, number.metric)


def _official_size(record: ResultRecord) -> int | None:
    if record.task not in task_names():
        return None
    return find_task(record.task).official_sizes.get(record.split)


def _complete(record: ResultRecord) -> bool:
    size = _official_size(record)
    return size is None or record.n == size
