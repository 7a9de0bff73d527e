"""The group of processes that torchrun started: torch's process group over gloo, on any device."""

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
# One process may score for long while the others wait; a dead process is noticed at once.
TIMEOUT = timedelta(days=2)


class TorchrunGroup:
    """The processes of torchrun. Implements `harness.running.distributed.ProcessGroup`."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._store = dist.distributed_c10d._get_default_store()

    def all_gather(self, value: T) -> list[T]:
        """Return the value of every process, in order of rank.

        Raises HarnessError where a process has died.
        """
        values: list[Any] = [None] * self.size
        with self._naming_the_end_of_another():
            dist.all_gather_object(values, value)
        return values

    def count(self, name: str, more: int) -> int:
        """Add `more` to a counter that all processes share, and return it.

        Raises HarnessError where the machine that keeps the counters has died.
        """
        with self._naming_the_end_of_another():
            return int(self._store.add(name, more))

    @contextmanager
    def _naming_the_end_of_another(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise HarnessError(
                f"process {self.rank} of {self.size}: another process of this run has ended; {KEPT}"
            ) from error


@contextmanager
def joined() -> Iterator[ProcessGroup]:
    """Join the other processes of this run. Raises UsageError where they cannot be reached."""
    try:
        dist.init_process_group("gloo", timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"the other processes of this run cannot be found ({error}); start them with torchrun"
        ) from error
    group = TorchrunGroup()
    signal.signal(signal.SIGTERM, partial(_terminate, group))
    try:
        yield group
    finally:
        dist.destroy_process_group()


def _terminate(group: TorchrunGroup, *_: object) -> None:
    """Raise HarnessError: torchrun sends SIGTERM to all processes when one of them has died."""
    raise HarnessError(
        f"process {group.rank} of {group.size}: told to end, as another one has died or the run "
        f"was stopped; {KEPT}"
    )
