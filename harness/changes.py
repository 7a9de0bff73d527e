"""What changed between two runs of a task: what they were computed with, what the model was given, and what it says of each sample."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.beside import Result
from harness.errors import DataError
from harness.results import ResultRecord

NAMES_ONLY = ("name", "registered", "file")  # of a checkpoint: what it is called, not what it is
PLACE_ONLY = ("xvlm-eval", "commit", "python")  # of the software: not what predictions are computed by


class Difference(NamedTuple):
    """Something that two runs do not share: its name, and what it was and is."""

    name: str
    before: Any
    after: Any


def environment(before: ResultRecord, after: ResultRecord) -> list[Difference]:
    """Return everything but the predictions in which two runs differ: packages first, then device and precision, inputs, weights, data."""
    sides = [dict(_circumstances(record)) for record in (before, after)]
    names = dict.fromkeys(name for side in sides for name in side)
    values = [(name, sides[0].get(name), sides[1].get(name)) for name in names]
    return [Difference(*value) for value in values if value[1] != value[2]]


def fingerprint(before: ResultRecord, after: ResultRecord) -> list[Difference]:
    """Return the differences that may change a prediction: where there are none, the same predictions are due, to the last digit.

    Those are weights, data, protocol, version of the task, packages, device, precision, processor and batch size. What was not noted counts
    as different.
    """
    ignored = {"checkpoint", *PLACE_ONLY, "inputs.images", "inputs.texts"}
    found = [difference for difference in environment(before, after) if difference.name not in ignored]
    unnoted = [name for name in ("processor", "batch_size") if name not in before.software and name not in after.software]
    return [*found, *(Difference(name, None, None) for name in unnoted)]


def inputs_changed(before: ResultRecord, after: ResultRecord) -> str:
    """Say whether the model was given something else: the first images as it prepares them, and the tokens of the first texts."""
    kinds = [kind for kind in ("images", "texts") if before.inputs.get(kind) or after.inputs.get(kind)]
    if not kinds or not all(record.inputs.get("images") for record in (before, after)):
        return "whether the inputs changed is not known: a record has no fingerprint of them"
    changed = [kind for kind in kinds if before.inputs.get(kind) != after.inputs.get(kind)]
    said = {"images": "images, as prepared for the model", "texts": "tokens of the texts"}
    if changed:
        return f"inputs changed: {' and '.join(said[kind] for kind in changed)}"
    return f"inputs did not change ({' and '.join(said[kind] for kind in kinds)}, of the first {after.inputs.get('samples')} samples)"


def count_changed(before: Result, after: Result) -> int:
    """Return how many samples are predicted differently. Raises DataError where that cannot be told."""
    if before.record.predictions.get("sha256") == after.record.predictions.get("sha256"):
        return 0
    old, new = before.contributions, after.contributions
    if list(old.ids) != list(new.ids):
        raise DataError(f"{after.path}: is about other samples than {before.path}")
    return int((old.digests != new.digests).sum())


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
    count_changed(before, after)
    old, new = before.contributions, after.contributions
    said = [result.predictions or {} for result in (before, after)]
    measures = [name for name in old.by_sample if name in new.by_sample]
    found = []
    for place, id in enumerate(old.ids):
        values = [(name, float(old.by_sample[name][place]), float(new.by_sample[name][place])) for name in measures]
        if old.digests[place] == new.digests[place] and all(was == is_now for _, was, is_now in values):
            continue
        moved = next((rank for rank, (_, was, is_now) in enumerate(values) if was != is_now), None)
        measure, was, is_now = ("", None, None) if moved is None else values[moved]
        change = Change(id, measure, was, is_now, said[0].get(id), said[1].get(id))
        found.append((_importance(change, len(measures) if moved is None else moved), change))
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
    if isinstance(before, float | int) and isinstance(after, float | int) and not isinstance(before, bool):
        return abs(after - before)
    return 0.0 if before == after else float("inf")


def _circumstances(record: ResultRecord) -> Iterator[tuple[str, Any]]:
    """Yield what a run was made with and of, by name, in the order in which people want to know it."""
    yield from record.software.items()
    yield from sorted(record.settings.items())
    yield from ((f"inputs.{name}", record.inputs.get(name)) for name in ("images", "texts"))
    yield "checkpoint", record.checkpoint.get("name")
    yield from ((f"weights.{name}", value) for name, value in record.checkpoint.items() if name not in NAMES_ONLY)
    yield from (("data", record.data.get("name")), ("data.sha256", record.data.get("sha256")))
    yield from (("protocol", record.protocol), ("task version", record.task_version))
    yield "batch_size_halved_to", record.predictions.get("batch_size_halved_to")


def shown(prediction: Any, other: Any = None) -> str:
    """Return a prediction as people read it; of many numbers, the one that is farthest from `other`."""
    if prediction is None:
        return "(not kept)"
    if isinstance(prediction, Mapping):
        return "; ".join(f"{name} {shown(value, _part(other, name))}" for name, value in prediction.items())
    if isinstance(prediction, list) and len(prediction) > 4:
        if not isinstance(other, list) or len(other) != len(prediction):
            return f"{len(prediction)} numbers"
        apart: Sequence[float] = [_distance(mine, yours) for mine, yours in zip(prediction, other, strict=True)]
        place = max(range(len(apart)), key=apart.__getitem__)
        return f"[{place}] {shown(prediction[place])}"
    if isinstance(prediction, list):
        return ", ".join(map(shown, prediction))
    return f"{prediction:.6g}" if isinstance(prediction, float) else str(prediction)


def _part(prediction: Any, name: str) -> Any:
    return prediction.get(name) if isinstance(prediction, Mapping) else None
