"""Keep two processes from writing the same files."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import HarnessError


@contextmanager
def locked(path: Path, *, busy: HarnessError, remedy: str = "") -> Iterator[None]:
    """Hold the lock file `path`, created on entry and deleted on exit. The system releases it when the process ends, however it ends.

    Raises `busy` where another process holds it, HarnessError (with the `remedy`) where its folder cannot be written. On a file system
    without locks (some network ones), one process at a time is the user's care.
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
        with suppress(
            OSError
        ):  # deleted while it is held: a process that waits for it starts over with a new file
            path.unlink(missing_ok=True)
        lock.release()
