"""Decode image files beside the model: in threads, or in processes that write to shared memory.

Threads share Python's interpreter lock with the thread that drives the model; processes do not.
Both decode by the same code, to the same pixels. Processes are used where
`XVLM_EVAL_DECODING=processes` asks for them, on Linux, for a model whose `prepare` can be pickled.
"""

import atexit
import mmap
import os
import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache, lru_cache, partial
from itertools import count
from multiprocessing import get_context, parent_process
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.errors import DataError, ModelError
from harness.images import Prepare, PrepareAny, Prepared, View, image_file, read_views
from harness.running.prepared import REMEDY

DECODING = "XVLM_EVAL_DECODING"
FILES_PER_TASK = 8  # decoded for each message to a process and back
MAX_PICKLED = 1 << 16  # bytes of a `prepare`; a larger one carries a model with it
KEPT = 4  # batches whose memory a process keeps open

_serial = count()


class FileViews(NamedTuple):
    """The views of one image file, and the sample that needs it first."""

    views: list[View]
    needed_by: str


Note = Callable[[Prepared], None]
Read = Callable[[Sequence[View], str], Prepared]  # (the views of a file, what needs them)
Decoded = Prepared | DataError  # the views of a file, or why it cannot be read


class Decoding(Protocol):
    """The files of a batch on their way."""

    def results(self) -> list[Decoded]:
        """Wait for the files and return the views of each, or why it cannot be read."""
        ...

    def stacked(self) -> NDArray[np.uint8] | None:
        """Return the views of all files in one array, where they were decoded into one."""
        ...

    def cancel(self) -> None:
        """Decode none of the files that are not begun."""
        ...


class Decoder(Protocol):
    """Decodes the files of one batch after another."""

    def submit(self, files: Sequence[FileViews]) -> Decoding:
        """Begin to decode."""
        ...

    def close(self) -> None:
        """Release the decoder's threads."""
        ...


def make_decoder(
    prepare: PrepareAny,
    workers: int,
    note: Note | None = None,
    *,
    as_pixels: bool = True,
    read: Read | None = None,
) -> Decoder:
    """Return the decoder that the environment asks for and that `prepare` allows.

    Processes write `as_pixels` only: images of one shape, into one array of bytes. `note` is called
    with the prepared views of each file, by threads of this process. Threads `read` the views of a
    file by that function; processes never use it.
    """
    wanted = os.environ.get(DECODING) == "processes"
    if wanted and as_pixels and hasattr(os, "memfd_create"):
        pickled = _pickled(prepare)
        if pickled is not None and _shape(pickled) is not None:
            with suppress(OSError):  # a system without /dev/shm has no semaphores for processes
                return _ProcessDecoder(pickled, workers, note)
    return _ThreadDecoder(read or partial(_read, prepare), workers, note)


def _read(prepare: PrepareAny, views: Sequence[View], needed_by: str) -> Prepared:
    return read_views(views, prepare, needed_by=needed_by)


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


class _ThreadDecoder:
    def __init__(self, read: Read, workers: int, note: Note | None) -> None:
        self._read_views, self._pool, self._note = read, ThreadPoolExecutor(workers), note

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


class _SharedMemory(NamedTuple):
    """Bytes of this process that others open by path; freed when no array uses them any more.

    `serial` tells apart the memories whose path is the same, one after the other.
    """

    path: str
    serial: int
    size: int


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
        self._images, shared = _allocate((self._count, *shape))
        self._rows: list[int] = []
        begin = 0
        for file in files:
            self._rows.append(begin)
            begin += len(file.views)
        placed = list(zip(files, self._rows, strict=True))
        self._futures = [
            pool.submit(_decode, pickled, shared, shape, placed[first : first + FILES_PER_TASK])
            for first in range(0, len(placed), FILES_PER_TASK)
        ]

    def results(self) -> list[Decoded]:
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


class _ProcessDecoder:
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
    context.set_forkserver_preload(["harness.running.decoding_server", __name__])
    pool = ProcessPoolExecutor(workers, context, initializer=_begin)
    # Left to the end of the interpreter, its callbacks may find their modules gone, and say so.
    atexit.register(pool.shutdown, cancel_futures=True)
    return pool


def _pickled(prepare: PrepareAny) -> bytes | None:
    try:
        pickled = pickle.dumps(prepare)
    except Exception:  # of whatever type a foreign object raises
        return None
    return pickled if len(pickled) <= MAX_PICKLED else None


@lru_cache(maxsize=8)
def _unpickled(pickled: bytes) -> Prepare:
    prepare: Prepare = pickle.loads(pickled)
    return prepare


@lru_cache(maxsize=8)
def _shape(pickled: bytes) -> tuple[int, ...] | None:
    """Return the shape [R, R, 3] that a model prepares every image to; None: not to bytes."""
    pixels = _unpickled(pickled)(Image.new("RGB", (64, 64)))
    return pixels.shape if isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 else None


def _allocate(shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], _SharedMemory]:
    """Return an array in shared memory, and how other processes find it."""
    size = int(np.prod(shape))
    descriptor = os.memfd_create("xvlm-eval-images")
    os.ftruncate(descriptor, size)
    memory = _Memory(descriptor, size)
    shared = _SharedMemory(f"/proc/{os.getpid()}/fd/{descriptor}", next(_serial), size)
    return np.frombuffer(memory, np.uint8).reshape(shape), shared


class _Memory(mmap.mmap):
    """A mapped file that is closed with its last array."""

    def __new__(cls, descriptor: int, size: int) -> "_Memory":
        memory = super().__new__(cls, descriptor, size)
        memory._descriptor = descriptor
        return memory

    _descriptor: int

    def __del__(self) -> None:
        os.close(self._descriptor)


def _begin() -> None:
    """Let a process end with its parent."""
    parent = parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


@lru_cache(maxsize=KEPT)
def _open(shared: _SharedMemory) -> mmap.mmap:
    descriptor = os.open(shared.path, os.O_RDWR)
    try:
        return mmap.mmap(descriptor, shared.size)
    finally:
        os.close(descriptor)


def _decode(
    pickled: bytes,
    shared: _SharedMemory,
    shape: tuple[int, ...],
    files: Sequence[tuple[FileViews, int]],
) -> list[DataError | None]:
    """Decode files into rows of the shared array; return why each cannot be read, or None."""
    images = np.frombuffer(_open(shared), np.uint8).reshape(-1, *shape)
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
