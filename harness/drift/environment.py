"""Differences of two runs other than their predictions: software, settings, weights, data."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from harness.formats.same_files import are_files_of
from harness.plugins import MODEL, TASK
from harness.records.integrity import CLOSE
from harness.records.record import ResultRecord

CHECKPOINT_LABELS = ("name", "registered", "file")  # keys that do not determine the weights
# Software that is due to compute the same predictions: what a check of new code is about.
PLUGINS = {TASK: f"{TASK} code", MODEL: f"{MODEL} code"}  # kind -> the property of its source
NOT_COMPUTING = ("xvlm-eval", "commit", "code", "python", *PLUGINS, *PLUGINS.values())
INPUT_KINDS = ("images", "texts")  # of the fingerprint of the first samples


class Difference(NamedTuple):
    """A property in which two runs differ, and its values."""

    name: str
    before: Any
    after: Any


def same_annotations(before: ResultRecord, after: ResultRecord) -> bool:
    """Whether the annotation files of two runs have the same content, wherever they lay.

    A hash that contradicts the files of its own record is that of no file.
    """
    old, new = before.data, after.data
    if old.get("sha256") == new.get("sha256"):
        return True
    return are_files_of(old, new.get("files", {})) and are_files_of(new, old.get("files", {}))


def environment_diff(before: ResultRecord, after: ResultRecord) -> list[Difference]:
    """Return all differences but the predictions: software first, then settings and inputs."""
    old, new = dict(_properties(before)), dict(_properties(after))
    if same_annotations(before, after):
        new["data.sha256"] = old["data.sha256"]
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


def listed_diff(before: ResultRecord, after: ResultRecord) -> list[Difference]:
    """Return the differences that a check lists: all but the names of weights, and the inputs.

    Other code, a commit and a release of Python are listed, though the same predictions stay due;
    so are other intervals and parts of the same predictions.
    """
    shown = {difference.name: difference for difference in fingerprint_diff(before, after)}
    for difference in environment_diff(before, after):
        if difference.name in NOT_COMPUTING:
            shown.setdefault(difference.name, difference)
    return [*shown.values(), *_other_parts(before, after)]


def _other_parts(before: ResultRecord, after: ResultRecord) -> Iterator[Difference]:
    """Yield the numbers beside the metrics in which records of the same predictions differ."""
    if before.predictions.get("sha256") != after.predictions.get("sha256"):
        return
    old, new = dict(_parts(before)), dict(_parts(after))
    for name in filter(new.__contains__, old):
        if not np.allclose(old[name], new[name], rtol=CLOSE, atol=CLOSE):
            yield Difference(name, old[name], new[name])


def _parts(record: ResultRecord) -> Iterator[tuple[str, Any]]:
    yield from ((f"interval of {name}", list(ends)) for name, ends in record.intervals.items())
    for kind, values in record.breakdown.items():
        yield from ((f"{kind} {name}", value) for name, value in values.items())


def changed_plugins(before: ResultRecord, after: ResultRecord) -> list[str]:
    """Name each plugin whose version or source differs: `the model plugin (clip of hfvlm 0.1)`."""
    old, new = before.software, after.software
    return [
        f"the {kind} ({', now '.join(dict.fromkeys(str(side.get(kind)) for side in (old, new)))})"
        for kind, source in PLUGINS.items()
        if any(old.get(name) != new.get(name) for name in (kind, source))
    ]


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
