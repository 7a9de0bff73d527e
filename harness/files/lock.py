"""Lock files, so that two processes never write the same output."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import HarnessError


@contextmanager
def locked(path: Path, *, busy: HarnessError, remedy: str = "") -> Iterator[None]:
    """Hold the lock file `path`, created on entry and deleted on exit.

    The system releases the lock when the process ends, however it ends. Raises `busy` if another
    process holds it, and HarnessError (with the `remedy`) if its folder cannot be written. A file
    system without locks (some network ones) is not protected.
    """
    # No soft lock as a fallback: its file would outlive a killed process and block the next one.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise busy from None
    except NotImplementedError:
        pass
    except OSError as error:
        raise HarnessError(
            f"{path.parent}: cannot be written ({error.strerror}){remedy}"
        ) from error
    try:
        yield
    finally:
        # Deleted while held: a process that waits for the lock starts over with a new file.
        with suppress(OSError):
            path.unlink(missing_ok=True)
        lock.release()
