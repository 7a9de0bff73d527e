"""The lineage of a baseline: which one replaced which, when, and why.

`lineage.jsonl` beside a baseline's folders holds one line per renewal, the oldest first.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.errors import DataError, HarnessError
from harness.files.atomic import replacing
from harness.files.parsing import decode_json_text, read_text
from harness.records.validation import check_date

FILE = "lineage.jsonl"
TIME = re.compile(r"(T\d\d:\d\d:\d\dZ)?")  # of the day in UTC


class Renewal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One renewal of the baseline of a checkpoint.

    `reviewed`: a person gave the `reason`, and the new baseline is the anchor; else the check
    against the anchor had passed. `before` and `after` map task and split to the SHA-256 of the
    predictions, `changes` the metrics that moved to their old and new value.
    """

    date: str
    checkpoint: str
    reviewed: bool
    reason: str
    release: str | None
    commit: str | None
    before: dict[str, str]
    after: dict[str, str]
    changes: dict[str, tuple[float | None, float | None]]


def read_lineage(baseline: Path) -> list[Renewal]:
    """Return the renewals of a baseline, the oldest first. Raises DataError for a damaged file."""
    path = baseline / FILE
    if not path.exists() and not path.is_symlink():
        return []
    try:
        # Only line breaks end a line, not U+2028 or U+0085 inside a reason.
        lines = read_text(path).split("\n")
        return [
            _parse(line, f"line {number}")
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]
    except (ValueError, DataError) as error:
        raise DataError(
            f"{path}: is not a lineage of a baseline ({error}); restore it from version control"
        ) from error


def _parse(line: str, where: str) -> Renewal:
    renewal = decode_json_text(line, Renewal, where=where)
    day, separator, time = renewal.date.partition("T")
    check_date(day if TIME.fullmatch(separator + time) else renewal.date, f"{where}: date")
    return renewal


def append_renewal(baseline: Path, renewal: Renewal) -> None:
    """Append a renewal. Raises HarnessError where the file cannot be written."""
    path = baseline / FILE
    lines = [*read_lineage(baseline), renewal]
    try:
        with replacing(path) as temporary:
            temporary.write_text("".join(map(_to_line, lines)), encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"{path}: cannot be written ({error.strerror}); the baseline was not replaced"
        ) from error


def renewals_since_review(baseline: Path) -> Counter[str]:
    """Return how often the baseline of each checkpoint was renewed since a person reviewed it."""
    counts = Counter[str]()
    for renewal in read_lineage(baseline):
        counts[renewal.checkpoint] = 0 if renewal.reviewed else counts[renewal.checkpoint] + 1
    return counts


def _to_line(renewal: Renewal) -> str:
    content: Mapping[str, object] = msgspec.structs.asdict(renewal)
    return json.dumps(content, ensure_ascii=False) + "\n"
