"""The group of processes that torchrun started: torch's process group over gloo, on any device."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import torch.distributed as dist

from harness.errors import HarnessError
from harness.running.processes.distributed import ProcessGroup
from harness.running.processes.rendezvous import Rendezvous, meet

T = TypeVar("T")
KEPT = "what was predicted is kept, run the same command to go on"
# One process may score for long while the others wait; a dead process is noticed at once.
TIMEOUT = timedelta(days=2)


class TorchrunGroup:
    """The processes of torchrun. Implements `ProcessGroup`."""

    def __init__(self, met: Rendezvous) -> None:
        """Connect with the processes that were met. Raises HarnessError where that fails."""
        self.rank, self.size, self._store, wait = met
        try:
            dist.init_process_group(
                "gloo", store=met.store, rank=met.rank, world_size=met.size, timeout=wait
            )
            # The default group has the timeout of a start, the one that is used that of a run.
            self._group = dist.new_group(timeout=TIMEOUT)
        except (RuntimeError, ValueError) as error:
            raise HarnessError(
                f"process {self.rank} of {self.size}: cannot connect with the others, which have "
                f"started ({error}); see whether a firewall lies between the machines, or name "
                "the network interface that connects them by GLOO_SOCKET_IFNAME"
            ) from error

    def all_gather(self, value: T) -> list[T]:
        """Return the value of every process, in order of rank.

        Raises HarnessError where a process has died.
        """
        values: list[Any] = [None] * self.size
        with self._naming_the_end_of_another():
            dist.all_gather_object(values, value, group=self._group)
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
    """Join the other processes of this run for the length of a block.

    Raises UsageError and HarnessError where they cannot be reached.
    """
    met = meet()
    try:
        with _ending_on_sigterm(met):
            yield TorchrunGroup(met)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


@contextmanager
def _ending_on_sigterm(met: Rendezvous) -> Iterator[None]:
    """Raise HarnessError on SIGTERM within a block; afterwards the former handler is back.

    torchrun sends it to all processes when one of them has died. A thread other than the main one
    can set no handler, and receives no signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, partial(_terminate, met))
    try:
        yield
    finally:
        # None: a handler that was not set from Python, which cannot set it again.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if former is None else former)


def _terminate(met: Rendezvous, *_: object) -> None:
    raise HarnessError(
        f"process {met.rank} of {met.size}: told to end, as another one has died or the run "
        f"was stopped; {KEPT}"
    )
