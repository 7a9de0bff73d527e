"""The processes of one run. Each predicts its share; they tell one another things, and nothing is added up.

`torchrun --nproc-per-node N --no-python xvlm-eval run ...` starts N processes (on several machines, if you like), which find one another by
the variables it sets. One process alone is a group of its own. How processes talk is in `harness/running/torchrun.py`.
"""

import os
from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class ProcessGroup(Protocol):
    """What a process knows of the others."""

    @property
    def rank(self) -> int:
        """Which process this is; the first one, 0, writes the results."""
        ...

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def all_gather(self, value: T) -> list[T]:
        """Return what each process gave, in order of rank. All have to come here: whoever comes first waits."""
        ...

    def count(self, name: str, more: int) -> int:
        """Add to a number that all processes see, and return it. Waits for nobody."""
        ...


class SingleProcess:
    """A group of one."""

    rank, size = 0, 1

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def all_gather(self, value: T) -> list[T]:
        return [value]

    def count(self, name: str, more: int) -> int:
        self._counts[name] = self._counts.get(name, 0) + more
        return self._counts[name]


def share(items: Sequence[T], group: ProcessGroup) -> Sequence[T]:
    """Return this process's share: every so-manyth item, so that what is long is spread evenly."""
    return items[group.rank :: group.size]


def started_by_torchrun() -> bool:
    """Whether this process was started together with others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ
