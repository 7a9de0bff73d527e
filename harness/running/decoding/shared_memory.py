"""Arrays in memory that other processes open by path: anonymous, freed with the last array."""

import mmap
import os
from functools import lru_cache
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

KEPT = 4  # batches whose memory a process keeps open

_serial = count()


class SharedMemory(NamedTuple):
    """Bytes of this process that others open by path; freed when no array uses them any more.

    `serial` tells apart the memories whose path is the same, one after the other.
    """

    path: str
    serial: int
    size: int


def allocate(shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], SharedMemory]:
    """Return an array in shared memory, and how other processes find it."""
    size = int(np.prod(shape))
    descriptor = os.memfd_create("xvlm-eval-images")
    os.ftruncate(descriptor, size)
    memory = _Memory(descriptor, size)
    shared = SharedMemory(f"/proc/{os.getpid()}/fd/{descriptor}", next(_serial), size)
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


@lru_cache(maxsize=KEPT)
def open_shared(shared: SharedMemory) -> mmap.mmap:
    """Map the memory of another process into this one."""
    descriptor = os.open(shared.path, os.O_RDWR)
    try:
        return mmap.mmap(descriptor, shared.size)
    finally:
        os.close(descriptor)
