"""How much memory this process may still take: the machine's, or less where a control group of Linux (Slurm, Docker) limits it."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PAGE = 4096


def free_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that can be taken without swapping; None where the system does not tell. `root` is where /proc and /sys are."""
    available = _available(root)
    return None if available is None else max(0, min([available, *_left_in_groups(root)]))


def taken_memory(root: Path = Path("/")) -> int:
    """Return the bytes of memory that this process has now, 0 where the system does not tell."""
    try:
        return int((root / "proc/self/statm").read_text().split()[1]) * (
            os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else PAGE
        )
    except (OSError, ValueError, IndexError):
        return 0


def release_freed_memory() -> None:
    """Give back what was freed of this process's memory: GNU's C library keeps it otherwise, and takes more for other sizes."""
    with suppress(OSError, TypeError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _available(root: Path) -> int | None:
    found = _number(root / "proc/meminfo", "MemAvailable:")
    if found is not None:
        return found * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _left_in_groups(root: Path) -> Iterator[int]:
    """Yield what each control group above this process has left; what it could drop from its file cache counts as left."""
    for group in _groups(root):
        for limit, used, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            most, now = _number(group / limit), _number(group / used)
            if most is not None and now is not None:
                yield most - now + (_number(group / "memory.stat", cache) or 0)


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of the control groups of this process: versions 1 and 2, and each with those above it."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            top = root / "sys/fs/cgroup" / controllers
            folder = top / path.lstrip("/")
            yield from [folder, *(above for above in folder.parents if above.is_relative_to(top))]


def _number(path: Path, name: str = "") -> int | None:
    """Return the number after `name` at the beginning of a line of a file (the first one for no name); None where there is none (`max`)."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.split()
        if words and (not name or words[0] == name):
            number = words[1 if name else 0]
            return int(number) if number.isdecimal() else None
    return None
