"""Import a number that only a server can give, with its receipt.

The truths of a hidden split, as of VQA's test, are known to a server alone. `run` writes the file
to upload and a record without a metric. The number that comes back is written into that record,
with the hash of the uploaded file, the date and the page of the submission.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import IdentityError, MissingError, UsageError
from harness.files.parsing import is_number, read_json
from harness.formats.folder import sha256_of
from harness.records.predictions import SUFFIX as PREDICTIONS
from harness.records.predictions import read_predictions
from harness.records.record import ResultRecord, read_record, write_record
from harness.registry import find_split, find_task
from harness.running.scoring import SUBMISSION
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
) -> Path:
    """Write a server's number into the record beside a submission, and return the record's path.

    `metrics` are texts like `accuracy=78.22`. Raises UsageError for a malformed metric, date or
    address, MissingError where the record or the predictions are absent, and IdentityError where
    record, predictions and submission do not belong together.
    """
    task = find_task(task_name)
    split = find_split(task, split_name)
    if split not in task.hidden:
        raise UsageError(
            f"the truths of {task.name} {split} are not hidden: `xvlm-eval run` scores them itself"
        )
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date) or not re.match(r"https?://", url):
        raise UsageError(
            "--date should be like 2026-01-31 and --url an address, but they are "
            f"{date!r} and {url!r}"
        )
    values = dict(map(_metric, metrics))
    record = _record_beside(submission, task, split)
    _check_submission(submission, task, record)
    receipt = {"submission_sha256": sha256_of(submission), "date": date, "url": url}
    path = _beside(submission, ".json")
    not_run = {name: reason for name, reason in record.not_run.items() if name not in values}
    predictions = {**record.predictions, "receipt": receipt}
    write_record(path, replace(record, metrics=values, not_run=not_run, predictions=predictions))
    return path


def _metric(text: str) -> tuple[str, float]:
    """Return `("accuracy", 78.22)` for `accuracy=78.22`."""
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not name or not is_number(number) or not 0 <= number <= 100:
        raise UsageError(f"--metric {text}: should be like accuracy=78.22, in percent")
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
    different = 0 if uploaded == expected else _count_differences(uploaded, expected)
    if different:
        raise IdentityError(
            f"{submission}: is not made of the predictions beside it ({different} of "
            f"{len(predictions)} differ)"
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
