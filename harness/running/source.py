"""Where a run gets its samples and images from: from files when it needs them, or read ahead."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from harness.images import PrepareAny, Prepared, View, read_views
from harness.running.decoding.decoder import FileViews, Read
from harness.running.run import Run
from harness.task import Sample, load_samples

Batches = Iterable[Sequence[Sample] | None]


def samples_of(run: Run) -> Sequence[Sample]:
    """Return the samples of a run's whole split."""
    return load_samples(run.task, run.data, run.split)


def hand_out(batches: Batches, batch_size: int) -> Batches:
    """Return the batches, one by one."""
    return batches


@dataclass(frozen=True)
class Source:
    """The functions by which one run gets what it reads; by default when it needs it.

    load      returns the samples of its whole split
    hand_out  yields the batches that are to be predicted, of a size, as they are decoded
    read      returns the views of an image file; None: the decoder's own function
    """

    load: Callable[[Run], Sequence[Sample]] = samples_of
    hand_out: Callable[[Batches, int], Batches] = hand_out
    read: Read | None = None


WHEN_NEEDED = Source()


class DecodedAhead:
    """Image files that are decoded in threads before the run that needs them begins."""

    def __init__(self, prepare: PrepareAny, workers: int) -> None:
        self._prepare = prepare
        self._threads = ThreadPoolExecutor(max(1, workers))
        self._files: dict[tuple[View, ...], Future[Prepared]] = {}

    def begin(self, files: Iterable[FileViews]) -> Self:
        """Begin to decode files."""
        for views, needed_by in files:
            self._files[tuple(views)] = self._threads.submit(self._decode, views, needed_by)
        return self

    def read(self, views: Sequence[View], needed_by: str) -> Prepared:
        """Return the views of a file, once; raises what decoding it raised."""
        decoded = self._files.pop(tuple(views), None)
        return self._decode(views, needed_by) if decoded is None else decoded.result()

    def close(self) -> None:
        """Decode no further files."""
        self._threads.shutdown(cancel_futures=True)
        self._files.clear()

    def _decode(self, views: Sequence[View], needed_by: str) -> Prepared:
        return read_views(views, self._prepare, needed_by=needed_by)
