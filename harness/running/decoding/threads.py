"""Decode image files in threads, which share Python's interpreter lock with the model's."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from harness.errors import DataError
from harness.images import PrepareAny, Prepared, View, read_views
from harness.running.decoding.decoder import Decoded, Decoding, FileViews, Note, Read


class _ThreadDecoding:
    def __init__(self, futures: list[Future[Prepared]]) -> None:
        self._futures = futures

    def results(self) -> list[Decoded]:
        errors = [future.exception() for future in self._futures]
        for error in errors:
            if error is not None and not isinstance(error, DataError):
                raise error
        results: list[Decoded] = [
            error if isinstance(error, DataError) else future.result()
            for error, future in zip(errors, self._futures, strict=True)
        ]
        self._futures.clear()  # stacked, the images are not needed a second time
        return results

    def stacked(self) -> None:
        return None

    def cancel(self) -> None:
        for future in self._futures:
            future.cancel()


class ThreadDecoder:
    """Decodes each file in a thread of its own pool. Implements `Decoder`."""

    def __init__(
        self, prepare: PrepareAny, workers: int, note: Note | None, read: Read | None = None
    ) -> None:
        self._read_views = read or partial(_read, prepare)
        self._pool, self._note = ThreadPoolExecutor(workers), note

    def submit(self, files: Sequence[FileViews]) -> Decoding:
        return _ThreadDecoding(
            [self._pool.submit(self._read, views, needed_by) for views, needed_by in files]
        )

    def _read(self, views: Sequence[View], needed_by: str) -> Prepared:
        prepared = self._read_views(views, needed_by)
        if self._note is not None:
            self._note(prepared)
        return prepared

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _read(prepare: PrepareAny, views: Sequence[View], needed_by: str) -> Prepared:
    return read_views(views, prepare, needed_by=needed_by)
