"""How much memory a process may use: the machine's, or less in a control group (Slurm, Docker)."""

import ctypes
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from traceback import clear_frames

PAGE = 4096
# M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of `malloc.h`: the largest that it chooses itself.
KEPT = {-3: 32 * 2**20, -1: 64 * 2**20}
CPU_OUT_OF_MEMORY = "can't allocate memory"  # torch has an exception of its own for GPUs only


def free_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that can be allocated without swapping; None if the system does not say.

    `root` is the folder of /proc and /sys.
    """
    available = _available(root)
    return None if available is None else max(0, min([available, *_cgroup_headroom(root)]))


def taken_memory(root: Path = Path("/")) -> int:
    """Return the resident bytes of this process; 0 if the system does not say."""
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else PAGE
    try:
        return int((root / "proc/self/statm").read_text().split()[1]) * page
    except (OSError, ValueError, IndexError):
        return 0


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory is full: Python's, torch's, or of its allocators.

    torch is not imported: whoever raised its error has done so.
    """
    if isinstance(error, MemoryError):
        return True
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and CPU_OUT_OF_MEMORY in str(error)


def forget_locals(error: BaseException) -> None:
    """Clear the local variables of the calls that an error and its causes ended.

    They hold what filled the memory. From Python 3.13 on, an error that passed a context manager is
    part of a cycle, and would keep them until garbage is collected.
    """
    link: BaseException | None = error
    cleared: set[int] = set()  # errors can be causes of one another: `raise error from error`
    while link is not None and id(link) not in cleared:
        cleared.add(id(link))
        clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def release_freed_memory() -> None:
    """Return freed memory to the system.

    GNU's C library keeps it otherwise, and allocates more for other sizes.
    """
    with suppress(OSError, TypeError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def keep_freed_memory() -> None:
    """Let GNU's C library keep up to 64 MB that was freed, for what is allocated next.

    It does so by itself once a block of 32 MB was freed. A small model never frees one: each of its
    layers would get its memory from the system, page by page, and give it back. Thresholds that
    the environment sets are left alone.
    """
    if any(f"MALLOC_{name}_THRESHOLD_" in os.environ for name in ("MMAP", "TRIM")):
        return  # the user's own choice
    with suppress(OSError, TypeError, AttributeError):  # another C library
        for parameter, size in KEPT.items():
            ctypes.CDLL(None).mallopt(parameter, size)


def release_mapped_pages(path: Path) -> None:
    """Take what was read of a mapped file out of this process's memory; Linux only.

    A page that is needed again comes from the system's cache. Numbers written into a mapping would
    be lost: weights are copied from theirs.
    """
    for begin, end in _mappings(path.resolve()):
        with suppress(OSError, TypeError, AttributeError):
            ctypes.CDLL(None).madvise(
                ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), mmap.MADV_DONTNEED
            )


def _mappings(path: Path) -> Iterator[tuple[int, int]]:
    """Yield the addresses (begin, end) that a file is mapped to."""
    try:
        lines = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split(maxsplit=5)  # addresses, permissions, offset, device, inode, path
        if len(words) == 6 and words[5] == str(path) and words[1].endswith("p"):
            begin, _, end = words[0].partition("-")
            yield int(begin, 16), int(end, 16)


def _available(root: Path) -> int | None:
    kilobytes = _number(root / "proc/meminfo", "MemAvailable:")
    if kilobytes is not None:
        return kilobytes * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _cgroup_headroom(root: Path) -> Iterator[int]:
    """Yield the free bytes under each enclosing cgroup's limit; reclaimable file cache is free."""
    for group in _cgroup_folders(root):
        for limit_file, use_file, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit, use = _number(group / limit_file), _number(group / use_file)
            if limit is not None and use is not None:
                yield limit - use + (_number(group / "memory.stat", cache) or 0)


def _cgroup_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of this process's control groups, versions 1 and 2, with all parents."""
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
    """Return the number after `name` at the beginning of a line, or the first without a name.

    None where there is no number, such as `max`.
    """
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
