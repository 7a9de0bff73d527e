"""Which samples two runs of a task predict differently, the most important first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.errors import DataError
from harness.records.stored import Result

# Numbers this close, absolutely or relative to their size, are the same prediction: float32 has seven digits, and the order of a sum, which
# batches, processors and any rewriting of the code change, moves the last of them.
LAST_DIGITS = 1e-5


class Moved(NamedTuple):
    """The samples that are predicted differently, by place, and those of which only the last digits of numbers moved."""

    changed: Sequence[int]
    last_digits: Sequence[int]


def moved(before: Result, after: Result) -> Moved:
    """Return which predictions changed. Where one side kept none, last digits cannot be told from other changes.

    Raises DataError where a side kept no contributions, or the samples are others.
    """
    if before.record.predictions.get("sha256") == after.record.predictions.get("sha256"):
        return Moved([], [])
    old, new = before.contributions, after.contributions
    if list(old.ids) != list(new.ids):
        raise DataError(f"{after.path}: is about other samples than {before.path}")
    found = Moved([], [])
    for place in (old.digests != new.digests).nonzero()[0].tolist():
        id = old.ids[place]
        close = (
            before.predictions is not None
            and after.predictions is not None
            and alike(before.predictions[id], after.predictions[id])
        )
        (found.last_digits if close else found.changed).append(place)  # type: ignore[attr-defined]
    return found


def alike(before: Any, after: Any) -> bool:
    """Whether two predictions say the same: the same words, verdicts and choices, and numbers that differ in their last digits only."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(
            alike(before[name], after[name]) for name in before
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(alike, before, after))
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=LAST_DIGITS, abs_tol=LAST_DIGITS)
    return type(before) is type(after) and bool(before == after)


@dataclass(frozen=True)
class Change:
    """A sample that is predicted differently: what it got by the first measure that moved, and the predictions, None where not kept."""

    id: int | str
    measure: str
    before: float | None
    after: float | None
    predicted_before: Any
    predicted_after: Any


def changed_samples(before: Result, after: Result) -> list[Change]:
    """Return the samples that are predicted or scored differently, the most important first.

    What got worse comes before what got better, each by how much; by the second measure of a task (such as the IoU) where the first one
    stayed; last what changed without effect. Raises DataError where a run kept no contributions, or the samples are others.
    """
    changed = set(moved(before, after).changed)
    old, new = before.contributions, after.contributions
    said = [result.predictions or {} for result in (before, after)]
    measures = [name for name in old.by_sample if name in new.by_sample]
    found = []
    for place, id in enumerate(old.ids):
        values = [
            (name, float(old.by_sample[name][place]), float(new.by_sample[name][place]))
            for name in measures
        ]
        rank = next(
            (
                rank
                for rank, (_, was, is_now) in enumerate(values)
                if abs(is_now - was) > 100 * LAST_DIGITS
            ),
            None,
        )
        if rank is None and place not in changed:
            continue
        measure, was, is_now = ("", None, None) if rank is None else values[rank]
        change = Change(id, measure, was, is_now, said[0].get(id), said[1].get(id))
        found.append((_importance(change, len(measures) if rank is None else rank), change))
    return [change for _, change in sorted(found, key=lambda entry: entry[0])]


def _importance(change: Change, rank: int) -> tuple[float, ...]:
    """Return a sorting key: what the first measures tell first, losses before gains, the largest first."""
    if change.before is None or change.after is None:
        return (rank, 0, -_distance(change.predicted_before, change.predicted_after))
    moved = change.after - change.before
    return (rank, moved > 0, -abs(moved))


def _distance(before: Any, after: Any) -> float:
    """Return how far two predictions are apart: the largest difference of their numbers, infinite where they are not alike."""
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        return max((_distance(before[name], after[name]) for name in before), default=0.0)
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return max(map(_distance, before, after), default=0.0)
    if (
        isinstance(before, float | int)
        and isinstance(after, float | int)
        and not isinstance(before, bool)
    ):
        return abs(after - before)
    return 0.0 if before == after else float("inf")


def shown(prediction: Any, other: Any = None) -> str:
    """Return a prediction as people read it; of many numbers, the one that is farthest from `other`."""
    if prediction is None:
        return "(not kept)"
    if isinstance(prediction, Mapping):
        return "; ".join(
            f"{name} {shown(value, _part(other, name))}" for name, value in prediction.items()
        )
    if isinstance(prediction, list) and len(prediction) > 4:
        if not isinstance(other, list) or len(other) != len(prediction):
            return f"{len(prediction)} numbers"
        apart: Sequence[float] = [
            _distance(mine, yours) for mine, yours in zip(prediction, other, strict=True)
        ]
        place = max(range(len(apart)), key=apart.__getitem__)
        return f"[{place}] {shown(prediction[place])}"
    if isinstance(prediction, list):
        return ", ".join(map(shown, prediction))
    return f"{prediction:.6g}" if isinstance(prediction, float) else str(prediction)


def _part(prediction: Any, name: str) -> Any:
    return prediction.get(name) if isinstance(prediction, Mapping) else None
