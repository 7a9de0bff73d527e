"""The record of a result: a number together with everything that determined it.

Nothing in a record depends on when or how fast the run was, so that the same run gives the same bytes, interrupted or not; what a run took
is kept beside it (`<task>.<split>.timings.json`). A record lies at `<out>/<checkpoint>/<task>.<split>.json`.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError
from harness.sources.reading import is_number

SCHEMA = 1


@dataclass(frozen=True)
class Subset:
    """Which part of the split was evaluated: the first `limit` of `total` samples in the order of a stable hash."""

    limit: int
    total: int


@dataclass(frozen=True)
class ResultRecord:
    """One task on one split by one checkpoint.

    `metrics` are in percent (or the benchmark's own score) at full precision, `intervals` their 95 % confidence intervals. `data` holds the
    name of the data (`shapes`: embedded, `files`: the user's), its fingerprint and the annotation files' SHA-256; `checkpoint` name, entry
    of checkpoints.yaml (null for a file given by path), file and SHA-256; `settings` what a flag chose that can move a number; `software`
    what the predictions were begun with.
    """

    schema: int
    task: str
    task_version: int
    split: str
    n: int
    subset: Subset | None
    protocol: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    checkpoint: Mapping[str, Any]
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    predictions: Mapping[str, Any]
    software: Mapping[str, Any]

    @property
    def embedded(self) -> bool:
        """Whether this is a number on the embedded benchmark, which says nothing about a real one."""
        return self.data.get("name") == "shapes"


def record_path(out: Path, *, checkpoint: str, task: str, split: str, limit: int | None = None, suffix: str = ".json") -> Path:
    """Return where a record (or a file beside it) lies. A subset has its own files, so that it never replaces a result."""
    subset = f".limit-{limit}" if limit else ""
    return out / checkpoint / f"{task}.{split}{subset}{suffix}"


def write_record(path: Path, record: ResultRecord) -> None:
    """Write a record all at once: a reader never sees half of it."""
    write_json(path, asdict(record))


def write_json(path: Path, value: Any) -> None:
    """Write JSON to a file all at once, readable by people."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise HarnessError(f"{path}: cannot be written ({error.strerror}); predictions are kept, run the same command to go on") from error


def read_record(path: Path) -> ResultRecord:
    """Read a record. Raises DataError for a file that is none, saying what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as a result record ({error})") from error
    if not isinstance(content, dict) or "schema" not in content:
        raise DataError(f"{path}: is no result record")
    if content["schema"] != SCHEMA:
        raise DataError(f"{path}: is a record of schema {content['schema']}, this version reads {SCHEMA}")
    missing = [field.name for field in fields(ResultRecord) if field.name not in content]
    unknown = sorted(content.keys() - {field.name for field in fields(ResultRecord)})
    if missing or unknown:
        raise DataError(f"{path}: is no result record: lacks {missing or 'nothing'}, has {unknown or 'nothing'} too many")
    _check_kinds(path, content)
    subset = Subset(**content["subset"]) if content["subset"] else None
    intervals = {name: (low, high) for name, (low, high) in content["intervals"].items()}
    return ResultRecord(**{**content, "subset": subset, "intervals": intervals})


def find_records(folder: Path) -> Iterator[Path]:
    """Yield the record files below a folder, `<checkpoint>/<task>.<split>.json`, in order of name."""
    for path in sorted(folder.glob("*/*.json")):
        if not path.name.startswith(".") and not path.name.endswith(".timings.json"):
            yield path


def _check_kinds(path: Path, content: Mapping[str, Any]) -> None:
    """Raise DataError where a field of a record is not of its kind."""
    kinds = {"task": str, "split": str, "protocol": str, "n": int, "task_version": int}
    kinds |= dict.fromkeys(("metrics", "intervals", "checkpoint", "data", "settings", "predictions", "software"), dict)
    for name, kind in kinds.items():
        if type(content[name]) is not kind:
            raise DataError(f"{path}: {name!r} is not as in a result record")
    numbers = [
        *content["metrics"].values(),
        *(bound for pair in content["intervals"].values() for bound in (pair if _is_pair(pair) else [None])),
    ]
    if not all(map(is_number, numbers)):
        raise DataError(f"{path}: a metric or interval is not a finite number")
    if not isinstance(content["checkpoint"].get("name"), str) or not isinstance(content["data"].get("name"), str):
        raise DataError(f"{path}: does not name its checkpoint and data")
    subset = content["subset"]
    if subset is not None and not (isinstance(subset, dict) and subset.keys() == {"limit", "total"}):
        raise DataError(f"{path}: 'subset' is not as in a result record")


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2
