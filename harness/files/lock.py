"""Keep two processes from writing the same folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError


@contextmanager
def alone(folder: Path, *, occupied: str) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is not there; the system lets go of it when the process ends, however it does.

    Raises HarnessError with the words `occupied` where another process holds it, and where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise HarnessError(f"{folder}: cannot be written ({error.strerror})") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HarnessError(f"{folder.parent}: {occupied}") from error
        except OSError:  # a file system without locks: one process at a time is then the user's care
            pass
        yield
    finally:
        os.close(lock)
