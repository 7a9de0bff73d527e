"""Decode every image that samples need, and compare it with what the annotations say of it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.callbacks import Report
from harness.data.inventory import Read
from harness.errors import DataError
from harness.images import View, image_file, read_views
from harness.task import Task


@dataclass(frozen=True)
class Misfit:
    """An image that cannot be used, or does not fit what is said of it; `needed_by` are the splits that need it."""

    path: Path
    reason: str
    needed_by: tuple[str, ...]


@dataclass(frozen=True)
class _Use:
    task: Task
    split: str
    sample: Any

    @property
    def title(self) -> str:
        return f"{self.task.name} {self.split}"


def verify(read: Sequence[Read], *, workers: int, report: Report) -> list[Misfit]:
    """Return every image that does not fit, in the order in which the annotations name them; each file is decoded once.

    A folder that is not there at all is left to the inspection: it is one thing to get, not thousands.
    """
    uses = _uses(read)
    folders = {folder: folder.is_dir() for folder in {path.parent for path in uses}}
    present = [path for path in uses if folders[path.parent]]
    misfits: list[Misfit] = []
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for done, found in enumerate(
            pool.map(lambda path: list(_misfits(path, uses[path])), present)
        ):
            report(done, len(present))
            misfits += found
    report(len(present), len(present))
    return misfits


def _uses(read: Sequence[Read]) -> dict[Path, list[_Use]]:
    uses: dict[Path, list[_Use]] = {}
    for one in read:
        for sample in one.samples:
            for path in dict.fromkeys(map(image_file, sample.images)):
                uses.setdefault(path, []).append(_Use(one.task, one.split, sample))
    return uses


def _misfits(path: Path, uses: Sequence[_Use]) -> Iterator[Misfit]:
    """Yield what is wrong with one file: that it cannot be decoded, or else each thing that does not fit it."""
    titles = tuple(dict.fromkeys(use.title for use in uses))
    views: list[View] = list(
        dict.fromkeys(
            view for use in uses for view in use.sample.images if image_file(view) == path
        )
    )
    try:
        # A file is decoded once for all of its views; what a part of it is cut to does not matter here.
        sizes = read_views([*views, path], _size, needed_by=f"sample {uses[0].sample.id}")
    except DataError as error:
        yield Misfit(path, str(error).removeprefix(f"{path}: "), titles)
        return
    width, height = (int(number) for number in sizes[path])
    reasons: dict[str, dict[str, None]] = {}
    for use in uses:
        if reason := use.task.check_annotation(
            use.sample, [(width, height)] * len(use.sample.images)
        ):
            reasons.setdefault(reason, {})[use.title] = None
    for reason, found in reasons.items():
        yield Misfit(path, reason, tuple(found))


def _size(image: Image.Image) -> NDArray[np.uint8]:
    return np.array(image.size)
