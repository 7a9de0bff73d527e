"""Strike a run at a chosen event: a number of bytes written, or one of its file operations.

No clock decides, so the load of the machine changes nothing. `python -m tests.support.struck` is
the command, struck as the environment variable `STRIKE` says.
"""

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

OPERATIONS = ("open", "os.rename", "os.remove")  # Python's audit events
IMAGES = "/images/"  # in the path of every image


def at_byte(size: int) -> None:
    """Have the system kill this process where one of its files grows beyond `size` bytes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def full_disk(size: int) -> None:
    """Refuse to let a file grow beyond `size` bytes: as if the disk were full then."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def at_operation(number: int, strike: Callable[[], None], *below: str) -> None:
    """Strike before this process's `number`-th operation on files whose path contains `below`."""
    _watch(lambda reached: strike() if reached == number else None, below)


def operations(*below: str) -> Callable[[], int]:
    """Count from now on this process's operations on files whose path contains one of `below`."""
    numbers = [0]
    _watch(numbers.append, below)
    return lambda: max(numbers)


def kill() -> None:
    """End this process as `kill -9` does: nothing of it runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)


def wait(reached: Path, until: Path) -> None:
    """Say that this was reached, and stop here until a file is there."""
    reached.touch()
    while not until.exists():
        time.sleep(0.01)


def _watch(seen: Callable[[int], None], below: Sequence[str]) -> None:
    numbers, lock = count(1), threading.Lock()

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in OPERATIONS and any(folder in str(arguments[0]) for folder in below):
            with lock:
                number = next(numbers)
            seen(number)

    sys.addaudithook(hook)


def kill_all() -> None:
    """End all processes of this run and their launcher as a power failure does."""
    launcher = os.getppid()
    ranks = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    for process in {launcher, *map(int, ranks)} - {os.getpid()}:
        os.kill(process, signal.SIGKILL)
    kill()


def interrupt() -> None:
    """Interrupt this process as Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


def at_image(description: str) -> None:
    """Strike as described by `rank:n:strike:folder`: before a rank opens its n-th image there."""
    rank, number, name, folder = description.split(":")
    strikes = {"kill": kill, "kill_all": kill_all, "interrupt": interrupt}
    if os.environ.get("RANK", "0") == rank:
        at_operation(int(number), strikes[name], f"/{folder}/")


if __name__ == "__main__":
    from harness.cli.main import main

    at_image(os.environ["STRIKE"])
    sys.exit(main())
