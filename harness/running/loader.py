"""Group samples by image, and decode images ahead of the model: each distinct image of a batch once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from harness.errors import DataError
from harness.images import Prepare, Prepared, View, image_file, read_views
from harness.task import Batch, Sample

AHEAD = 2  # batches decoded before the model asks for them: memory stays bounded, the model does not wait
S = TypeVar("S", bound=Sample)


def plan_batches(samples: Sequence[S], batch_size: int) -> list[list[S]]:
    """Cut samples into batches of about `batch_size`, keeping those about the same images together.

    Follows from the samples and the size alone, never from what was done before: a resumed run computes the same batches.
    """
    groups: dict[tuple[View, ...], list[S]] = {}
    for sample in samples:
        groups.setdefault(sample.images, []).append(sample)
    batches: list[list[S]] = [[]]
    for group in groups.values():
        if batches[-1] and len(batches[-1]) + len(group) > batch_size:
            batches.append([])
        batches[-1].extend(group)
    return batches if batches[-1] else []


def cut(batch: Sequence[S], batch_size: int) -> list[list[S]]:
    """Cut a planned batch into smaller ones of at most `batch_size`, of which none is longer, even if its samples share their images."""
    pieces = plan_batches(batch, batch_size)
    return [
        piece[first : first + batch_size]
        for piece in pieces
        for first in range(0, len(piece), batch_size)
    ]


def load_batches(
    batches: Sequence[Sequence[Sample]],
    prepare: Prepare,
    *,
    workers: int,
    leave_out: Callable[[Sample, str], None] | None = None,
) -> Iterator[Batch]:
    """Yield the batches with their images, decoded and prepared by `workers` threads ahead of use, in order.

    A file is decoded once for all of its regions in a batch; a thread of its own puts batches together. Raises MissingError or DataError
    for an image that is not there or cannot be decoded, naming file and sample; or tells `leave_out` of every sample that needs it and
    why, and goes on without them.
    """
    with ThreadPoolExecutor(max(1, workers)) as pool, ThreadPoolExecutor(1) as stacking:
        waiting: list[tuple[Future[_Loaded], list[Future[Prepared]]]] = []
        coming = iter(batches)
        try:
            while True:
                while len(waiting) <= AHEAD and (samples := next(coming, None)) is not None:
                    files = [
                        pool.submit(read_views, views, prepare, needed_by=f"sample {sample.id}")
                        for views, sample in _by_file(samples)
                    ]
                    waiting.append(
                        (stacking.submit(_load, samples, files, skip=leave_out is not None), files)
                    )
                if not waiting:
                    return
                loaded = waiting.pop(0)[0].result()
                for sample, complaint in loaded.unreadable:
                    assert leave_out is not None
                    leave_out(sample, complaint)
                if loaded.batch is not None:
                    yield loaded.batch
        finally:
            for batch, files in waiting:
                batch.cancel()
                for file in files:
                    file.cancel()


class _Loaded(NamedTuple):
    """A batch of the samples whose images can all be read, if there are any; and the other ones, with what is wrong."""

    batch: Batch | None
    unreadable: list[tuple[Sample, str]]


def _load(samples: Sequence[Sample], files: list["Future[Prepared]"], *, skip: bool) -> _Loaded:
    """Wait for the files of a batch, and stack their images. Raises what is wrong with one, unless its samples are skipped."""
    complaints = {}
    if skip:
        complaints = {
            image_file(views[0]): bad
            for (views, _), file in zip(_by_file(samples), files, strict=True)
            if (bad := _complaint(file))
        }
    sound, unreadable = [], []
    for sample in samples:
        if found := [
            complaints[path] for view in sample.images if (path := image_file(view)) in complaints
        ]:
            unreadable.append((sample, found[0]))
        else:
            sound.append(sample)
    images = {
        view: image
        for file in files
        if not skip or _complaint(file) is None
        for view, image in file.result().items()
    }
    files.clear()  # stacked, they are not needed a second time
    return _Loaded(_batch(sound, images) if sound else None, unreadable)


def _complaint(file: "Future[Prepared]") -> str | None:
    """Wait for a file, and say what is wrong with it."""
    error = file.exception()
    if error is None or isinstance(error, DataError):
        return None if error is None else str(error)
    raise error


def _by_file(samples: Sequence[Sample]) -> Iterator[tuple[list[View], Sample]]:
    """Yield the distinct views of each image file, with the first sample that needs it."""
    views: dict[Path, tuple[dict[View, None], Sample]] = {}
    for sample in samples:
        for view in sample.images:
            views.setdefault(image_file(view), ({}, sample))[0][view] = None
    for distinct, sample in views.values():
        yield list(distinct), sample


def _batch(samples: Sequence[Sample], images: Prepared) -> Batch:
    number = {view: index for index, view in enumerate(images)}
    image_of = np.array(
        [[number[view] for view in sample.images] for sample in samples], dtype=np.int64
    )
    return Batch(samples=samples, images=np.stack(list(images.values())), image_of=image_of)
