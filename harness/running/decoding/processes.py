"""Decode image files in processes, which write into memory that they share with this one."""

import atexit
import os
import pickle
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, lru_cache
from multiprocessing import get_context, parent_process

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.errors import DataError, HarnessError, ModelError
from harness.images import Prepare, PrepareAny, Prepared, image_file, read_views
from harness.running.decoding.decoder import Decoded, Decoding, FileViews, Note
from harness.running.decoding.shared_memory import SharedMemory, allocate, open_shared
from harness.running.prepared import REMEDY

FILES_PER_TASK = 8  # decoded for each message to a process and back
MAX_PICKLED = 1 << 16  # bytes of a `prepare`; a larger one carries a model with it


class _ProcessDecoding:
    def __init__(
        self,
        pool: ProcessPoolExecutor,
        pickled: bytes,
        files: Sequence[FileViews],
        notes: ThreadPoolExecutor,
        note: Note | None,
    ) -> None:
        self._notes, self._note = notes, note
        shape = _shape(pickled)
        assert shape is not None
        self._files, self._count = files, sum(len(file.views) for file in files)
        self._images, shared = allocate((self._count, *shape))
        self._rows: list[int] = []
        begin = 0
        for file in files:
            self._rows.append(begin)
            begin += len(file.views)
        placed = list(zip(files, self._rows, strict=True))
        with _naming_a_death():
            self._futures = [
                pool.submit(_decode, pickled, shared, shape, placed[first : first + FILES_PER_TASK])
                for first in range(0, len(placed), FILES_PER_TASK)
            ]

    def results(self) -> list[Decoded]:
        with _naming_a_death():
            errors = [error for future in self._futures for error in future.result()]
        results = [
            error if error is not None else self._views(file, row)
            for file, row, error in zip(self._files, self._rows, errors, strict=True)
        ]
        if self._note is not None:
            readable = [result for result in results if not isinstance(result, DataError)]
            list(self._notes.map(self._note, readable))
        return results

    def stacked(self) -> NDArray[np.uint8]:
        return self._images

    def cancel(self) -> None:
        # What is begun writes into memory that must not be freed before.
        wait([future for future in self._futures if not future.cancel()])

    def _views(self, file: FileViews, row: int) -> Prepared:
        return {view: self._images[row + number] for number, view in enumerate(file.views)}


class ProcessDecoder:
    """Decodes in processes, which are started once and serve all runs."""

    def __init__(self, pickled: bytes, workers: int, note: Note | None) -> None:
        self._pickled, self._pool = pickled, _processes(workers)
        self._notes, self._note = ThreadPoolExecutor(workers), note

    def submit(self, files: Sequence[FileViews]) -> Decoding:
        return _ProcessDecoding(self._pool, self._pickled, files, self._notes, self._note)

    def close(self) -> None:
        """Leave the processes to the next run."""
        self._notes.shutdown()


@cache
def _processes(workers: int) -> ProcessPoolExecutor:
    context = get_context("forkserver")  # a fork of this process would copy a driver's threads
    # Which ignores Ctrl-C, and so do its processes: only this one answers it.
    context.set_forkserver_preload(["harness.running.decoding.server", __name__])
    pool = ProcessPoolExecutor(workers, context, initializer=_begin)
    # Left to the end of the interpreter, its callbacks may find their modules gone, and say so.
    atexit.register(pool.shutdown, cancel_futures=True)
    return pool


@contextmanager
def _naming_a_death() -> Iterator[None]:
    """Raise HarnessError where a process that decodes has died, and start others next time."""
    try:
        yield
    except BrokenProcessPool as error:
        _processes.cache_clear()
        raise HarnessError(
            "a process that decodes images has died, as when memory is full; what was predicted is "
            "kept, the same command continues: with fewer --workers, or with threads, which decode "
            "unless XVLM_EVAL_DECODING=processes is set"
        ) from error


def pickle_prepare(prepare: PrepareAny) -> bytes | None:
    """Return a model's `prepare` as processes take it.

    None where they cannot: it cannot be pickled, carries a model, or prepares other than bytes.
    """
    try:
        content = pickle.dumps(prepare)
    except Exception:  # of whatever type a foreign object raises
        return None
    return content if len(content) <= MAX_PICKLED and _shape(content) is not None else None


@lru_cache(maxsize=8)
def _unpickled(pickled: bytes) -> Prepare:
    prepare: Prepare = pickle.loads(pickled)
    return prepare


@lru_cache(maxsize=8)
def _shape(pickled: bytes) -> tuple[int, ...] | None:
    """Return the shape [R, R, 3] that a model prepares every image to; None: not to bytes."""
    pixels = _unpickled(pickled)(Image.new("RGB", (64, 64)))
    return pixels.shape if isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 else None


def _begin() -> None:
    """Let a process end with its parent."""
    parent = parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _decode(
    pickled: bytes,
    shared: SharedMemory,
    shape: tuple[int, ...],
    files: Sequence[tuple[FileViews, int]],
) -> list[DataError | None]:
    """Decode files into rows of the shared array; return why each cannot be read, or None."""
    images = np.frombuffer(open_shared(shared), np.uint8).reshape(-1, *shape)
    errors: list[DataError | None] = []
    for (views, needed_by), row in files:
        try:
            prepared = read_views(views, _unpickled(pickled), needed_by=needed_by)
        except DataError as error:
            errors.append(error)
            continue
        for number, view in enumerate(views):
            image = prepared[view]
            if image.shape != shape or image.dtype != np.uint8:
                raise ModelError(
                    f"the model prepares {image_file(view)} as {list(image.shape)} {image.dtype}, "
                    f"but another image as {list(shape)} uint8, which cannot be stacked; {REMEDY}"
                )
            images[row + number] = image
        errors.append(None)
    return errors
