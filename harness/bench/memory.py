"""How much memory a call takes, above what was there before it."""

from collections.abc import Callable
from pathlib import Path

import torch

from harness.engine.device import Device
from harness.engine.memory import release_freed_memory

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
HIGH_WATER = "5"  # what is written to `clear_refs` to begin a new high-water mark (Linux, proc(5))


def peak_of(call: Callable[[], object], device: Device) -> int | None:
    """Return the bytes that `call` had at most above what there was before; None where the system does not tell.

    On a GPU those of torch's allocator, otherwise the process's resident pages, whoever holds them.
    """
    if device.torch.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device.torch)
        before = torch.cuda.memory_allocated(device.torch)
        call()
        return torch.cuda.max_memory_allocated(device.torch) - before
    release_freed_memory()  # it would hide what the call needs
    try:
        before = _pages("VmRSS")
        FORGET.write_text(HIGH_WATER)
    except (OSError, KeyError):
        return None
    call()
    return max(0, _pages("VmHWM") - before)


def _pages(name: str) -> int:
    """Return a number of bytes that the system tells of this process."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) * 1024
