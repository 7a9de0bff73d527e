"""Compare files and counts with what is published about them.

These facts hold for the real benchmarks, never for the embedded one. A folder that differs can
still be evaluated, but is not the official split.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from harness.dataset import Count, Digest
from harness.errors import DataError

BLOCK = 2**20  # bytes read at a time


def digest_deviation(path: Path, published: Digest | None) -> str | None:
    """Return how a file's digest differs from the published one; None where it does not.

    Raises DataError if the file cannot be read.
    """
    if published is None:
        return None
    digest = digest_of(path, published.algorithm)
    if digest == published.value:
        return None
    return f"its {published.algorithm} is {digest}, but {published.value} in {published.source}"


def count_deviations(counts: Mapping[str, int], published: Mapping[str, Count]) -> list[str]:
    """Return how the counts of a split differ from the published ones, one sentence each."""
    return [
        f"{count:,} {name}, officially {_in_words(published[name])}"
        for name, count in counts.items()
        if name in published and not _matches(count, published[name])
    ]


def digest_of(path: Path, algorithm: str) -> str:
    """Return the digest of a file in hexadecimal. Raises DataError if it cannot be read."""
    try:
        hasher = hashlib.sha1() if algorithm == "git-blob" else hashlib.new(algorithm)
        if algorithm == "git-blob":
            hasher.update(b"blob %d\0" % path.stat().st_size)
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                hasher.update(block)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return hasher.hexdigest()


def _matches(count: int, official: Count) -> bool:
    low, high = official if isinstance(official, tuple) else (official, official)
    return low <= count <= high


def _in_words(official: Count) -> str:
    return f"{official:,}" if isinstance(official, int) else f"{official[0]:,} to {official[1]:,}"
