"""What changed between two results, sample by sample, the most important first; and what else differs, which is often why."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.drift.environment import Difference, environment, inputs_changed
from harness.drift.samples import Change, changed_samples, moved, shown
from harness.errors import MissingError, UsageError
from harness.records.stored import Result, find_results, read_result
from harness.rendering import Row, Table, render, render_json

DIFFERENCES = {"name": "what", "before": "before", "after": "now"}
CHANGES = {
    "id": "sample", "measure": "measure", "before": "before", "after": "now", "old": "predicted before", "new": "predicted now",
}  # fmt: skip


@dataclass(frozen=True)
class Diff:
    """Two results of a task: in what else they differ, whether their inputs did, the metrics that moved, and the samples that changed.

    `last_digits` counts the predictions of which only those moved.
    """

    title: str
    before: Path
    after: Path
    environment: Sequence[Difference]
    inputs: str
    metrics: Sequence[Difference]
    changes: Sequence[Change]
    last_digits: int


def diffs(before: Path, after: Path) -> list[Diff]:
    """Compare two records, or all that two folders of results have in common.

    Raises UsageError where they have nothing in common, DataError where the samples are others or their contributions were not kept.
    """
    found = [_diff(*pair) for pair in _pairs(before, after)]
    if not found:
        raise UsageError(
            f"{before} and {after}: have no result of the same checkpoint, task and split"
        )
    return found


def render_diffs(found: Sequence[Diff], format: str, *, limit: int) -> str:
    """Return differences as text, `terminal`, `md` or `json`, with at most `limit` samples each."""
    if format != "json":
        return "\n\n".join(_as_text(one, format, limit=limit) for one in found)
    content = [
        {
            **asdict(one),
            "before": str(one.before),
            "after": str(one.after),
            "environment": [item._asdict() for item in one.environment],
            "metrics": [item._asdict() for item in one.metrics],
            "changed": len(one.changes),
            "changes": [asdict(change) for change in one.changes[:limit]],
        }
        for one in found
    ]
    return render_json({"diffs": content})


def _pairs(before: Path, after: Path) -> Iterator[tuple[Result, Result]]:
    """Yield what belongs together: two records that were named, or the results of the same checkpoint, task and split (and subset)."""
    for path in (before, after):
        if not path.exists():
            raise MissingError(f"{path}: no such record or folder of results")
    if before.is_dir() and after.is_dir():
        of = {
            result.title: result
            for result in find_results(before).found
            if result.record.subset is None
        }
        for result in find_results(after).found:
            if result.record.subset is None and result.title in of:
                yield of[result.title], result
        return
    if before.is_dir() or after.is_dir():
        raise UsageError(f"{before} and {after}: name two records, or two folders of results")
    pair = read_result(before), read_result(after)
    tasks = [f"{result.record.task} {result.record.split}" for result in pair]
    if tasks[0] != tasks[1]:
        raise UsageError(
            f"{after}: is a result of {tasks[1]}, {before} of {tasks[0]}; only the same task and split have samples in common"
        )
    yield pair


def _diff(before: Result, after: Result) -> Diff:
    was, is_now = before.record.metrics, after.record.metrics
    names = [name for name in dict.fromkeys([*was, *is_now]) if was.get(name) != is_now.get(name)]
    return Diff(
        title=after.title,
        before=before.path,
        after=after.path,
        environment=environment(before.record, after.record),
        inputs=inputs_changed(before.record, after.record),
        metrics=[Difference(name, was.get(name), is_now.get(name)) for name in names],
        changes=changed_samples(before, after),
        last_digits=len(moved(before, after).last_digits),
    )


def _as_text(one: Diff, format: str, *, limit: int) -> str:
    tables = []
    if one.environment:
        tables.append(
            Table(
                "What differs beside the predictions",
                [_as_row(item) for item in one.environment],
                DIFFERENCES,
            )
        )
    if one.metrics:
        tables.append(Table("Metrics", [item._asdict() for item in one.metrics], DIFFERENCES))
    if one.changes:
        count, changed = min(limit, len(one.changes)), len(one.changes)
        title = f"Samples that changed: {f'{count} of ' if count < changed else ''}{changed}, the most important first"
        tables.append(
            Table(title, [_change_row(change) for change in one.changes[:limit]], CHANGES)
        )
    head = f"{one.title}: {one.before} and {one.after}; {one.inputs}" + (
        "" if one.changes else "; no sample changed"
    )
    head += f"; {one.last_digits} predictions moved in their last digits" if one.last_digits else ""
    return "\n\n".join([head, render(tables, format)] if tables else [head])


def _as_row(difference: Difference) -> Row:
    before, after = (
        None if value is None else str(value) for value in (difference.before, difference.after)
    )
    return {"name": difference.name, "before": before, "after": after}


def _change_row(change: Change) -> Row:
    return {
        "id": str(change.id),
        "measure": change.measure or None,
        "before": change.before,
        "after": change.after,
        "old": shown(change.predicted_before, change.predicted_after),
        "new": shown(change.predicted_after, change.predicted_before),
    }
