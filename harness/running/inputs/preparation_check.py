"""Whether the model prepares images and texts as when the predictions of a resumed run were made.

A model that changed without another version of its code, by another Pillow for example, must not
continue the predictions of the former one.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from harness.capabilities import Model
from harness.errors import IdentityError
from harness.records.fingerprints import from_text
from harness.records.predictions import PredictionFile
from harness.running.inputs.sample_inputs import InputChecksums
from harness.running.loader import load_batches
from harness.running.prepared import apart_of
from harness.task import Sample, Task

NAMED = 3  # samples that a message names
PREPARED = 8  # samples whose images are prepared again when a run is continued
REMEDY = (
    "its code or a package that it uses changed: take the former one, choose another --out, or "
    "predict anew with --fresh"
)


def check_preparation(
    task: Task,
    model: Model,
    samples: Sequence[Sample],
    file: PredictionFile,
    *,
    inputs: Mapping[str, Any],
) -> None:
    """Raise IdentityError where the model reads the same inputs otherwise than for a file.

    Prepares the images of its first samples, and compares their `inputs`, the fingerprint of
    tokens, with that in the file.
    """
    if not file.fingerprints:
        return
    known = list(islice((s for s in samples if s.id in file.fingerprints), PREPARED))
    _check_prepared(task, model, known, file)
    before, now = file.inputs.get("texts"), inputs.get("texts")
    if known and before and now and before != now:
        raise IdentityError(
            f"{file.path}: the model reads other tokens from the same texts than when its "
            f"predictions were made; {REMEDY}"
        )


def _check_prepared(
    task: Task, model: Model, samples: Sequence[Sample], file: PredictionFile
) -> None:
    """Raise IdentityError where the model prepares the images of these samples otherwise."""
    now, some = InputChecksums(), [samples] if samples else []
    collate = apart_of(model)
    for _ in load_batches(some, model.prepare, workers=1, collate=collate, note=now.add):
        pass
    prepared = now.of(task, samples)
    changed = []
    for id, text in prepared.items():
        after, before = from_text(text), from_text(file.fingerprints[id])
        # Another file is reported as such: see `file_check`.
        if after.files == before.files and after.pixels != before.pixels:
            changed.append(id)
    if changed:
        raise IdentityError(
            f"{file.path}: the model prepares the images of samples "
            f"{', '.join(map(repr, changed[:NAMED]))} otherwise than when their predictions were "
            f"made, although the files are the same; {REMEDY}"
        )
