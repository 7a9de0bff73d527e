"""Intervals of chance levels, in the cache: models share them.

A file is named by the SHA-256 of everything that its interval follows from: labels and images, the
code of `harness.statistics` and of the chance level, and the release of NumPy. So no file is out of
date. (Processors of different kinds may differ in the last digits, as they do without a cache.)
"""

import hashlib
import platform
import zlib
from collections.abc import Callable, Sequence
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
    arrays: Sequence[NDArray[Any]], code: Path, compute: Callable[[], Interval]
) -> Interval:
    """Return the interval that `compute` makes of arrays by a formula in the file `code`.

    It is computed where the cache does not hold it, and written there, if it can be.

    >>> labels, code = np.array([[1, 0]], dtype=np.int8), Path(__file__)
    >>> kept_interval([labels], code, lambda: Interval(40.0, 60.0))
    Interval(low=40.0, high=60.0)
    >>> kept_interval([labels], code, lambda: Interval(0.0, 0.0))
    Interval(low=40.0, high=60.0)
    """
    path = cache_folder() / "intervals" / f"{_digest(arrays, code)}.json"
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
        sound = all(map(is_number, interval)) and content.get("crc") == _crc(interval)
    except (DataError, LookupError, TypeError, OverflowError):
        return None
    return interval if sound else None


def _crc(interval: Interval) -> int:
    return zlib.crc32(np.array(interval, dtype="<f8").tobytes())


def _digest(arrays: Sequence[NDArray[Any]], code: Path) -> str:
    digest = hashlib.sha256(_computing(code).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str} {list(array.shape)}".encode() + array.tobytes())
    return digest.hexdigest()


@cache
def _computing(code: Path) -> str:
    """Return the code behind intervals, by its hashes, and what it runs on."""
    files = (code, *sorted(Path(bootstrap.__file__).parent.glob("*.py")))
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return " ".join([*hashes, np.__version__, platform.machine()])
