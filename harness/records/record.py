"""The record of a result: a number together with everything that determined it.

Nothing in a record depends on when or how fast the run was: the same command gives the same bytes, interrupted or not (another batch size
gives the same metrics, but may move the last digits of a predicted float, and with them the hash of the predictions). What a run took is
kept beside it (`<task>.<split>.timings.json`). A record lies at `<out>/<checkpoint>/<task>.<split>.json`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DataError, HarnessError
from harness.files.atomic import write_json
from harness.files.parsing import Item, read_json
from harness.formats.folder import EMBEDDED
from harness.statistics.interval import Interval

SCHEMA = 3  # 2: breakdown and not_run; 3: inputs and contributions


BESIDE = (".timings.json", ".submission.json")  # files beside records that are none


@dataclass(frozen=True)
class Subset:
    """Which part of the split was evaluated: the first `limit` of `total` samples in the order of a stable hash."""

    limit: int
    total: int


@dataclass(frozen=True)
class ResultRecord:
    """One task on one split by one checkpoint.

    `metrics` are in percent (or the benchmark's own score) at full precision, `intervals` their 95 % confidence intervals, `breakdown` what
    parts of the split or other protocols give, `not_run` why a metric is missing. `data` holds the name of the data (`shapes`: embedded,
    `files`: the user's), its fingerprint and the annotation files' SHA-256; `checkpoint` its name, whether that is an entry of
    checkpoints.yaml, file, SHA-256 and what else the model was made of; `settings` what a flag chose that can move a number; `software`
    what the predictions were begun with. `inputs` is the fingerprint of what the model was given first
    (`harness.running.fingerprint`), `contributions` the file of what each sample contributed
    (`sample_scores.py`); both are empty where they are not known, as for a server's number.
    """

    schema: int
    task: str
    task_version: int
    split: str
    n: int
    subset: Subset | None
    protocol: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    breakdown: Mapping[str, Mapping[str, float]]
    not_run: Mapping[str, str]
    checkpoint: Mapping[str, Any]
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    predictions: Mapping[str, Any]
    software: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    contributions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether this is a number on the embedded benchmark, which says nothing about a real one."""
        return bool(self.data["name"] == EMBEDDED)

    def path(self, out: Path) -> Path:
        """Return where this record lies in the folder that `run --out` wrote."""
        limit = self.subset.limit if self.subset else None
        return record_path(
            out, checkpoint=self.checkpoint["name"], task=self.task, split=self.split, limit=limit
        )


def record_path(
    out: Path,
    *,
    checkpoint: str,
    task: str,
    split: str,
    limit: int | None = None,
    suffix: str = ".json",
) -> Path:
    """Return where a record (or a file beside it) lies. A subset has its own files, so that it never replaces a result."""
    subset = f".limit-{limit}" if limit else ""
    return out / checkpoint / f"{task}.{split}{subset}{suffix}"


class Found(NamedTuple):
    """What a folder of results holds: `records` in order of path, `damaged` and `misplaced` sentences about the other files."""

    records: list[ResultRecord]
    damaged: list[str]
    misplaced: list[str]


def find_records(folder: Path) -> Found:
    """Read every record below the folder that `run --out` wrote.

    A record counts at its own path only: a copy under another name would be a second result of the same run.
    """
    found = Found([], [], [])
    for path in sorted(folder.glob("*/*.json")):
        if path.name.startswith(".") or path.name.endswith(BESIDE):
            continue
        try:
            record = read_record(path)
        except DataError as error:
            found.damaged.append(str(error))
            continue
        if path == record.path(folder):
            found.records.append(record)
        else:
            found.misplaced.append(
                f"{path}: says that it is {record.path(folder)}; a moved or renamed record does not count"
            )
    return found


def write_record(path: Path, record: ResultRecord) -> None:
    """Write a record all at once: a reader never sees half of it."""
    write_result(path, asdict(record))


def remove_record(path: Path) -> None:
    """Remove the record of a run that begins anew: it would outlive its predictions."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be replaced ({error.strerror}); choose another --out"
        ) from error


def write_result(path: Path, value: Any) -> None:
    """Write JSON beside a record, or the record itself. Raises HarnessError where it cannot be written."""
    try:
        write_json(path, value)
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); predictions are kept, run the same command to go on"
        ) from error


def read_record(path: Path) -> ResultRecord:
    """Read a record. Raises DataError for a file that is none, saying what is wrong with it."""
    content = read_json(path)
    if not isinstance(content, dict) or "schema" not in content:
        raise DataError(f"{path}: is no result record")
    if content["schema"] != SCHEMA:
        raise DataError(
            f"{path}: is a record of schema {content['schema']!r}, this version reads {SCHEMA}"
        )
    record = Item(content, str(path))
    record.only(*(field.name for field in fields(ResultRecord)))
    metrics, intervals = record.item("metrics"), record.item("intervals")
    breakdown, not_run = record.item("breakdown"), record.item("not_run")
    checkpoint, data = record.item("checkpoint"), record.item("data")
    checkpoint.get("name", str), data.get("name", str)
    return ResultRecord(
        schema=SCHEMA,
        task=record.get("task", str),
        task_version=record.get("task_version", int),
        split=record.get("split", str),
        n=record.get("n", int),
        subset=_subset(record),
        protocol=record.get("protocol", str),
        metrics=_numbers(metrics),
        intervals={name: Interval(*intervals.numbers(name, 2)) for name in intervals.value},
        breakdown={kind: _numbers(breakdown.item(kind)) for kind in breakdown.value},
        not_run={name: not_run.get(name, str) for name in not_run.value},
        checkpoint=checkpoint.value,
        data=data.value,
        settings=record.get("settings", dict),
        predictions=record.get("predictions", dict),
        software=record.get("software", dict),
        inputs=record.get("inputs", dict),
        contributions=record.get("contributions", dict),
    )


def _numbers(item: Item) -> dict[str, float]:
    return {name: item.get(name, float) for name in item.value}


def _subset(record: Item) -> Subset | None:
    if record.value.get("subset", ...) is None:
        return None
    subset = record.item("subset")
    subset.only("limit", "total")
    return Subset(subset.get("limit", int), subset.get("total", int))
