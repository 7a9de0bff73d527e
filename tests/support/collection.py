"""What is kept from the garbage collector during tests: all that is there after their collection.

A run keeps objects from it too, unless its caller does. Whether that is so, Python knows only by
counting every one of them, half a million in a test process: runs are spared it.
"""

from contextlib import nullcontext

import pytest

from harness.running import launch

_keeping = launch.keeping_from_collection  # before any test replaces it


def spare_counting(patch: pytest.MonkeyPatch) -> None:
    """Have runs take for granted that their caller keeps objects from the garbage collector."""
    patch.setattr(launch, "keeping_from_collection", nullcontext)


def keep_as_runs_do(patch: pytest.MonkeyPatch) -> None:
    """Have runs look whether their caller does."""
    patch.setattr(launch, "keeping_from_collection", _keeping)
