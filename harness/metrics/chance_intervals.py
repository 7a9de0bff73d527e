"""Intervals of chance levels, in the cache: no prediction enters them, so models share them.

A file is named by the SHA-256 of everything that its interval follows from: the counts of labels,
the code of `harness.statistics` and of the chance level, and the release of NumPy. So no file is
ever out of date.
"""

import hashlib
import platform
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.files.atomic import write_json
from harness.files.parsing import is_number, read_json
from harness.files.paths import cache_folder
from harness.statistics import bootstrap
from harness.statistics.interval import Interval


def kept_interval(
    rows: NDArray[np.floating[Any]], code: Path, compute: Callable[[], Interval]
) -> Interval:
    """Return the interval of a function of sums of `rows` [C, k], whose formula is in `code`.

    It is computed where the cache does not hold it, and written there, if it can be.

    >>> rows, code = np.array([[1.0, 2.0]]), Path(__file__)
    >>> kept_interval(rows, code, lambda: Interval(40.0, 60.0))
    Interval(low=40.0, high=60.0)
    >>> kept_interval(rows, code, lambda: Interval(0.0, 0.0))
    Interval(low=40.0, high=60.0)
    """
    path = cache_folder() / "intervals" / f"{_digest(rows, code)}.json"
    if (kept := _read(path)) is not None:
        return kept
    interval = compute()
    with suppress(OSError, ValueError):  # a cache that cannot be written, an interval of NaN
        write_json(path, {"interval": interval, "crc": _crc(interval)})
    return interval


def _read(path: Path) -> Interval | None:
    """Return the interval in a file; None without one, and for a damaged file."""
    try:
        content = read_json(path)
        interval = Interval(*content["interval"])
    except (DataError, LookupError, TypeError):
        return None
    if all(map(is_number, interval)) and content.get("crc") == _crc(interval):
        return interval
    return None


def _crc(interval: Interval) -> int:
    return zlib.crc32(np.array(interval, dtype="<f8").tobytes())


def _digest(rows: NDArray[np.floating[Any]], code: Path) -> str:
    counts = np.ascontiguousarray(rows, dtype="<f8")
    digest = hashlib.sha256(f"{list(counts.shape)} {_computing(code)}".encode())
    digest.update(counts.tobytes())
    return digest.hexdigest()


@cache
def _computing(code: Path) -> str:
    """Return the code behind intervals, by its hashes, and what it runs on."""
    files = (code, *sorted(Path(bootstrap.__file__).parent.glob("*.py")))
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return " ".join([*hashes, np.__version__, platform.machine()])
