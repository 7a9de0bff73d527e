"""Which process computes which batch: first its own in order, then what slower ones have left.

A process claims each batch before it computes it, by counters that all processes share
(`ProcessGroup.count`). No process waits for another one here, and a slow process keeps no more from
the others than the batch that it is computing.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from harness.running.processes.distributed import ProcessGroup

T = TypeVar("T")


class Claims(Generic[T]):
    """The items dealt to all processes, seen from one of them: every item is claimed once.

    An owner claims its items from the first one on, the others claim them from the last one on. One
    counter for each owner grants claims of both kinds, as long as it granted fewer than the owner
    has items, so the ends never cross; a second one counts those from the last one on.

    own         the items of this process, in order
    claimed     how many of `own` this process has claimed
    available   how many of `own` no other process had taken over when this one claimed last
    taken_over  the items of others that this process has claimed
    """

    def __init__(self, dealt: Sequence[Sequence[T]], group: ProcessGroup, name: str) -> None:
        """Begin without claims. `dealt` and the `name` are the same in all processes."""
        self._dealt, self._group, self._name = dealt, group, name
        self.own = dealt[group.rank]
        self.claimed, self.available = 0, len(self.own)
        self.taken_over: list[T] = []

    def claim_own(self) -> T | None:
        """Claim the next of the own items; return None where none is left."""
        granted = self._granted(self._group.rank)
        if granted is None:
            self.available = self.claimed
            return None
        self.claimed += 1
        self.available = len(self.own) - (granted - self.claimed)
        return self.own[self.claimed - 1]

    def take_over(self, *, leaving: int = 0) -> T | None:
        """Claim the last item of the process with the most unclaimed ones.

        Returns None where no other process has more than `leaving`.
        """
        others = [rank for rank in range(self._group.size) if rank != self._group.rank]
        while others:
            left = {rank: self._unclaimed(rank) for rank in others}
            rank = max(left, key=left.__getitem__)
            if left[rank] <= leaving:
                break
            if self._granted(rank) is not None:
                item = self._dealt[rank][-self._group.count(f"{self._name}: last of {rank}", 1)]
                self.taken_over.append(item)
                return item
        return None

    def _granted(self, rank: int) -> int | None:
        """Ask for an item of a process; return the number granted so far, or None if refused."""
        granted = self._group.count(self._claims_of(rank), 1)
        return granted if granted <= len(self._dealt[rank]) else None

    def _unclaimed(self, rank: int) -> int:
        return len(self._dealt[rank]) - self._group.count(self._claims_of(rank), 0)

    def _claims_of(self, rank: int) -> str:
        return f"{self._name}: claims of {rank}"
