"""Hugging Face's `.eval_results/*.yaml`: one file for each result, to be added to a model's repo.

Format: https://huggingface.co/docs/hub/eval-results. A leaderboard is named by the id of a data set
on the hub and by a task id in the data set's `eval.yaml`; both can be given.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from harness.errors import DataError, UsageError
from harness.export.publication import DIGITS, WIDEST, Source, notes
from harness.records.record import ResultRecord
from harness.registry import known_task

FOLDER = ".eval_results"


class EvalResults(NamedTuple):
    """The files by name, and a sentence about each result that has no data set on the hub."""

    files: Mapping[str, str]
    left_out: Sequence[str]


def eval_results(
    records: Sequence[ResultRecord],
    *,
    source: Source,
    dataset: str | None = None,
    task_id: str | None = None,
) -> EvalResults:
    """Return a file for each result, with its primary metric.

    dataset  id of the data set; by default that of the task's copy on the hub
    task_id  by default `<task>.<split>`

    Raises UsageError for one `dataset` for several benchmarks or one `task_id` for several results,
    DataError where no result has a data set on the hub.
    """
    if dataset and len({record.task for record in records}) > 1:
        raise UsageError("--dataset names the data set of one benchmark; choose it by --task")
    if task_id and len(records) > 1:
        raise UsageError("--task-id names one result; choose it by --task and --split")
    files: dict[str, str] = {}
    left_out = []
    for record in records:
        task = known_task(record.task)
        hub = task.dataset.hub if task else None
        if id := dataset or (hub.repository if hub else None):
            entry = _entry(record, source, id, task_id or f"{record.task}.{record.split}")
            files[f"{FOLDER}/{record.task}.{record.split}.yaml"] = yaml.safe_dump(
                [entry], sort_keys=False, allow_unicode=True, width=WIDEST
            )
        else:
            left_out.append(
                f"{record.task} {record.split}: no data set of Hugging Face's hub is known for it; "
                "name one by --dataset OWNER/NAME"
            )
    if not files:
        raise DataError("\n  ".join(["there is no result to publish:", *left_out]))
    return EvalResults(files, left_out)


def _entry(record: ResultRecord, source: Source, dataset: str, task_id: str) -> dict[str, Any]:
    task = known_task(record.task)
    first = next(iter(record.metrics))
    metric = task.primary if task and task.primary in record.metrics else first
    entry: dict[str, Any] = {
        "dataset": {"id": dataset, "task_id": task_id},
        "value": round(record.metrics[metric], DIGITS),
    }
    if source.date:
        entry["date"] = source.date
    if stated := source.as_json():
        entry["source"] = stated
    return {**entry, "notes": notes(record, metric)}
