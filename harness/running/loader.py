"""Plan batches by image, and decode images ahead of the model.

Samples about the same images share a batch, and a batch holds each distinct image once.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from harness.errors import DataError
from harness.images import Prepare, Prepared, View, image_file, read_views
from harness.task import Batch, Sample

# Batches decoded before the model takes them: the model does not wait, and memory stays bounded.
AHEAD = 2
S = TypeVar("S", bound=Sample)


def plan_batches(samples: Sequence[S], batch_size: int) -> list[list[S]]:
    """Cut samples into batches of about `batch_size`, with those about the same images together.

    Depends on the samples and the size alone, so that a resumed run computes the same batches. A
    batch is longer than `batch_size` only where more samples than that share their images:

    >>> a, b = (Path("a.jpg"),), (Path("b.jpg"),)
    >>> samples = [Sample(1, a), Sample(2, b), Sample(3, a), Sample(4, a)]
    >>> [[sample.id for sample in batch] for batch in plan_batches(samples, 2)]
    [[1, 3, 4], [2]]
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
    """Cut a planned batch into pieces of at most `batch_size` samples, whatever images they share.

    >>> [[s.id for s in piece] for piece in cut([Sample(n, (Path("a.jpg"),)) for n in range(3)], 2)]
    [[0, 1], [2]]
    """
    return [
        piece[first : first + batch_size]
        for piece in plan_batches(batch, batch_size)
        for first in range(0, len(piece), batch_size)
    ]


def load_batches(
    batches: Sequence[Sequence[Sample]],
    prepare: Prepare,
    *,
    workers: int,
    skip: Callable[[Sample, str], None] | None = None,
    note: Callable[[Prepared], None] | None = None,
) -> Iterator[Batch]:
    """Yield the batches with their images, decoded and prepared ahead of use, in order.

    `workers` threads decode, each file once for all of its regions in a batch; one more thread
    stacks the images. An image that cannot be read raises MissingError or DataError, naming file
    and sample; or, with `skip`, that is called with each of its samples and the reason, and the
    batch goes on without them. `note` is called, by the threads that decode, with the prepared
    views of each file.
    """
    read = read_views if note is None else partial(_read_and_note, note)
    with ThreadPoolExecutor(max(1, workers)) as decoding, ThreadPoolExecutor(1) as stacking:
        pending: list[tuple[Future[_Loaded], list[Future[Prepared]]]] = []
        remaining = iter(batches)
        try:
            while True:
                while len(pending) <= AHEAD and (samples := next(remaining, None)) is not None:
                    files = [
                        decoding.submit(read, views, prepare, needed_by=f"sample {sample.id}")
                        for views, sample in _by_file(samples)
                    ]
                    loaded = stacking.submit(_load, samples, files, skip=skip is not None)
                    pending.append((loaded, files))
                if not pending:
                    return
                batch, unreadable = pending.pop(0)[0].result()
                for sample, reason in unreadable:
                    assert skip is not None
                    skip(sample, reason)
                if batch is not None:
                    yield batch
                del batch
        finally:
            for loaded, files in pending:
                loaded.cancel()
                for file in files:
                    file.cancel()


def _read_and_note(
    note: Callable[[Prepared], None], views: Sequence[View], prepare: Prepare, *, needed_by: str
) -> Prepared:
    prepared = read_views(views, prepare, needed_by=needed_by)
    note(prepared)
    return prepared


class _Loaded(NamedTuple):
    """A batch of the samples whose images can be read (None: of no sample); the other samples."""

    batch: Batch | None
    unreadable: list[tuple[Sample, str]]


def _load(samples: Sequence[Sample], files: list["Future[Prepared]"], *, skip: bool) -> _Loaded:
    """Wait for the files of a batch, and stack their images.

    Raises the error of a file that cannot be read, unless its samples are skipped.
    """
    errors: dict[Path, str] = {}
    if skip:
        for (views, _), file in zip(_by_file(samples), files, strict=True):
            if error := _error(file):
                errors[image_file(views[0])] = error
    readable, unreadable = [], []
    for sample in samples:
        reasons = [errors[path] for path in map(image_file, sample.images) if path in errors]
        if reasons:
            unreadable.append((sample, reasons[0]))
        else:
            readable.append(sample)
    images = {
        view: image
        for file in files
        if not skip or _error(file) is None
        for view, image in file.result().items()
    }
    files.clear()  # stacked, the images are not needed a second time
    return _Loaded(_batch(readable, images) if readable else None, unreadable)


def _error(file: "Future[Prepared]") -> str | None:
    """Wait for a file, and return why it cannot be read; None where it can."""
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
    index = {view: number for number, view in enumerate(images)}
    image_of = np.array(
        [[index[view] for view in sample.images] for sample in samples], dtype=np.int64
    )
    return Batch(samples=samples, images=np.stack(list(images.values())), image_of=image_of)
