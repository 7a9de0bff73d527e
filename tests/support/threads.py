"""Processes of one run, played by threads."""

from collections import Counter
from collections.abc import Callable
from threading import Barrier, BrokenBarrierError, Lock, Thread
from typing import Any


class Shared:
    """What the processes of a run exchange."""

    def __init__(self, size: int) -> None:
        self.size, self.barrier, self.lock = size, Barrier(size), Lock()
        self.given: list[Any] = [None] * size  # what each of them gave last
        self.counts: Counter[str] = Counter()


class Threads:
    """One of several processes. Implements `ProcessGroup`."""

    def __init__(self, rank: int, shared: Shared) -> None:
        self.rank, self.size, self._shared = rank, shared.size, shared

    def all_gather(self, value: Any) -> list[Any]:
        self._shared.given[self.rank] = value
        self._shared.barrier.wait()
        values = list(self._shared.given)
        self._shared.barrier.wait()  # until all have read what the next call replaces
        return values

    def count(self, name: str, more: int) -> int:
        with self._shared.lock:
            self._shared.counts[name] += more
            return self._shared.counts[name]


def in_threads(size: int, work: Callable[[Threads], object]) -> None:
    """Do the work of every process; raise the first error of any."""
    shared, errors = Shared(size), []

    def run(rank: int) -> None:
        try:
            work(Threads(rank, shared))
        except BrokenBarrierError:  # of another one's error
            pass
        except BaseException as error:
            errors.append(error)
            shared.barrier.abort()

    threads = [Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
