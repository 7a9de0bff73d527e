"""Annotations of the real benchmarks, where this machine has them.

They are too large to commit, and belong to others.
"""

from pathlib import Path

from tests.support.golden import TESTS, golden_folder


def real_data(name: str) -> Path:
    """Return the folder of a benchmark in `data` beside the goldens or the checkout, if any."""
    beside = [golden_folder().parent / "data", TESTS.parent.parent / "shared" / "data"]
    return next((data / name for data in beside if (data / name).is_dir()), beside[-1] / name)


REAL = real_data("nlvr2")
