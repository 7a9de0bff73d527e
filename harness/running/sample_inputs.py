"""The fingerprint of every sample's inputs, made while they are prepared, compared on resume."""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.capabilities import Model
from harness.errors import IdentityError
from harness.images import Prepared, Region, View, image_file
from harness.records.fingerprints import Fingerprint, checksum, from_text
from harness.records.predictions import PredictionFile
from harness.running.loader import load_batches
from harness.running.prepared import collate_of, contents_of
from harness.task import Sample, SampleId, Task

NAMED = 3  # samples that a message names
PREPARED = 8  # samples whose images are prepared again when a run is continued
REMEDY = (
    "its code or a package that it uses changed: take the former one, choose another --out, or "
    "predict anew with --fresh"
)


class InputChecksums:
    """Checksums of image files and of prepared views, collected by the threads that decode them."""

    def __init__(self) -> None:
        self._files: dict[Path, int] = {}
        self._views: dict[View, int] = {}

    def add(self, prepared: Prepared) -> None:
        """Note the views of one image file, as they were prepared, and its bytes."""
        path = image_file(next(iter(prepared)))
        if path not in self._files:
            self._files[path] = checksum([path.read_bytes()])
        for view, pixels in prepared.items():
            if view not in self._views:
                self._views[view] = checksum(contents_of(pixels))

    def of(self, task: Task, samples: Iterable[Sample]) -> dict[SampleId, str]:
        """Return the fingerprint of each sample whose images were prepared, by its id."""
        return {
            sample.id: Fingerprint(
                _checksum_of_files(sample, self._files),
                checksum(self._views[view].to_bytes(4, "big") for view in sample.images),
                _checksum_of_texts(task, sample),
            ).to_text()
            for sample in samples
            if all(view in self._views for view in sample.images)
        }


def check_inputs(
    task: Task,
    model: Model,
    samples: Sequence[Sample],
    file: PredictionFile,
    *,
    inputs: Mapping[str, Any],
    workers: int,
) -> None:
    """Raise IdentityError where the inputs changed since the predictions of a file were made.

    Reads the image files of all samples that have a prediction, prepares the images of the first
    few, and compares their `inputs`, the fingerprint of tokens, with that in the file.
    """
    known = [sample for sample in samples if sample.id in file.fingerprints]
    _check_files_and_texts(task, known, file, workers=workers)
    _check_prepared(task, model, known[:PREPARED], file)
    before, now = file.inputs.get("texts"), inputs.get("texts")
    if known and before and now and before != now:
        raise IdentityError(
            f"{file.path}: the model reads other tokens from the same texts than when its "
            f"predictions were made; {REMEDY}"
        )


def _check_files_and_texts(
    task: Task, known: Sequence[Sample], file: PredictionFile, *, workers: int
) -> None:
    """Raise IdentityError, naming samples, where image files or texts are others."""
    paths = list({image_file(view): None for sample in known for view in sample.images})
    with ThreadPoolExecutor(max(1, workers)) as reading:
        files = dict(zip(paths, reading.map(_checksum_of_file, paths), strict=True))
    changed: dict[SampleId, str] = {}
    for sample in known:
        before = from_text(file.fingerprints[sample.id])
        if before.texts != _checksum_of_texts(task, sample):
            changed[sample.id] = "texts"
        elif before.files != _checksum_of_files(sample, files):
            changed[sample.id] = ", ".join(dict.fromkeys(image_file(v).name for v in sample.images))
    if changed:
        named = "; ".join(f"{id!r} ({what})" for id, what in list(changed.items())[:NAMED])
        raise IdentityError(
            f"{file.path}: {len(changed)} of its predictions were made from other inputs than "
            f"those of today, of sample {named}{'; ...' if len(changed) > NAMED else ''}; "
            "give these back, or predict anew with --fresh"
        )


def _check_prepared(
    task: Task, model: Model, samples: Sequence[Sample], file: PredictionFile
) -> None:
    """Raise IdentityError where the model prepares the images of these samples otherwise."""
    now, some = InputChecksums(), [samples] if samples else []
    collate = collate_of(model)
    for _ in load_batches(some, model.prepare, workers=1, collate=collate, note=now.add):
        pass
    prepared = now.of(task, samples)
    changed = [
        id
        for id, text in prepared.items()
        if from_text(text).pixels != from_text(file.fingerprints[id]).pixels
    ]
    if changed:
        raise IdentityError(
            f"{file.path}: the model prepares the images of samples "
            f"{', '.join(map(repr, changed[:NAMED]))} otherwise than when their predictions were "
            f"made, although the files are the same; {REMEDY}"
        )


def _checksum_of_file(path: Path) -> int:
    """Return the checksum of a file, 0 where it cannot be read."""
    if not path.is_file():  # opening a pipe would block for ever
        return 0
    try:
        return checksum([path.read_bytes()])
    except OSError:
        return 0


def _checksum_of_files(sample: Sample, files: Mapping[Path, int]) -> int:
    """Return the checksum of a sample's images by their files' content and the regions shown."""
    return checksum(
        json.dumps(
            [files[image_file(view)], view.box if isinstance(view, Region) else None]
        ).encode()
        for view in sample.images
    )


def _checksum_of_texts(task: Task, sample: Sample) -> int:
    return checksum(text.encode("utf-8", "surrogatepass") for text in task.texts(sample))
