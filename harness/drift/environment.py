"""In what two runs of a task differ beside their predictions: what they were computed with and of, and what the model was given."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.records.record import ResultRecord

NAMES_ONLY = ("name", "registered", "file")  # of a checkpoint: what it is called, not what it is
PLACE_ONLY = (
    "xvlm-eval",
    "commit",
    "python",
)  # of the software: not what predictions are computed by


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
    found = [
        difference for difference in environment(before, after) if difference.name not in ignored
    ]
    unnoted = [
        name
        for name in ("processor", "batch_size")
        if name not in before.software and name not in after.software
    ]
    return [*found, *(Difference(name, None, None) for name in unnoted)]


def inputs_changed(before: ResultRecord, after: ResultRecord) -> str:
    """Say whether the model was given something else: the first images as it prepares them, and the tokens of the first texts."""
    kinds = [
        kind for kind in ("images", "texts") if before.inputs.get(kind) or after.inputs.get(kind)
    ]
    if not kinds or not all(record.inputs.get("images") for record in (before, after)):
        return "whether the inputs changed is not known: a record has no fingerprint of them"
    changed = [kind for kind in kinds if before.inputs.get(kind) != after.inputs.get(kind)]
    said = {"images": "images, as prepared for the model", "texts": "tokens of the texts"}
    if changed:
        return f"inputs changed: {' and '.join(said[kind] for kind in changed)}"
    return f"inputs did not change ({' and '.join(said[kind] for kind in kinds)}, of the first {after.inputs.get('samples')} samples)"


def _circumstances(record: ResultRecord) -> Iterator[tuple[str, Any]]:
    """Yield what a run was made with and of, by name, in the order in which people want to know it."""
    yield from record.software.items()
    yield from sorted(record.settings.items())
    yield from ((f"inputs.{name}", record.inputs.get(name)) for name in ("images", "texts"))
    yield "checkpoint", record.checkpoint.get("name")
    yield from (
        (f"weights.{name}", value)
        for name, value in record.checkpoint.items()
        if name not in NAMES_ONLY
    )
    yield from (("data", record.data.get("name")), ("data.sha256", record.data.get("sha256")))
    yield from (("protocol", record.protocol), ("task version", record.task_version))
    yield "batch_size_halved_to", record.predictions.get("batch_size_halved_to")
