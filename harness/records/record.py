"""The record of a result: its metrics, and everything that determined them.

A record depends on neither the time nor the speed of its run: the same command writes the same
bytes, interrupted or not. (Another batch size yields the same metrics, but may move the last digits
of a predicted float and so the hash of the predictions.) Durations are in a sidecar file,
`<task>.<split>.timings.json`. A record's path is `<out>/<checkpoint>/<task>.<split>.json`.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DataError, HarnessError
from harness.files.atomic import write_json
from harness.files.parsing import Count, Finite, Int64, convert, read_json
from harness.files.validation_errors import describe_non_json
from harness.formats.folder import EMBEDDED
from harness.records.validation import check_values
from harness.statistics.interval import Interval

SCHEMA = 3  # 2: breakdown and not_run; 3: inputs and contributions
DEVIATIONS = "deviations"  # a key of `data`: how the split differs from the published one
SIDECARS = (".timings.json", ".submission.json")  # JSON files beside records

LOST_AND_FOUND = "lost+found"  # at the root of a mounted file system, for its administrator only


@dataclass(frozen=True)
class Subset:
    """The evaluated part of a split: `limit` of its `total` samples, in order of a stable hash."""

    limit: Count
    total: Count


@dataclass(frozen=True)
class ResultRecord:
    """The result of one task on one split by one checkpoint.

    metrics      in percent (or the benchmark's own score) at full precision
    intervals    their 95 % confidence intervals
    breakdown    kind -> name -> value, of parts of the split and of other protocols
    not_run      metric -> the reason why it is missing
    checkpoint   its name, file, SHA-256 and provenance; `registered`: an entry of checkpoints.yaml
    data         its name (`shapes`: embedded, `files`: the user's), fingerprint, and the SHA-256 of
                 each annotation file; `deviations` of the split from the published one, if any
    settings     the flags that can move a number
    predictions  the prediction file with its SHA-256; a server's receipt
    software     of the process that began the predictions
    inputs       fingerprint of the model's first inputs (`harness.running.inputs.fingerprint`)

    `inputs` and `contributions` are empty if unknown, as for a number that a server computed.
    """

    schema: Int64
    task: str
    task_version: Int64
    split: str
    n: Count
    subset: Subset | None
    protocol: str
    metrics: Mapping[str, Finite]
    intervals: Mapping[str, Interval]
    breakdown: Mapping[str, Mapping[str, Finite]]
    not_run: Mapping[str, str]
    checkpoint: Mapping[str, Any]
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    predictions: Mapping[str, Any]
    software: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    # The file of the per-sample scores. The key in the record and the suffix of the file keep the
    # name `contributions`, so that records on disk stay valid.
    contributions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether the data is the embedded benchmark, whose numbers compare with no other data."""
        return bool(self.data["name"] == EMBEDDED)

    def path(self, out: Path) -> Path:
        """Return the path of this record below the folder of `run --out`."""
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
    """Return the path of a record, or of a sidecar file by its suffix.

    A subset has separate files, so it never replaces a result.
    """
    subset = f".limit-{limit}" if limit else ""
    return out / checkpoint / f"{task}.{split}{subset}{suffix}"


class FoundRecords(NamedTuple):
    """The records of a folder in order of path, and a sentence about each other file.

    `unreadable` are sentences about the folders below it that cannot be read.
    """

    records: list[ResultRecord]
    damaged: list[str]
    misplaced: list[str]
    unreadable: list[str]


def find_records(folder: Path) -> FoundRecords:
    """Read every record below the folder of `run --out`.

    A record counts at its own path only: a copy elsewhere would be a second result of one run. The
    folder itself is damaged where it cannot be read. Hidden folders hold no results.
    """
    records, misplaced = [], []
    if reason := _why_unreadable(folder):
        return FoundRecords([], [reason], [], [])
    damaged: list[str] = []
    unreadable: list[str] = []
    paths: list[Path] = []
    for part in sorted(filter(Path.is_dir, folder.iterdir())):
        if part.name.startswith(".") or part.name == LOST_AND_FOUND:
            continue
        if reason := _why_unreadable(part):
            unreadable.append(reason)
        else:
            paths += part.glob("*.json")
    for path in sorted(paths):
        if path.name.startswith(".") or path.name.endswith(SIDECARS):
            continue
        try:
            record = read_record(path)
        except DataError as error:
            damaged.append(str(error))
            continue
        own_path = record.path(folder)
        if path == own_path:
            records.append(record)
        else:
            misplaced.append(
                f"{path}: holds the record of {own_path}; a moved or renamed record does not count"
            )
    return FoundRecords(records, damaged, misplaced, unreadable)


def _why_unreadable(folder: Path) -> str | None:
    """Return why a folder cannot be read, beginning with its path; None if it can."""
    try:
        os.scandir(folder).close()
        (folder / "..").stat()  # needs the right to enter the folder, which listing does not
    except OSError as error:
        return f"{folder}: cannot be read ({error.strerror})"
    return None


def write_record(path: Path, record: ResultRecord) -> None:
    """Write a record atomically. Raises HarnessError where it cannot be written."""
    write_result(path, asdict(record))


def remove_record(path: Path) -> None:
    """Remove the record of a run that starts again, whose predictions it would outlive.

    Raises HarnessError where it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be replaced ({error.strerror}); choose another --out"
        ) from error


def write_result(path: Path, value: Any) -> None:
    """Write a record or a sidecar file as JSON, atomically.

    Raises HarnessError where it cannot be written.
    """
    try:
        write_json(path, value)
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); "
            "predictions are kept, run the same command to go on"
        ) from error


def read_record(path: Path) -> ResultRecord:
    """Read a record.

    Raises DataError, naming file and field, for anything but a record, and for values that no run
    writes.
    """
    content = read_json(path)
    if problem := describe_non_json(content, str(path)):
        raise DataError(problem)
    if not isinstance(content, dict) or "schema" not in content:
        raise DataError(f"{path}: is not a result record")
    if content["schema"] != SCHEMA:
        newer = type(content["schema"]) is int and content["schema"] > SCHEMA
        raise DataError(
            f"{path}: is a record of schema {content['schema']!r}, this version reads {SCHEMA}"
            + ("; update xvlm-eval" if newer else "; run the same command again")
        )
    _check_keys(content, ResultRecord, where=str(path))
    if isinstance(content["subset"], dict):
        _check_keys(content["subset"], Subset, where=f"{path}: subset")
    record = convert(content, ResultRecord, where=str(path))
    check_values(content, str(path))
    return record


def _check_keys(content: Mapping[str, Any], kind: type, *, where: str) -> None:
    """Raise DataError unless the keys are the fields of a dataclass, with or without default.

    msgspec ignores unknown keys of dataclasses, and fills in defaults.
    """
    names = [field.name for field in fields(kind)]
    if missing := [name for name in names if name not in content]:
        raise DataError(f"{where}: has no {missing[0]!r}")
    if unknown := [key for key in content if key not in names]:
        raise DataError(f"{where}: has the unknown key {unknown[0]!r}")
