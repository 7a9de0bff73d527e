"""The processes of one run. Each predicts a share; no numbers are summed across processes.

`torchrun --nproc-per-node N --no-python xvlm-eval run ...` starts N processes, on one machine or
several, that find one another by the variables it sets. `torchrun.py` implements their group; a
process alone is a `SingleProcess`.
"""

import os
from collections.abc import Sequence
from typing import Protocol, TypeVar

from harness.files.environment import whole_number

T = TypeVar("T")


class ProcessGroup(Protocol):
    """The processes of a run, seen from one of them."""

    @property
    def rank(self) -> int:
        """The index of this process; rank 0 writes the results."""
        ...

    @property
    def size(self) -> int:
        """The number of processes."""
        ...

    def all_gather(self, value: T) -> list[T]:
        """Return the value of every process, in order of rank. Blocks until all have called it."""
        ...

    def count(self, name: str, more: int) -> int:
        """Add `more` to a counter that all processes share, and return it. Does not block."""
        ...


class SingleProcess:
    """A process alone. Implements `ProcessGroup`."""

    rank, size = 0, 1

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def all_gather(self, value: T) -> list[T]:
        """Return the value."""
        return [value]

    def count(self, name: str, more: int) -> int:
        """Add `more` to a counter, and return it."""
        self._counts[name] = self._counts.get(name, 0) + more
        return self._counts[name]


def deal(items: Sequence[T], processes: int) -> list[Sequence[T]]:
    """Return the items of each process: every N-th one, so that expensive items spread evenly.

    >>> deal("abcde", 2)
    ['ace', 'bd']
    """
    return [items[rank::processes] for rank in range(processes)]


def started_by_torchrun() -> bool:
    """Return whether torchrun started this process together with others."""
    return (whole_number("WORLD_SIZE") or 1) > 1 and bool(os.environ.get("RANK"))
