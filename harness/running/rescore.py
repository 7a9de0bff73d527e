"""Score stored predictions, ours or in the official result format of a benchmark, without a model and without torch."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.callbacks import no_progress
from harness.data.resolve import resolve_data
from harness.errors import DataError, UsageError
from harness.formats.submissions import match_predictions
from harness.records.prediction_lines import HEAD
from harness.records.predictions import read_predictions
from harness.registry import find_split, find_task
from harness.running.skipped import as_scored
from harness.task import Sample, Scores, Task


class Scored(NamedTuple):
    """What predictions are worth: the task and split, how many samples, which data, and the scores."""

    task: str
    split: str
    n: int
    data: str
    scores: Scores

    def as_json(self) -> Mapping[str, Any]:
        """Return everything in JSON's types, for machines."""
        scores = self.scores
        return {
            "task": self.task,
            "split": self.split,
            "n": self.n,
            "data": self.data,
            "metrics": dict(scores.metrics),
            "intervals": {name: list(interval) for name, interval in scores.intervals.items()},
            "breakdown": {kind: dict(values) for kind, values in scores.breakdown.items()},
            "not_run": dict(scores.not_run),
        }


def score_file(task_name: str, split_name: str, predictions: Path, *, data: str | None) -> Scored:
    """Score a file of predictions against the annotations of a split; images are not needed.

    Raises UsageError for unknown names and hidden truths, DataError for a file that does not hold one prediction for every sample.
    """
    task = find_task(task_name)
    split = find_split(task, split_name)
    if split in task.hidden:
        raise UsageError(
            f"the truths of {task.name} {split} are hidden: upload the submission file to {task.server}"
        )
    folder = resolve_data(data, {task.name: [split]}, progress=no_progress)
    samples = task.load(folder, split)
    if _is_ours(predictions):
        scores = task.score(
            samples, as_scored(task, samples, _ours(task, split, predictions, samples))
        )
    else:
        scores = task.score_official(samples, predictions)
    return Scored(task.name, split, len(samples), folder.name, scores)


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        raise DataError(
            f"{path}: " + ("is not a file" if path.exists() else "no such file of predictions")
        )
    with path.open("rb") as file:
        return file.read(len(HEAD)) == HEAD


def _ours(task: Task, split: str, path: Path, samples: Sequence[Sample]) -> Mapping[Any, Any]:
    stored = read_predictions(path)
    found = {name: stored.identity.get(name) for name in ("task", "split")}
    if found != {"task": task.name, "split": split}:
        raise UsageError(
            f"{path}: holds predictions of {found['task']} {found['split']}, not of {task.name} {split}"
        )
    return match_predictions(path, stored.predictions.items(), [sample.id for sample in samples])


def dumped(scored: Scored) -> str:
    """Return scores as JSON text, at full precision."""
    return json.dumps(scored.as_json(), indent=1, ensure_ascii=False, allow_nan=False)
