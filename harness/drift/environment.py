"""Differences of two runs other than their predictions: software, settings, weights, data."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.records.record import ResultRecord

CHECKPOINT_LABELS = ("name", "registered", "file")  # keys that do not determine the weights
NOT_COMPUTING = ("xvlm-eval", "commit", "python")  # software that computes no prediction
INPUT_KINDS = {"images": "images, as prepared for the model", "texts": "tokens of the texts"}


class Difference(NamedTuple):
    """A property in which two runs differ, and its values."""

    name: str
    before: Any
    after: Any


def environment_diff(before: ResultRecord, after: ResultRecord) -> list[Difference]:
    """Return all differences but the predictions: software first, then settings and inputs."""
    old, new = dict(_properties(before)), dict(_properties(after))
    return [
        Difference(name, old.get(name), new.get(name))
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]


def fingerprint_diff(before: ResultRecord, after: ResultRecord) -> list[Difference]:
    """Return the differences that may change a prediction: without any, the same ones are due.

    These are weights, data, protocol, task version, packages, device, precision, processor and
    batch size. A processor or batch size that neither record knows counts as a difference.
    """
    harmless = {"checkpoint", *NOT_COMPUTING, "inputs.images", "inputs.texts"}
    differences = environment_diff(before, after)
    unknown = [
        name
        for name in ("processor", "batch_size")
        if name not in before.software and name not in after.software
    ]
    return [
        *(difference for difference in differences if difference.name not in harmless),
        *(Difference(name, None, None) for name in unknown),
    ]


def same_model_and_data(before: ResultRecord, after: ResultRecord) -> bool:
    """Whether weights, data, protocol and task version are the same, whatever computed them."""
    return not any(
        difference.name.startswith(("weights.", "data", "protocol", "task version"))
        for difference in environment_diff(before, after)
    )


def describe_inputs(before: ResultRecord, after: ResultRecord) -> str:
    """Say whether the model was given other inputs, by the fingerprints of the first samples."""
    kinds = [kind for kind in INPUT_KINDS if before.inputs.get(kind) or after.inputs.get(kind)]
    if not kinds or not all(record.inputs.get("images") for record in (before, after)):
        return "whether the inputs changed is unknown: a record has no fingerprint of them"
    if changed := [kind for kind in kinds if before.inputs.get(kind) != after.inputs.get(kind)]:
        return f"inputs changed: {' and '.join(INPUT_KINDS[kind] for kind in changed)}"
    names = " and ".join(INPUT_KINDS[kind] for kind in kinds)
    return f"inputs did not change ({names}, of the first {after.inputs.get('samples')} samples)"


def _properties(record: ResultRecord) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of all that determined a result, in the order of their interest."""
    yield from record.software.items()
    yield from sorted(record.settings.items())
    yield from ((f"inputs.{name}", record.inputs.get(name)) for name in INPUT_KINDS)
    yield "checkpoint", record.checkpoint.get("name")
    yield from (
        (f"weights.{name}", value)
        for name, value in record.checkpoint.items()
        if name not in CHECKPOINT_LABELS
    )
    yield from (("data", record.data.get("name")), ("data.sha256", record.data.get("sha256")))
    yield from (("protocol", record.protocol), ("task version", record.task_version))
    yield "batch_size_halved_to", record.predictions.get("batch_size_halved_to")
