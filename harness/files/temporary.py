"""Temporary files and folders beside what they become; those that a kill leaves are removed.

Whoever writes one holds the system's lock on it, which ends with the process, however it ends. One
without a lock is left over, and the next process that writes into its folder removes it, once it
has not changed for an hour: NFS ends a lock as soon as its process closes any descriptor of the
file. A file system may hide the locks of other machines: of theirs, only what has not changed for
a day is removed.
"""

import os
import platform
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows, nothing is known to be left over
    fcntl = None  # type: ignore[assignment]

PREFIX = ".xvlm-eval-"  # of the name, before this machine and a random number
HOUR = 60 * 60  # seconds
DAY = 24 * 60 * 60  # seconds


@contextmanager
def temporary_file(folder: Path) -> Iterator[Path]:
    """Yield the path of a new, empty file in a folder; deletes it unless it was moved meanwhile.

    Creates the folder. Raises OSError if the file system refuses.
    """
    with _made(folder, _make_file) as path:
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """Yield the path of a new, empty folder; deletes it and all in it unless it was moved.

    Creates the outer folder. Raises OSError if the file system refuses.
    """
    with _made(folder, _make_folder) as path:
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def remove_abandoned(folder: Path) -> None:
    """Remove what ended processes left in a folder an hour ago, or other machines a day ago."""
    with suppress(OSError):
        for path in folder.glob(f"{PREFIX}*"):
            with suppress(OSError):
                _remove_if_abandoned(path)


_remove_abandoned_once = cache(remove_abandoned)  # thousands of files may go to one folder


@contextmanager
def _made(folder: Path, make: Callable[[Path], int | None]) -> Iterator[Path]:
    """Yield the path of what `make` makes in a folder, locked for the length of the block.

    `make` returns a descriptor to lock, or None where there are no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned_once(folder)
    exists = False
    while not exists:
        path = folder / f"{PREFIX}{_machine()}-{secrets.token_hex(8)}"
        descriptor = make(path)
        try:
            if descriptor is not None:
                _lock(descriptor, wait=True)
            # Before it was locked, another process may have found it abandoned.
            if exists := path.exists():
                yield path
        finally:
            if descriptor is not None:
                os.close(descriptor)


def _make_file(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    if fcntl is not None:
        return descriptor
    os.close(descriptor)  # Windows moves no file that is open
    return None


def _make_folder(path: Path) -> int | None:
    path.mkdir()
    return None if fcntl is None else os.open(path, os.O_RDONLY)  # Windows opens no folder


def _remove_if_abandoned(path: Path) -> None:
    """Remove a temporary file or folder that nobody writes any more. Raises OSError."""
    here = path.name.startswith(f"{PREFIX}{_machine()}-")
    if fcntl is None or time.time() - path.stat().st_mtime < (HOUR if here else DAY):
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        if not _lock(descriptor, wait=False):
            return
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Return whether this process holds the lock on a file, which ends when it is closed.

    False where another process holds it and this one does not wait, and where the file system has
    no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _machine() -> str:
    """Return eight digits that tell this machine from others."""
    return f"{zlib.crc32(platform.node().encode()):08x}"
