"""The time and the peak memory of one call."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from harness.engine.device import Device
from harness.engine.memory import release_freed_memory

R = TypeVar("R")
STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # written to `clear_refs`, resets the peak resident size (Linux, proc(5))


@dataclass(frozen=True)
class Timed(Generic[R]):
    """The value that a call returned, and the seconds it took."""

    value: R
    seconds: float


def time_call(call: Callable[[], R], device: Device) -> Timed[R]:
    """Call in the device's precision and measure the time.

    A single thread on a CPU is measured by its processor time, which other processes on the machine
    do not lengthen.
    """
    single_thread = device.torch.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if single_thread else time.perf_counter
    with device.computing():
        _synchronize(device)
        start = clock()
        value = call()
        _synchronize(device)
        return Timed(value, clock() - start)


def peak_memory(call: Callable[[], object], device: Device) -> int | None:
    """Return the peak memory of a call in bytes, above the memory in use before it.

    On a GPU, it is counted by torch's allocator; on a CPU, it is the resident size of the process.
    Returns None where the system does not report it.
    """
    if device.torch.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device.torch)
        before = torch.cuda.memory_allocated(device.torch)
        call()
        return torch.cuda.max_memory_allocated(device.torch) - before
    release_freed_memory()  # the call could reuse freed pages without any growth
    try:
        before = _status_bytes("VmRSS")
        CLEAR_REFS.write_text(RESET_PEAK)
    except (OSError, KeyError):
        return None
    call()
    return max(0, _status_bytes("VmHWM") - before)


def _synchronize(device: Device) -> None:
    """Wait until a GPU has finished all launched operations."""
    if device.torch.type == "cuda":
        torch.cuda.synchronize(device.torch)


def _status_bytes(name: str) -> int:
    """Return an entry of this process's status, which is in kB, in bytes."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024
