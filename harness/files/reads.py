"""Files that a command reads once: hashed by the bytes that are parsed, shared by several splits.

    with reading_into(Reads(share=True)):
        references = read_references(refs, instances)     # decorated by `shared`
        digest = sha256_of_read(refs)                     # of the very bytes that were parsed

A file counts as unchanged while its inode, size and time of change are the same. Outside of such a
block, files are read as often as they are named.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from threading import RLock
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
State = tuple[int, int, int]  # inode, bytes, nanoseconds of the last change


@dataclass
class Reads:
    """What was read: digests by path, and with `share` the last result of `shared` functions."""

    share: bool
    digests: dict[Path, tuple[State, str]] = field(default_factory=dict)
    results: dict[Any, tuple[Any, list[State | None], Any]] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)  # of `shared` functions, for several threads


_reads: ContextVar[Reads | None] = ContextVar("reads", default=None)


@contextmanager
def reading_into(reads: Reads) -> Iterator[None]:
    """Remember in `reads` what this thread reads in a block; other threads may do so meanwhile.

    That is digests and, with `share`, what `shared` functions made of the files.
    """
    before = _reads.get()
    _reads.set(reads)
    try:
        yield
    finally:
        _reads.set(before)


def file_state(path: Path) -> State | None:
    """Return what tells a file from a later one at its path; None where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def note_read(path: Path, state: State | None, content: bytes) -> None:
    """Note the digest of a file's content, read when it had this state."""
    if (reads := _reads.get()) is not None and state is not None:
        reads.digests[path] = (state, hashlib.sha256(content).hexdigest())


def sha256_of_read(path: Path) -> str | None:
    """Return the SHA-256 of a file that was read and has not changed since, else None."""
    reads = _reads.get()
    if reads is None or path not in reads.digests:
        return None
    state, digest = reads.digests[path]
    return digest if state == file_state(path) else None


def changed_since_read(path: Path) -> bool:
    """Return whether a file was read and has changed since."""
    reads = _reads.get()
    return reads is not None and path in reads.digests and sha256_of_read(path) is None


def shared(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of files and plain values return its last result while the files are the same.

    Callers must not change the result.
    """

    @wraps(function)
    def once(*arguments: P.args, **options: P.kwargs) -> R:
        reads = _reads.get()
        if reads is None or not reads.share:
            return function(*arguments, **options)
        with reads.lock:
            return result_of(reads, *arguments, **options)

    def result_of(reads: Reads, *arguments: P.args, **options: P.kwargs) -> R:
        given = (arguments, tuple(sorted(options.items())))
        states = [file_state(path) for path in arguments if isinstance(path, Path)]
        if once in reads.results:
            before, then, result = reads.results[once]
            if before == given and then == states:
                return result
            del reads.results[once], result
        made = function(*arguments, **options)
        reads.results[once] = (given, states, made)
        return made

    return once
