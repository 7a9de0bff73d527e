"""Plan batches by image, and decode images ahead of the model.

Samples about the same images share a batch, and a batch holds each distinct image once.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.images import PrepareAny, Prepared, View, image_file
from harness.running.decoding.choice import make_decoder
from harness.running.decoding.decoder import Decoding, FileViews, Read
from harness.running.plugin_errors import noting_samples
from harness.running.prepared import Collate, together
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
    batches: list[list[S]] = []
    for group in _by_images(samples):
        if batches and len(batches[-1]) + len(group) <= batch_size:
            batches[-1] += group
        else:
            batches.append(group)
    return batches


def _by_images(samples: Sequence[S]) -> Iterable[list[S]]:
    """Return the samples about the same images together, in the order of their first ones.

    Samples may share a tuple of images, which is looked at once. Paths are compared only where two
    images have one name: the hash of a path takes longer than all else.
    """
    distinct = {id(sample.images): sample.images for sample in samples}
    names = {image_file(images[0]).name if images else None for images in distinct.values()}
    if len(names) == len(distinct):
        of_tuple: dict[int, list[S]] = {key: [] for key in distinct}
        groups: Iterable[list[S]] = of_tuple.values()
    else:
        by_images: dict[tuple[View, ...], list[S]] = {}
        of_tuple = {key: by_images.setdefault(images, []) for key, images in distinct.items()}
        groups = by_images.values()
    for sample in samples:
        of_tuple[id(sample.images)].append(sample)
    return groups


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
    batches: Iterable[Sequence[Sample] | None],
    prepare: PrepareAny,
    *,
    workers: int,
    take: Callable[[], bool] | None = None,
    collate: Collate | None = None,
    skip: Callable[[Sample, str], None] | None = None,
    note: Callable[[Prepared], None] | None = None,
    read: Read | None = None,
) -> Iterator[Batch]:
    """Yield the batches with their images, decoded and prepared ahead of use, in order.

    `batches` may yield None: nothing is decoded until the next batch was used. `take` is called
    once for each batch, in order, when its turn has come; where it returns False, the batch is
    dropped. `collate` puts the images together, by default as arrays that are stacked.

    `workers` threads (or processes: see `decoding`) decode, each file once for all of its regions
    in a batch; one more thread stacks the images. An image that cannot be read raises MissingError
    or DataError, naming file and sample; or, with `skip`, that is called with each of its samples
    and the reason, and the batch goes on without them. `note` is called, by several threads, with
    the prepared views of each file. `read` decodes a file, where that may have begun before.
    """
    decoder = make_decoder(prepare, max(1, workers), note, as_pixels=collate is None, read=read)
    with ThreadPoolExecutor(1) as stacking:
        pending: deque[tuple[Future[_Loaded], Decoding]] = deque()
        remaining = iter(batches)
        try:
            while True:
                while len(pending) <= AHEAD and (samples := next(remaining, None)) is not None:
                    decoding = decoder.submit(files_of(samples))
                    loaded = stacking.submit(
                        _load, samples, decoding, collate, skip=skip is not None
                    )
                    pending.append((loaded, decoding))
                if not pending:
                    return
                loaded, decoding = pending.popleft()
                if take is not None and not take():
                    loaded.cancel()
                    decoding.cancel()
                    continue
                batch, unreadable = loaded.result()
                for sample, reason in unreadable:
                    assert skip is not None
                    skip(sample, reason)
                if batch is not None:
                    yield batch
                del batch
        finally:
            for loaded, decoding in pending:
                loaded.cancel()
                decoding.cancel()
            decoder.close()


class _Loaded(NamedTuple):
    """A batch of the samples whose images can be read (None: of no sample); the other samples."""

    batch: Batch | None
    unreadable: list[tuple[Sample, str]]


def _load(
    samples: Sequence[Sample], decoding: Decoding, collate: Collate | None, *, skip: bool
) -> _Loaded:
    """Wait for the files of a batch, and put their images together.

    Raises the error of a file that cannot be read, unless its samples are skipped.
    """
    errors: dict[Path, str] = {}
    images: Prepared = {}
    for file, result in zip(files_of(samples), decoding.results(), strict=True):
        if not isinstance(result, DataError):
            images.update(result)
        elif skip:
            errors[image_file(file.views[0])] = str(result)
        else:
            raise result
    readable, unreadable = [], []
    for sample in samples:
        reasons = [errors[path] for path in map(image_file, sample.images) if path in errors]
        if reasons:
            unreadable.append((sample, reasons[0]))
        else:
            readable.append(sample)
    if not readable:
        return _Loaded(None, unreadable)
    stacked = None if errors else decoding.stacked()
    with noting_samples(readable):
        batched = together(images, collate) if stacked is None else stacked
    return _Loaded(Batch(readable, batched, _image_of(readable, images)), unreadable)


def files_of(samples: Sequence[Sample]) -> list[FileViews]:
    """Return the distinct views of each image file, with the first sample that needs it."""
    views: dict[Path, tuple[dict[View, None], Sample]] = {}
    for sample in samples:
        for view in sample.images:
            views.setdefault(image_file(view), ({}, sample))[0][view] = None
    return [FileViews(list(distinct), f"sample {sample.id}") for distinct, sample in views.values()]


def _image_of(samples: Sequence[Sample], images: Prepared) -> NDArray[np.int64]:
    """Return the indices [N, P] of the images of each sample among the views of a batch."""
    index = {view: number for number, view in enumerate(images)}
    return np.array([[index[view] for view in sample.images] for sample in samples], dtype=np.int64)
