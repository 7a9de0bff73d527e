"""Copies of the embedded benchmark, whose files a test may replace."""

import os
import shutil
from pathlib import Path

from harness.shapes.benchmark import embedded_data

IMAGES = (".jpg", ".png")


def copy_benchmark(root: Path) -> Path:
    """Copy the embedded benchmark to a new folder `root`, its images as links to the same files.

    An image that is to change has to be replaced (`replace_image`): all copies would change with
    one that is written in place.
    """
    return Path(shutil.copytree(embedded_data().root, root, copy_function=_copy))


def replace_image(path: Path, content: bytes) -> None:
    """Put another file in the place of an image of a copy."""
    path.unlink()
    path.write_bytes(content)


def _copy(source: str, target: str) -> None:
    (os.link if source.endswith(IMAGES) else shutil.copy2)(source, target)
