"""How the processes of a run talk: torch's process groups over gloo, whatever the devices. What they say is short."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import torch.distributed as dist

from harness.errors import HarnessError, UsageError
from harness.running.distributed import ProcessGroup

T = TypeVar("T")
KEPT = "what was predicted is kept, run the same command to go on"
PATIENCE = timedelta(
    days=2
)  # one process may score for long while the others wait; one that has died is noticed at once


class Processes:
    """The processes that torchrun started: implements `harness.running.distributed.ProcessGroup`."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._store = dist.distributed_c10d._get_default_store()

    def all_gather(self, value: T) -> list[T]:
        """Return what each process gave, in order of rank. Raises HarnessError where one of them is gone."""
        found: list[Any] = [None] * self.size
        try:
            dist.all_gather_object(found, value)
        except RuntimeError as error:
            raise HarnessError(
                f"process {self.rank} of {self.size}: another process of this run has ended; {KEPT}"
            ) from error
        return found

    def count(self, name: str, more: int) -> int:
        """Add to a number that all processes see, and return it."""
        return int(self._store.add(name, more))


@contextmanager
def joined() -> Iterator[ProcessGroup]:
    """Join the other processes of this run. Raises UsageError where they cannot be found."""
    try:
        dist.init_process_group("gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"the other processes of this run cannot be found ({error}); start them with torchrun"
        ) from error
    processes = Processes()
    signal.signal(signal.SIGTERM, partial(_told_to_end, processes))
    try:
        yield processes
    finally:
        dist.destroy_process_group()


def _told_to_end(processes: Processes, *_: object) -> None:
    """torchrun ends all processes when one of them has died."""
    raise HarnessError(
        f"process {processes.rank} of {processes.size}: told to end, as another one has died or the run was stopped; {KEPT}"
    )
