"""The baseline that a result is compared with, or the reason why there is none."""

from collections.abc import Sequence

from harness.checkpoints import normalise_name
from harness.drift.environment import same_annotations
from harness.errors import DataError
from harness.records.record import ResultRecord, Subset
from harness.records.stored import StoredResult, StoredResults


def find_baseline(
    result: StoredResult, baselines: StoredResults, *, checkpoint: str | None
) -> StoredResult:
    """Return the baseline of a result: of its own checkpoint, or of the one named `checkpoint`.

    A file given by path is never taken for an entry of checkpoints.yaml, whatever its name. Raises
    DataError if there is no baseline, if several could be meant, and if its protocol, data, part of
    the split, or number of evaluated samples differ.
    """
    record = result.record
    candidates = candidate_baselines(result, baselines, checkpoint=checkpoint)
    if len(folders := {base.folder for base in candidates}) > 1:
        raise DataError(
            f"several folders have a baseline of it: {', '.join(sorted(folders))}; "
            "name one of them with --baseline"
        )
    if not candidates:
        raise DataError(_describe_absence(result, baselines, _of_same_split(record, baselines)))
    if len(candidates) > 1:
        raise DataError(_describe_ambiguity(record, candidates))
    (base,) = candidates
    if difference := describe_other_measurement(record, base.record):
        raise DataError(difference)
    return base


def candidate_baselines(
    result: StoredResult, baselines: StoredResults, *, checkpoint: str | None
) -> list[StoredResult]:
    """Return the results that could be the baseline of one, by checkpoint, task and split.

    They are those of the same part of the split, if there are any.
    """
    record = result.record
    same_split = _of_same_split(record, baselines)
    own = [base for base in same_split if _is_of(base.record, record, checkpoint)]
    return [base for base in own if base.record.subset == record.subset] or own


def _of_same_split(record: ResultRecord, baselines: StoredResults) -> list[StoredResult]:
    return [
        base
        for base in baselines.results
        if base.record.task == record.task and base.record.split == record.split
    ]


def is_named(record: ResultRecord, checkpoint: str) -> bool:
    """Return whether a record is of the checkpoint of a name; case, `_` and `-` do not matter."""
    return normalise_name(record.checkpoint["name"]) == normalise_name(checkpoint)


def describe_other_measurement(
    record: ResultRecord, base: ResultRecord, *, title: str = "the baseline"
) -> str | None:
    """Return the first difference in what two records measured, None if it is the same."""
    if record.subset != base.subset:
        return (
            f"another part of the split: {_describe_part(record.subset)}, "
            f"{title} {_describe_part(base.subset)}"
        )
    for name, current, before in (
        ("protocol", record.protocol, base.protocol),
        ("data", *_contents(record, base)),
        ("data", record.data["name"], base.data["name"]),
        ("number of samples", record.n, base.n),
        ("number of samples skipped for unreadable images", _skipped(record), _skipped(base)),
    ):
        if current != before:
            return f"another {name}: {current}, {title} {before}"
    return None


def _contents(record: ResultRecord, base: ResultRecord) -> tuple[object, object]:
    """Return the SHA-256 of the data of both; of the same content at other paths, one for both."""
    before = base.data.get("sha256")
    return (before if same_annotations(base, record) else record.data.get("sha256"), before)


def _describe_part(subset: Subset | None) -> str:
    return f"{subset.limit} of {subset.total} samples" if subset else "the whole split"


def _skipped(record: ResultRecord) -> int:
    return len(record.predictions.get("skipped", ()))


def _is_of(base: ResultRecord, record: ResultRecord, checkpoint: str | None) -> bool:
    """Return whether a baseline is of the named checkpoint, or for None of the record's own."""
    if checkpoint is not None:
        return is_named(base, checkpoint)
    return all(
        base.checkpoint.get(key) == record.checkpoint.get(key) for key in ("name", "registered")
    )


def _describe_ambiguity(record: ResultRecord, candidates: Sequence[StoredResult]) -> str:
    """Say which of several baselines in one folder could be meant."""
    paths = ", ".join(sorted(str(base.path) for base in candidates))
    if candidates[0].record.subset == record.subset:  # `--checkpoint` ignores case, `_` and `-`
        return f"several baselines have the name of this checkpoint: {paths}; rename all but one"
    parts = " and ".join(_describe_part(base.record.subset) for base in candidates)
    return f"another part of the split: {_describe_part(record.subset)}, the baselines {parts}"


def _describe_absence(
    result: StoredResult, baselines: StoredResults, same_split: Sequence[StoredResult]
) -> str:
    """Say that a result has no baseline, and name similar ones."""
    if same_split:
        names = ", ".join(sorted({base.record.checkpoint["name"] for base in same_split}))
        return (
            f"no baseline of this checkpoint; there is one of {names}: "
            "`--checkpoint NAME` compares with it"
        )
    task = result.record.task
    splits = sorted({base.record.split for base in baselines.results if base.record.task == task})
    if splits:
        return f"no baseline of this split; there is one of {', '.join(splits)}"
    return "no baseline of this task"
