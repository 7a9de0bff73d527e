"""Import a number that only a server can give, with its receipt.

The truths of a hidden split, as of VQA's test, are known to a server alone. `run` writes the file
to upload and a record without a metric. The number that comes back is written into that record,
with the hash of the uploaded file, the date and the page of the submission.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import IdentityError, MissingError, UsageError, nearest
from harness.files.parsing import is_number, read_json
from harness.formats.folder import sha256_of
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.record import ResultRecord, read_record, write_record
from harness.records.stored_predictions import read_predictions
from harness.records.validation import is_day, lies_ahead
from harness.registry import find_split, find_task
from harness.running.finish import SUBMISSION
from harness.running.skipped import with_fallbacks
from harness.task import Sample, Task


def import_score(
    task_name: str,
    split_name: str,
    submission: Path,
    *,
    metrics: Sequence[str],
    url: str,
    date: str,
    replace_receipt: bool = False,
) -> Path:
    """Write a server's number into the record beside a submission, and return the record's path.

    `metrics` are texts like `accuracy=78.22`. Raises UsageError for a malformed, unknown or doubled
    metric, a malformed date or address, and a record that has another receipt already, unless
    `replace_receipt`; MissingError where the record or the predictions are absent, and
    IdentityError where record, predictions and submission do not belong together.
    """
    task = find_task(task_name)
    split = find_split(task, split_name)
    if split not in task.hidden:
        raise UsageError(
            f"the truths of {task.name} {split} are not hidden: `xvlm-eval run` scores them itself"
        )
    if not is_day(date) or not _is_address(url):
        raise UsageError(
            "--date should be like 2026-01-31 and --url an address, but they are "
            f"{date!r} and {url!r}"
        )
    if lies_ahead(date):
        raise UsageError(f"--date {date}: lies in the future")
    record = _record_beside(submission, task, split)
    known = dict.fromkeys([task.primary, *task.server_metrics, *record.not_run, *record.metrics])
    values = _values(metrics, known=known)
    _check_submission(submission, task, record)
    receipt = {"submission_sha256": sha256_of(submission), "date": date, "url": url}
    path = _beside(submission, ".json")
    earlier = record.predictions.get("receipt")
    if (
        earlier is not None
        and not replace_receipt
        and (earlier, record.metrics) != (receipt, values)
    ):
        raise UsageError(
            f"{path}: has the server's score already ({_in_words(record, earlier)}); "
            "--replace writes this one in its place"
        )
    not_run = {name: reason for name, reason in record.not_run.items() if name not in values}
    predictions = {**record.predictions, "receipt": receipt}
    write_record(path, replace(record, metrics=values, not_run=not_run, predictions=predictions))
    return path


def _is_address(text: str) -> bool:
    """Return whether a text is an address of the web with a host, without blanks."""
    try:
        address = urlsplit(text)
    except ValueError:
        return False
    host = (address.hostname or "").strip(".")
    return address.scheme in ("http", "https") and bool(host) and len(text.split()) == 1


def _in_words(record: ResultRecord, receipt: Any) -> str:
    values = [f"{name} {value}" for name, value in record.metrics.items()]
    date = receipt.get("date") if isinstance(receipt, dict) else None
    return ", ".join([*values, f"of {date}"])


def _values(metrics: Sequence[str], *, known: Iterable[str]) -> dict[str, float]:
    """Return the value of each metric. Raises UsageError for one that is unknown or given twice."""
    values: dict[str, float] = {}
    for name, value in map(_metric, metrics):
        if name not in known:
            raise UsageError(
                f"--metric {name}: is not a metric of this split{nearest(name, known)}"
            )
        if name in values:
            raise UsageError(f"--metric {name}: is given twice")
        values[name] = value
    return values


def _metric(text: str) -> tuple[str, float]:
    """Return `("accuracy", 78.22)` for `accuracy=78.22`."""
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not name or not is_number(number) or not 0 <= number <= 100:
        raise UsageError(f"--metric {text}: should be like accuracy=78.22, in percent")
    if 0 < number < 1:
        raise UsageError(f"--metric {text}: is a fraction; it should be in percent, like 78.22")
    return name, number


def _record_beside(submission: Path, task: Task, split: str) -> ResultRecord:
    """Return the record of the run that wrote a submission: a whole run of the split."""
    if not submission.name.endswith(SUBMISSION):
        raise UsageError(
            f"{submission}: is not a submission that `run` wrote ({task.name}.{split}{SUBMISSION})"
        )
    path = _beside(submission, ".json")
    if not path.exists():
        raise MissingError(
            f"{path}: no record beside the submission; copy it here from where the run wrote it, "
            f"or write it again from the predictions beside it: `xvlm-eval run --task {task.name} "
            f"--split {split}` with the --out, --data and --checkpoint of the run"
        )
    record = read_record(path)
    if (record.task, record.split, record.subset) != (task.name, split, None):
        raise IdentityError(f"{path}: is not the record of a whole run of {task.name} {split}")
    return record


def _check_submission(submission: Path, task: Task, record: ResultRecord) -> None:
    """Raise IdentityError unless a submission was made of the predictions of its record."""
    path = _beside(submission, PREDICTIONS)
    if not path.exists():
        raise MissingError(f"{path}: no predictions beside the submission; copy them here as well")
    if sha256_of(path) != record.predictions.get("sha256"):
        raise IdentityError(
            f"{path}: are not the predictions that the record beside them was made of; run the "
            "same command again to score them"
        )
    predictions = read_predictions(path).predictions
    samples = [Sample(id, ()) for id in predictions]
    expected = task.submission(samples, with_fallbacks(task, samples, predictions))
    uploaded = read_json(submission)
    ids = Counter(entry.get("question_id") for entry in uploaded) if _is_list(uploaded) else {}
    if doubled := [id for id, count in ids.items() if count > 1]:
        raise IdentityError(
            f"{submission}: answers {len(doubled)} questions more than once, e.g. {doubled[0]!r}"
        )
    different = 0 if uploaded == expected else _count_differences(uploaded, expected)
    if different:
        raise IdentityError(
            f"{submission}: is not made of the predictions beside it ({different} of "
            f"{len(predictions)} differ)"
        )


def _is_list(submission: Any) -> bool:
    """Return whether a submission is a list of entries with hashable ids, as VQA's."""
    return isinstance(submission, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("question_id"), int | str)
        for entry in submission
    )


def _count_differences(uploaded: Any, expected: Any) -> int:
    """Return how many entries differ between two submissions, whatever their order."""
    ours, theirs = _entries(expected), _entries(uploaded)
    return max((ours - theirs).total(), (theirs - ours).total())


def _entries(submission: Any) -> Counter[str]:
    entries = submission if isinstance(submission, list) else [submission]
    return Counter(json.dumps(entry, sort_keys=True) for entry in entries)


def _beside(submission: Path, suffix: str) -> Path:
    return submission.with_name(submission.name.removesuffix(SUBMISSION) + suffix)
