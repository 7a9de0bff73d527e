"""Where the processes that torchrun started find one another: a store that all of them reach.

Every process leaves a mark in the store and waits for the marks of the others. So a process that
never comes is named, after a time that suits a start; what the processes exchange later may take as
long as a run does.
"""

import os
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import torch.distributed as dist

from harness.errors import HarnessError, UsageError
from harness.files.environment import whole_number

WAIT = "XVLM_EVAL_RENDEZVOUS_SECONDS"
DEFAULT_WAIT = 600  # as long as torchrun's launchers wait for one another
PAUSE = 0.05  # seconds between two looks at the store
NAMED = 8  # processes that a message names
START = "start the processes with torchrun"

# By address, the last store that all met in: process 0 that opened one keeps it open, so that a
# second command finds the counts of the first, and none reaches a store that is about to close.
_kept: dict[tuple[str, str], Any] = {}


class Rendezvous(NamedTuple):
    """The rank of this process, the number of all, their store, and how long they wait."""

    rank: int
    size: int
    store: Any  # a store of torch, whose types name none
    wait: timedelta


def meet() -> Rendezvous:
    """Return the place where all processes have met.

    Raises UsageError where torchrun's variables are absent or wrong, HarnessError where process 0
    cannot be reached or others do not come in time.
    """
    wait = timedelta(seconds=whole_number(WAIT) or DEFAULT_WAIT)
    end = time.monotonic() + wait.total_seconds()
    rank, size = _number("RANK"), _number("WORLD_SIZE")
    if rank >= size:
        raise UsageError(f"RANK={rank}: should be less than WORLD_SIZE={size}; {START}")
    store = _reach(rank, size, wait)
    awaited = ""
    try:
        store = _of_this_command(rank, store)
        store.set(_mark(rank), "")
        for other in range(size):
            awaited = f", while this one waited for process {other}"
            while not store.check([_mark(other)]):
                if time.monotonic() > end:
                    raise _in_vain(rank, size, store, wait)
                time.sleep(PAUSE)
    except RuntimeError as error:
        raise HarnessError(
            f"process {rank} of {size}: process 0, or the torchrun that started it, has ended or "
            f"cannot be reached any more{awaited} ({error}); look into the output of each for why"
        ) from error
    _kept[os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]] = store
    return Rendezvous(rank, size, store, wait)


def _reach(rank: int, size: int, wait: timedelta) -> Any:
    """Return the store of torchrun, or else that of process 0, which opens it."""
    host, port = os.environ.get("MASTER_ADDR"), _number("MASTER_PORT")
    if not host:
        raise UsageError(f"MASTER_ADDR is not set; {START}")
    by_torchrun = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    try:
        return dist.TCPStore(  # type: ignore[attr-defined]
            host,
            port,
            size,
            is_master=rank == 0 and not by_torchrun,
            timeout=wait,
            wait_for_workers=False,
            multi_tenant=True,
        )
    except (RuntimeError, ValueError) as error:
        raise HarnessError(
            f"process {rank} of {size}: cannot meet the others at {host}:{port} ({error}); see "
            "whether process 0 runs there, and whether this machine can reach it"
        ) from error


def _of_this_command(rank: int, store: Any) -> Any:
    """Return the part of a store that belongs to this command. Raises RuntimeError."""
    # The store keeps what processes left that the launcher has started again, and what earlier
    # commands left: of this process, or of a script that it starts. All ranks have as many.
    attempt = f"xvlm-eval/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    command = store.add(f"{attempt}/commands of process {rank}", 1)
    return dist.PrefixStore(f"{attempt}/{command}", store)  # type: ignore[attr-defined]


def _in_vain(rank: int, size: int, store: Any, wait: timedelta) -> HarnessError:
    """Return the error that names the processes that did not come. Raises RuntimeError."""
    absent = [other for other in range(size) if not store.check([_mark(other)])]
    return HarnessError(
        f"process {rank} of {size}: waited {wait.total_seconds():.0f} s for "
        f"{_named(absent)}, in vain; look into the output of each for why it did not "
        "start, and start all machines with the same --nnodes, --nproc-per-node and "
        f"--rdzv-endpoint ({WAIT} sets how long to wait)"
    )


def _number(name: str) -> int:
    """Return a variable that torchrun sets. Raises UsageError where it does not hold a number."""
    if (number := whole_number(name, least=0)) is None:
        raise UsageError(f"{name} is not set; {START}")
    return number


def _mark(rank: int) -> str:
    return f"process {rank}"


def _named(ranks: Sequence[int]) -> str:
    names = ", ".join(map(str, ranks[:NAMED]))
    more = f" and {len(ranks) - NAMED} more" if len(ranks) > NAMED else ""
    return f"process{'es' if len(ranks) > 1 else ''} {names}{more}"
