"""Score stored predictions, ours or in a benchmark's own format, without a model or torch."""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.callbacks import no_progress
from harness.data.published import split_deviations
from harness.data.resolve import DataSource
from harness.errors import DataError, UsageError
from harness.files.kinds import BYTE_ORDER_MARK, HEAD_BYTES, read_head
from harness.formats.own.folder import is_own
from harness.formats.same_files import are_files_of
from harness.formats.submissions import match_predictions
from harness.records.prediction_lines import ANY_HEAD
from harness.records.stored_predictions import StoredPredictions, read_predictions
from harness.registry import find_split, find_task
from harness.running.skipped import with_fallbacks
from harness.task import (
    Prediction,
    Sample,
    SampleId,
    Scores,
    Task,
    load_samples,
    without_garbage_collection,
)


class Scored(NamedTuple):
    """The scores of stored predictions: of which task, split and data, and of how many samples.

    file         the scored file
    stored       its content if it is a prediction file of `run`, else None
    predictions  by sample id; None where the file's format holds none of a single sample
    definition   the task itself, which need not be registered
    deviations   how the split differs from the published one
    """

    task: str
    split: str
    n: int
    data: str
    scores: Scores
    file: Path
    samples: Sequence[Sample]
    stored: StoredPredictions | None
    predictions: Mapping[SampleId, Prediction] | None
    files: Mapping[str, str]
    definition: Task
    deviations: Sequence[str]

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
            **({"caveats": list(scores.caveats)} if scores.caveats else {}),
            **({"deviations": list(self.deviations)} if self.deviations else {}),
        }


def score_file(task_name: str, split_name: str, predictions: Path, *, source: DataSource) -> Scored:
    """Score a file of predictions against the annotations of a split; images are not needed.

    Raises UsageError for unknown names and hidden truths, DataError for a file that does not hold
    exactly one prediction for every sample.
    """
    return score_predictions(find_task(task_name), split_name, predictions, source=source)


@without_garbage_collection()
def score_predictions(
    task: Task,
    split_name: str,
    file: Path,
    *,
    source: DataSource,
    read: Callable[[Sequence[Sample]], Mapping[SampleId, Prediction]] | None = None,
) -> Scored:
    """Score the predictions of a file, as `score_file`, or those that `read` makes of it."""
    split = find_split(task, split_name)
    if split in task.hidden:
        raise UsageError(
            f"the truths of {task.name} {split} are hidden: upload the submission file to "
            f"{task.server}"
        )
    data = source.open({task.name: [split]}, progress=no_progress)
    samples = load_samples(task, data, split)
    files = data.fingerprint(task.files(split))
    stored: StoredPredictions | None = None
    by_id: Mapping[SampleId, Prediction] | None
    if read is not None:
        by_id = read(samples)
        scores = task.score(samples, by_id)
    elif _is_ours(file):
        stored = _read_ours(task, split, file)
        ids = [sample.id for sample in samples]
        by_id = match_predictions(file, stored.predictions.items(), ids)
        scores = task.score(samples, with_fallbacks(task, samples, by_id))
        origin = _origin_caveats(stored.identity, task, files)
        scores = replace(scores, caveats=[*scores.caveats, *origin])
    else:
        by_id = task.official_predictions(samples, file)
        scores = task.score_official(samples, file) if by_id is None else task.score(samples, by_id)
    return Scored(
        task=task.name,
        split=split,
        n=len(samples),
        data=data.name,
        scores=scores,
        file=file,
        samples=samples,
        stored=stored,
        predictions=by_id,
        files=files,
        definition=task,
        deviations=split_deviations(task, data, split, samples),
    )


def _origin_caveats(identity: Mapping[str, Any], task: Task, files: Mapping[str, str]) -> list[str]:
    """Return a sentence for each difference of a run from the data and task that now score it.

    `identity` is that of the run, `files` are the digests of today's annotation files, by path.
    """
    caveats = []
    made_on = _as_mapping(identity.get("data"))
    before = _as_mapping(made_on.get("files"))
    if made_on.get("sha256") is not None and not are_files_of(made_on, files):
        names = sorted(name for name in {**before, **files} if before.get(name) != files.get(name))
        flag = "--annotations" if is_own(task.name) else "--data"
        caveats.append(
            "the predictions were made on other annotation files than those that score them here "
            f"({', '.join(names)}); name their own by {flag}"
        )
    version = identity.get("task_version")
    if version not in (None, task.version):
        caveats.append(
            f"the predictions were made by version {version} of {task.name}, and are scored by "
            f"version {task.version}"
        )
    return caveats


def _as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def to_json(scored: Scored) -> str:
    """Return scores as JSON text, at full precision."""
    return json.dumps(scored.as_json(), indent=1, ensure_ascii=False, allow_nan=False)


def _is_ours(path: Path) -> bool:
    """Return whether a file, decompressed if it is gzip, is a prediction file of `run`.

    Raises DataError for no file at all.
    """
    if not path.is_file() and not path.exists() and not path.is_symlink():
        raise DataError(f"{path}: no such file of predictions")
    head = read_head(path)
    with suppress(OSError, EOFError, zlib.error):  # a damaged one: its reader says so
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path) as file:
                head = file.read(HEAD_BYTES)
    return ANY_HEAD.match(head.removeprefix(BYTE_ORDER_MARK)) is not None


def _read_ours(task: Task, split: str, path: Path) -> StoredPredictions:
    stored = read_predictions(path)
    name, its_split = stored.identity.get("task"), stored.identity.get("split")
    if (name, its_split) != (task.name, split):
        raise UsageError(
            f"{path}: holds predictions of {name} {its_split}, not of {task.name} {split}"
        )
    return stored
