"""The table that this project reproduces, as data: `results/paper.yaml`, and which records may stand beside its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import NamedTuple

from harness.files.parsing import Item, read_yaml
from harness.files.paths import shipped_path
from harness.records.record import ResultRecord


class Cell(NamedTuple):
    """What a number measures: one metric of one task on one split."""

    task: str
    split: str
    metric: str


@dataclass(frozen=True)
class PaperRow:
    """One printed number, in the words of the paper's listing; `value` keeps the digits that were printed."""

    task: str
    dataset: str
    metric: str
    value: str
    model: str
    measured_by: Cell


@dataclass(frozen=True)
class Official:
    """What a record of a task must say to stand beside published numbers: task version, one of the protocols, and `n` of each split.

    `n` is in the order of the splits, a range (smallest, largest) where only about how many there are is published.
    """

    version: int
    protocols: tuple[str, ...]
    n: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Paper:
    """The paper's table. `official` is by task; a record of a task that is not in it fills nothing."""

    source: str
    checkpoint: str
    tolerance: float
    dtypes: tuple[str, ...]
    needs_server: Mapping[str, tuple[str, ...]]
    official: Mapping[str, Official]
    rows: tuple[PaperRow, ...]

    @property
    def tasks(self) -> list[str]:
        """The tasks in the order of the table."""
        return list(dict.fromkeys(row.measured_by.task for row in self.rows))

    def objection(self, record: ResultRecord) -> str | None:
        """Return why a record cannot stand beside published numbers, None if it can: all of an official split, in full precision."""
        official = self.official.get(record.task)
        if record.subset is not None:
            return f"a subset of {record.subset.limit} of {record.subset.total}, not a result"
        if record.embedded:
            return "measured on the embedded benchmark"
        if official is None or record.split not in official.n:
            return "no published number is known for this task and split"
        low, high = official.n[record.split]
        if not low <= record.n <= high:
            return f"{record.n} samples, the official split has {low if low == high else f'{low} to {high}'}"
        if left_out := record.predictions.get("skipped"):
            return f"{len(left_out)} samples were skipped, as their images cannot be read; get them again, and run it with --fresh"
        if record.task_version != official.version:
            return f"version {record.task_version} of the task, the table holds version {official.version}"
        if record.settings.get("dtype") not in self.dtypes:
            return f"computed in {record.settings.get('dtype')}, the table holds {' and '.join(self.dtypes)}"
        return None


@cache
def paper() -> Paper:
    """Return the table of `results/paper.yaml`."""
    return read_paper(shipped_path("results/paper.yaml"))


def read_paper(path: Path) -> Paper:
    """Read a paper's table. Raises DataError for a file that is none."""
    content = Item(read_yaml(path), str(path))
    content.only(*(field.name for field in fields(Paper)))
    servers, official = content.item("needs_server"), content.item("official")
    return Paper(
        source=content.get("source", str),
        checkpoint=content.get("checkpoint", str),
        tolerance=content.get("tolerance", float),
        dtypes=content.words("dtypes"),
        needs_server={task: servers.words(task) for task in servers.value},
        official={task: _official(official.item(task)) for task in official.value},
        rows=tuple(map(_row, content.items("rows"))),
    )


def _official(task: Item) -> Official:
    task.only(*(field.name for field in fields(Official)))
    sizes = task.item("n")
    return Official(
        task.get("version", int),
        task.words("protocols"),
        {split: _size(sizes, split) for split in sizes.value},
    )


def _size(sizes: Item, split: str) -> tuple[int, int]:
    if isinstance(sizes.value[split], list):
        low, high = sizes.numbers(split, 2)
        return int(low), int(high)
    return sizes.get(split, int), sizes.get(split, int)


def _row(row: Item) -> PaperRow:
    row.only(*(field.name for field in fields(PaperRow)))
    return PaperRow(
        task=row.get("task", str),
        dataset=row.get("dataset", str),
        metric=row.get("metric", str),
        value=row.get("value", str),
        model=row.get("model", str),
        measured_by=Cell(*row.words("measured_by", 3)),
    )
