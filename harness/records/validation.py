"""Refuse values that no run writes into a record, naming the field that was edited.

`record` checks the types of the fields; this module checks the objects inside, ranges, and dates.
"""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from harness.errors import DataError
from harness.files.parsing import Count, convert

CLOSE = 1e-6  # of a metric: a sum in another order
# Metrics in percent by every task; CIDEr goes up to 1000, a task of others may have any unit.
PERCENT = re.compile(
    r"accuracy(_\w+)?|consistency|bleu[1-4]|meteor|rouge_l|spice|"
    r"[it]2[it]_r\d+|(map|chance)(_head|_medium|_tail)?"
)


class _Checkpoint(Struct):
    name: str
    registered: bool = False
    file: str | None = None
    sha256: str | None = None


class _Data(Struct):
    name: str
    sha256: str | None = None
    files: dict[str, str] = {}
    deviations: list[str] = []


class _Receipt(Struct):
    date: str
    url: str
    submission_sha256: str


class _Predictions(Struct):
    file: str | None = None
    sha256: str | None = None
    batch_size_halved_to: Count | None = None
    skipped: dict[str, str] = {}
    receipt: _Receipt | None = None


class _Software(Struct):
    batch_size: Count | None = None


class _Inputs(Struct):
    samples: Count | None = None
    images: str | None = None
    texts: str | None = None


class _SampleScores(Struct):
    file: str | None = None
    sha256: str | None = None


OBJECTS: Mapping[str, type[Struct]] = {
    "checkpoint": _Checkpoint,
    "data": _Data,
    "predictions": _Predictions,
    "software": _Software,
    "inputs": _Inputs,
    "contributions": _SampleScores,
}


def check_values(content: Mapping[str, Any], where: str) -> None:
    """Raise DataError, naming the field, for a value that no run writes.

    The types of the fields of `content` are those of a record. `where` names the file.
    """
    for name, kind in OBJECTS.items():
        convert(content[name], kind, where=f"{where}: {name}")
    for name, value in content["metrics"].items():
        if PERCENT.fullmatch(name) and not -CLOSE <= value <= 100 + CLOSE:
            raise DataError(f"{where}: metrics.{name} should be in percent, but is {value}")
    for name, (low, high) in content["intervals"].items():
        if name not in content["metrics"]:
            raise DataError(f"{where}: intervals.{name} has no metric of its name")
        if low > high + CLOSE:
            raise DataError(
                f"{where}: intervals.{name} should be [low, high], but is [{low}, {high}]"
            )
    if receipt := content["predictions"].get("receipt"):
        check_date(receipt["date"], f"{where}: predictions.receipt.date")


def check_date(text: str, where: str) -> None:
    """Raise DataError for anything but a day of the calendar that has begun: 2026-01-31."""
    if not is_day(text):
        raise DataError(f"{where} should be a date like 2026-01-31, but is {text!r}")
    if lies_ahead(text):
        raise DataError(f"{where} lies in the future: {text}")


def lies_ahead(day: str) -> bool:
    """Return whether a day has not begun yet in any time zone: some are a day ahead of this one."""
    return datetime.date.fromisoformat(day) > datetime.date.today() + datetime.timedelta(days=1)


def is_day(text: str) -> bool:
    """Return whether a text is a day of the calendar, written as 2026-01-31."""
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
