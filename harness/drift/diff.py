"""The changed samples of two results, the most important first, and their other differences."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.drift.environment import Difference, changed_plugins, environment_diff
from harness.drift.inputs import describe_inputs
from harness.drift.samples import (
    SampleChange,
    changed_samples,
    compare_predictions,
    format_prediction,
)
from harness.errors import MissingError, UsageError, printable
from harness.records.integrity import sound_sample_scores
from harness.records.stored import StoredResult, find_results, read_result
from harness.rendering import Row, Table, render, render_json

DIFFERENCE_COLUMNS = {"name": "what", "before": "before", "after": "now"}
CHANGE_COLUMNS = {
    "id": "sample", "measure": "measure", "before": "before", "after": "now",
    "old": "predicted before", "new": "predicted now",
}  # fmt: skip


@dataclass(frozen=True)
class ResultDiff:
    """Two results of a task: differences of their environments, inputs and metrics, and samples.

    `plugins` names those whose code changed; `last_digits` counts the predictions that differ in
    nothing else.
    """

    title: str
    before: Path
    after: Path
    environment: Sequence[Difference]
    inputs: str
    plugins: Sequence[str]
    metrics: Sequence[Difference]
    changes: Sequence[SampleChange]
    last_digits: int


def diff_results(before: Path, after: Path) -> list[ResultDiff]:
    """Compare two records, or all pairs of results that two folders have in common.

    Raises UsageError if there is no pair, DataError if the samples of a pair differ, have no
    scores, or have scores that contradict their record.
    """
    if diffs := [_diff(*pair) for pair in _pairs(before, after)]:
        return diffs
    raise UsageError(
        f"{before} and {after}: have no result of the same checkpoint, task and split; "
        f"{_remedy(before, after)}"
    )


def render_diffs(diffs: Sequence[ResultDiff], format: str, *, limit: int) -> str:
    """Return diffs as text, `terminal`, `md` or `json`, with at most `limit` samples each."""
    if format != "json":
        return printable("\n\n".join(_render_diff(diff, format, limit=limit) for diff in diffs))
    content = [
        {
            **asdict(diff),
            "before": str(diff.before),
            "after": str(diff.after),
            "environment": [difference._asdict() for difference in diff.environment],
            "metrics": [difference._asdict() for difference in diff.metrics],
            "changed": len(diff.changes),
            "changes": [asdict(change) for change in diff.changes[:limit]],
        }
        for diff in diffs
    ]
    return render_json({"diffs": content})


def _pairs(before: Path, after: Path) -> Iterator[tuple[StoredResult, StoredResult]]:
    """Yield the two named records, or the whole results of equal checkpoint, task and split."""
    for path in (before, after):
        if not path.exists():
            raise MissingError(f"{path}: no such record or folder of results")
    if before.is_dir() and after.is_dir():
        by_title = {result.title: result for result in _whole_results(before)}
        for result in _whole_results(after):
            if result.title in by_title:
                yield by_title[result.title], result
        return
    if before.is_dir() or after.is_dir():
        raise UsageError(f"{before} and {after}: name two records, or two folders of results")
    pair = read_result(before), read_result(after)
    old, new = (f"{result.record.task} {result.record.split}" for result in pair)
    if old != new:
        raise UsageError(
            f"{after}: is a result of {new}, {before} of {old}; "
            "only the same task and split have samples in common"
        )
    yield pair


def _remedy(before: Path, after: Path) -> str:
    """Return what to do about two folders that have no pair of results."""
    folders = [(folder, _whole_results(folder)) for folder in (before, after)]
    for folder, results in folders:
        if not results:
            return f"{folder} has no result of a whole split: name the --out of a `run`"
    old, new = ({(r.record.task, r.record.split): r.path for r in found} for _, found in folders)
    if both := sorted(old.keys() & new.keys()):
        return (
            "to compare those of two checkpoints, name their records: "
            f"`xvlm-eval diff {old[both[0]]} {new[both[0]]}`"
        )
    splits = [", ".join(sorted(f"{task} {split}" for task, split in side)) for side in (old, new)]
    return f"{before} has {splits[0]}, and {after} has {splits[1]}"


def _whole_results(folder: Path) -> list[StoredResult]:
    return [result for result in find_results(folder).results if result.record.subset is None]


def _diff(before: StoredResult, after: StoredResult) -> ResultDiff:
    for result in (before, after):
        sound_sample_scores(result)
    old, new = before.record.metrics, after.record.metrics
    metrics = [
        Difference(name, old.get(name), new.get(name))
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]
    predictions = compare_predictions(before, after)
    return ResultDiff(
        title=after.title,
        before=before.path,
        after=after.path,
        environment=environment_diff(before.record, after.record),
        inputs=describe_inputs(before, after),
        plugins=changed_plugins(before.record, after.record),
        metrics=metrics,
        changes=changed_samples(before, after, predictions),
        last_digits=len(predictions.last_digits),
    )


def _render_diff(diff: ResultDiff, format: str, *, limit: int) -> str:
    tables = []
    if diff.environment:
        rows = [_difference_row(difference) for difference in diff.environment]
        tables.append(Table("What differs beside the predictions", rows, DIFFERENCE_COLUMNS))
    if diff.metrics:
        rows = [difference._asdict() for difference in diff.metrics]
        tables.append(Table("Metrics", rows, DIFFERENCE_COLUMNS))
    if diff.changes:
        rows = [_change_row(change) for change in diff.changes[:limit]]
        changed = len(diff.changes)
        count = f"{len(rows)} of {changed}" if len(rows) < changed else f"{changed}"
        title = f"Samples that changed: {count}, the most important first"
        tables.append(Table(title, rows, CHANGE_COLUMNS))
    head = f"{diff.title}: {diff.before} and {diff.after}; {diff.inputs}"
    if diff.plugins:
        head += f"; the code of {' and '.join(diff.plugins)} changed"
    if not diff.changes:
        head += "; no sample changed"
    if diff.last_digits:
        head += f"; {diff.last_digits} predictions moved in their last digits"
    return "\n\n".join([head, render(tables, format)] if tables else [head])


def _difference_row(difference: Difference) -> Row:
    before, after = (
        None if value is None else str(value) for value in (difference.before, difference.after)
    )
    return {"name": difference.name, "before": before, "after": after}


def _change_row(change: SampleChange) -> Row:
    return {
        "id": str(change.id),
        "measure": change.measure or None,
        "before": change.before,
        "after": change.after,
        "old": format_prediction(change.predicted_before, change.predicted_after),
        "new": format_prediction(change.predicted_after, change.predicted_before),
    }
