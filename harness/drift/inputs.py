"""Whether two runs gave the model the same inputs, sample by sample."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.drift.environment import changed_plugins
from harness.errors import DataError
from harness.records.fingerprints import PARTS
from harness.records.record import ResultRecord
from harness.records.stored import StoredResult

FIRST = {"images": "images, as prepared for the model", "texts": "tokens of the texts"}
NAMED = 3  # samples that a sentence names


class InputChanges(NamedTuple):
    """The ids of samples whose inputs differ, by what differs.

    files   other image files, which show other pixels
    pixels  the same image files, prepared otherwise
    texts   other texts
    """

    files: list[int | str]
    pixels: list[int | str]
    texts: list[int | str]


def changed_inputs(before: StoredResult, after: StoredResult) -> InputChanges | None:
    """Return the samples whose inputs differ; None if a result has no fingerprints of them.

    An image file of other bytes that shows the same pixels, as another PNG encoder writes it, is
    the same input.
    """
    try:
        old, new = before.sample_scores, after.sample_scores
    except DataError:
        return None
    if old.inputs is None or new.inputs is None or list(old.ids) != list(new.ids):
        return None
    files, pixels, texts = (_differing(old.inputs, new.inputs, part) for part in PARTS)

    def ids(mask: NDArray[np.bool_]) -> list[int | str]:
        return [old.ids[index] for index in np.flatnonzero(mask).tolist()]

    return InputChanges(ids(files & pixels), ids(~files & pixels), ids(texts))


def describe_inputs(before: StoredResult, after: StoredResult) -> str:
    """Say whether the model was given other inputs: of every sample, and tokens of the first."""
    first = _first_kinds(before.record, after.record)
    changes = changed_inputs(before, after)
    if changes is None and not first:
        return "whether the inputs changed is unknown: a record has no fingerprint of them"
    if changed := list(_describe_changes(before, after, changes)):
        return f"inputs changed: {'; '.join(changed)}"
    samples = after.record.inputs.get("samples")
    if changes is None:
        names = " and ".join(FIRST[kind] for kind in first)
        return f"inputs did not change ({names}, of the first {samples} samples)"
    tokens = f"; tokens of the first {samples}" if "texts" in first else ""
    return f"inputs did not change (images and texts of all {after.record.n} samples{tokens})"


def describe_cause(before: StoredResult, after: StoredResult) -> str:
    """Say what else changed where predictions changed that were due to be the same."""
    if changed := list(_describe_changes(before, after, changed_inputs(before, after))):
        return f"and so did inputs: {'; '.join(changed)}"
    unchanged = "although nothing that is recorded and that they depend on did"
    old, new = before.record.software, after.record.software
    code = ["the code"] if old.get("code") != new.get("code") else []
    code += [f"the code of {plugin}" for plugin in changed_plugins(before.record, after.record)]
    return f"{unchanged}, but for {' and '.join(code)}" if code else unchanged


def _describe_changes(
    before: StoredResult, after: StoredResult, changes: InputChanges | None
) -> Iterator[str]:
    first = [
        kind
        for kind in _first_kinds(before.record, after.record)
        if before.record.inputs.get(kind) != after.record.inputs.get(kind)
    ]
    if changes is not None and changes.files:
        yield f"image files of {_named(changes.files)}"
    if changes is not None and changes.pixels:
        yield f"{FIRST['images']}, of {_named(changes.pixels)}"
    if changes is not None and changes.texts:
        yield f"texts of {_named(changes.texts)}"
    if "images" in first and (changes is None or not (changes.files or changes.pixels)):
        yield FIRST["images"]
    if "texts" in first and (changes is None or not changes.texts):
        yield FIRST["texts"]


def _first_kinds(before: ResultRecord, after: ResultRecord) -> list[str]:
    """Return the kinds of inputs that both records have a fingerprint of, of the first samples."""
    if not all(record.inputs.get("images") for record in (before, after)):
        return []
    return [kind for kind in FIRST if before.inputs.get(kind) or after.inputs.get(kind)]


def _differing(old: NDArray[np.uint32], new: NDArray[np.uint32], part: str) -> NDArray[np.bool_]:
    """Return a mask of the samples whose part differs, where both runs know it."""
    column = PARTS.index(part)
    known = old.any(axis=1) & new.any(axis=1)
    return np.asarray(known & (old[:, column] != new[:, column]))


def _named(ids: list[int | str]) -> str:
    names = ", ".join(map(repr, ids[:NAMED])) + (", ..." if len(ids) > NAMED else "")
    return f"{len(ids)} sample{'s' if len(ids) > 1 else ''} ({names})"
