"""What is made once for all test processes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def shared(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None] = lambda folder: None
) -> Path:
    """A folder of all test processes; the first one that needs it makes its content."""
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = root / name, root / f"{name}.done"
    with FileLock(root / f"{name}.lock"):
        if not done.exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            done.touch()
    return folder
