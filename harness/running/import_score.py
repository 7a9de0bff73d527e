"""Numbers that only a server can give: taken into the results with their receipt.

VQA's test answers are hidden. `run` writes what to upload; the number that comes back is written down beside the run that it belongs to,
with the hash of the uploaded file, the date and the page of the submission.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from harness.checkpoints import find_entry
from harness.errors import IdentityError, UsageError
from harness.files.parsing import Item, is_number, items, read_json
from harness.formats.folder import sha256_of
from harness.records.predictions import read_predictions
from harness.records.record import SCHEMA, ResultRecord, write_record
from harness.registry import find_split, find_task

SUFFIX = ".submission.json"


def import_score(
    task_name: str,
    split_name: str,
    submission: Path,
    *,
    metrics: Sequence[str],
    url: str,
    date: str,
) -> Path:
    """Write the record of a submission, and return where it lies: beside the submission and the predictions it was made of.

    `metrics` are `name=value`. Raises UsageError for what is no number, date or address, IdentityError where the predictions beside the
    file are not those that it holds.
    """
    task = find_task(task_name)
    split = find_split(task, split_name)
    if split not in task.hidden:
        raise UsageError(
            f"the truths of {task.name} {split} are not hidden: `xvlm-eval run` scores them itself"
        )
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date) or not re.match(r"https?://", url):
        raise UsageError(
            f"--date should be like 2026-01-31 and --url an address, but they are {date!r} and {url!r}"
        )
    if not submission.name.endswith(SUFFIX):
        raise UsageError(
            f"{submission}: is no submission that `run` wrote ({task.name}.{split}{SUFFIX})"
        )
    predictions = submission.with_name(submission.name.removesuffix(SUFFIX) + ".predictions.jsonl")
    stored = read_predictions(predictions)
    identity = Item(stored.identity, str(predictions))
    if (identity.get("task", str), identity.get("split", str)) != (
        task.name,
        split,
    ) or identity.value.get("subset") is not None:
        raise IdentityError(f"{predictions}: is not a whole run of {task.name} {split}")
    _check_same(submission, dict(stored.predictions))
    name = submission.parent.name
    record = ResultRecord(
        schema=SCHEMA,
        task=task.name,
        task_version=identity.get("task_version", int),
        split=split,
        n=identity.get("n", int),
        subset=None,
        protocol=identity.get("protocol", str),
        metrics=dict(map(_metric, metrics)),
        intervals={},
        breakdown={},
        not_run={},
        checkpoint={
            "name": name,
            "registered": find_entry(name) is not None,
            **identity.get("checkpoint", dict),
        },
        data=identity.get("data", dict),
        settings=identity.get("settings", dict),
        predictions={
            "file": predictions.name,
            "sha256": sha256_of(predictions),
            "receipt": {"submission_sha256": sha256_of(submission), "date": date, "url": url},
        },
        software=identity.get("software", dict),
        inputs=stored.inputs,
    )
    path = submission.with_name(f"{task.name}.{split}.json")
    write_record(path, record)
    return path


def _metric(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not name or not is_number(number) or not 0 <= number <= 100:
        raise UsageError(f"--metric {text}: should be like accuracy=78.22, in percent")
    return name, number


def _check_same(submission: Path, predictions: dict[object, object]) -> None:
    uploaded = {
        entry.get("question_id", int): entry.get("answer", str)
        for entry in items(read_json(submission), str(submission))
    }
    if uploaded != predictions:
        different = sum(uploaded.get(id) != answer for id, answer in predictions.items())  # type: ignore[call-overload]
        raise IdentityError(
            f"{submission}: is not made of the predictions beside it ({different} of {len(predictions)} differ)"
        )
