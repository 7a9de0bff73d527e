"""Processes of one run, played by threads."""

from collections.abc import Callable
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

from harness.running.distributed import SingleProcess


class Threads(SingleProcess):
    """One of several processes; `given` holds what each of them gave last."""

    def __init__(self, rank: int, barrier: Barrier, given: list[Any]) -> None:
        super().__init__()
        self.rank, self.size, self._barrier, self._given = rank, len(given), barrier, given

    def all_gather(self, value: Any) -> list[Any]:
        self._given[self.rank] = value
        self._barrier.wait()
        values = list(self._given)
        self._barrier.wait()  # until all have read what the next call replaces
        return values


def in_threads(size: int, work: Callable[[Threads], object]) -> None:
    """Do the work of every process; raise the first error of any."""
    barrier, given, errors = Barrier(size), [None] * size, []

    def run(rank: int) -> None:
        try:
            work(Threads(rank, barrier, given))
        except BrokenBarrierError:  # of another one's error
            pass
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    threads = [Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
