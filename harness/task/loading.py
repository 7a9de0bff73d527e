"""Load the samples of a split, and refuse samples that share an id."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.errors import DataError
from harness.formats.folder import DataFolder
from harness.images import image_file
from harness.task.samples import M, S, Sample
from harness.task.task import Task


def load_samples(task: Task[S, M], data: DataFolder, split: str) -> Sequence[S]:
    """Return the samples of a split, whose ids are distinct. Every command loads them here.

    Predictions are stored and scored by id, so two samples with one id would share a prediction.
    Raises DataError for such samples, naming their images, for an id that is neither a whole number
    nor a string, and for a split without samples; and what `task.load` raises.
    """
    with without_garbage_collection():
        samples = task.load(data, split)
    if not samples:
        raise DataError(f"{data.root}: {task.name} {split} has no sample")
    ids = [sample.id for sample in samples]
    if set(map(type, ids)) in ({int}, {str}) and len(set(ids)) == len(ids):
        return samples
    by_id: dict[str, S] = {}  # by the id as text, as a record lists skipped samples
    for sample in samples:
        if type(sample.id) not in (int, str):
            raise DataError(
                f"{data.root}: {task.name} {split} has a sample with the id {sample.id!r}, "
                "which is neither a whole number nor a string"
            )
        if (key := str(sample.id)) in by_id:
            raise DataError(
                f"{data.root}: two samples of {task.name} {split} have the id {sample.id!r}, "
                f"{_images_of(by_id[key], data)} and {_images_of(sample, data)}; "
                "predictions are stored by id: give each sample its own"
            )
        by_id[key] = sample
    return samples


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector, which would search millions of answers for cycles in vain."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _images_of(sample: Sample, data: DataFolder) -> str:
    """Return the image files of a sample by their paths below the data folder, for messages."""
    paths = map(image_file, sample.images)
    return (
        " with ".join(
            str(path.relative_to(data.root) if path.is_relative_to(data.root) else path)
            for path in paths
        )
        or "without an image"
    )
