"""Which result a new one is compared with, and why it cannot be."""

from collections.abc import Sequence

from harness.checkpoints import normalise_name
from harness.errors import DataError
from harness.records.record import ResultRecord
from harness.records.stored import Result, Results


def baseline_of(result: Result, baselines: Results, *, checkpoint: str | None) -> Result:
    """Return the baseline of a result. A file given by path may have any name: it is never taken for an entry of checkpoints.yaml.

    Raises DataError where there is none, or it was measured otherwise: by another protocol, on other data, on a part of the split.
    """
    record = result.record
    there = [
        base
        for base in baselines.found
        if base.record.task == record.task and base.record.split == record.split
    ]
    own = [base for base in there if _is_of(base.record, record, checkpoint)]
    candidates = [base for base in own if base.record.subset == record.subset] or own
    if len(candidates) != 1:
        raise DataError(_no_baseline(result, baselines, there))
    (base,) = candidates
    if record.subset != base.record.subset:
        kinds = [
            f"{part.limit} of {part.total} samples" if part else "the whole split"
            for part in (record.subset, base.record.subset)
        ]
        raise DataError(f"another part of the split: {kinds[0]}, the baseline {kinds[1]}")
    for name, is_now, was in (
        ("protocol", record.protocol, base.record.protocol),
        ("data", record.data.get("sha256"), base.record.data.get("sha256")),
        ("data", record.data["name"], base.record.data["name"]),
        ("number of samples", record.n, base.record.n),
        (
            "number of samples left out, as their images cannot be read",
            _left_out(record),
            _left_out(base.record),
        ),
    ):
        if is_now != was:
            raise DataError(f"another {name}: {is_now}, the baseline {was}")
    return base


def _left_out(record: ResultRecord) -> int:
    return len(record.predictions.get("skipped", ()))


def _is_of(base: ResultRecord, record: ResultRecord, checkpoint: str | None) -> bool:
    """Whether a baseline is of the checkpoint that was named, or of the record's own where none was."""
    if checkpoint is not None:
        return normalise_name(base.checkpoint["name"]) == normalise_name(checkpoint)
    return all(
        base.checkpoint.get(key) == record.checkpoint.get(key) for key in ("name", "registered")
    )


def _no_baseline(result: Result, baselines: Results, there: Sequence[Result]) -> str:
    """Say that there is no baseline, and what there is instead."""
    record = result.record
    if there:
        names = ", ".join(sorted({base.record.checkpoint["name"] for base in there}))
        return f"no baseline of this checkpoint; there is one of {names}: `--checkpoint NAME` compares with it"
    splits = ", ".join(
        sorted({base.record.split for base in baselines.found if base.record.task == record.task})
    )
    return (
        f"no baseline of this split; there is one of {splits}"
        if splits
        else "no baseline of this task"
    )
