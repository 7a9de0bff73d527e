"""Decode every image that samples need, and compare it with what the annotations say about it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from harness.callbacks import Report
from harness.data.inventory import LoadedSplit
from harness.errors import DataError
from harness.images import STRICT, Region, View, decoding, image_file, read_head, read_views
from harness.task import Task


@dataclass(frozen=True)
class ImageProblem:
    """An image that cannot be decoded, or that contradicts the annotations of `needed_by`."""

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


def verify(
    splits: Sequence[LoadedSplit], *, workers: int, report: Report, images: str = STRICT
) -> list[ImageProblem]:
    """Return the problems of all images, in the order of the annotations; decodes each file once.

    `images` is the policy that decodes them, as for a run (`harness.images.decoding`). Leaves out
    absent folders: the inventory reports one as a single file to get.
    """
    uses = _uses(splits)
    folders = {folder: folder.is_dir() for folder in {path.parent for path in uses}}
    present = [path for path in uses if folders[path.parent]]
    problems: list[ImageProblem] = []
    with decoding(images), ThreadPoolExecutor(max(1, workers)) as pool:
        results = pool.map(lambda path: list(_problems(path, uses[path])), present)
        for done, result in enumerate(results):
            report(done, len(present))
            problems += result
    report(len(present), len(present))
    return problems


def _uses(splits: Sequence[LoadedSplit]) -> dict[Path, list[_Use]]:
    uses: dict[Path, list[_Use]] = {}
    for loaded in splits:
        for sample in loaded.samples:
            for path in dict.fromkeys(map(image_file, sample.images)):
                uses.setdefault(path, []).append(_Use(loaded.task, loaded.split, sample))
    return uses


def _problems(path: Path, uses: Sequence[_Use]) -> Iterator[ImageProblem]:
    """Yield that a file cannot be decoded, or else each contradiction with its annotations."""
    titles = tuple(dict.fromkeys(use.title for use in uses))
    views: list[View] = [
        view for use in uses for view in use.sample.images if image_file(view) == path
    ]
    try:
        # One decoding serves all views; only the size of the whole image is needed here.
        sizes = read_views(
            [*dict.fromkeys(views), path], _size, needed_by=f"sample {uses[0].sample.id}"
        )
    except DataError as error:
        yield ImageProblem(path, str(error).removeprefix(f"{path}: "), titles)
        return
    except MemoryError:
        yield ImageProblem(path, "does not fit into the memory of this machine", titles)
        return
    width, height = sizes[path]
    stored, upright = (width, height), _upright_size(path, views) or (width, height)
    by_reason: dict[str, dict[str, None]] = {}
    for use in uses:
        # A region, such as a photo of own data that lies on a side, counts in upright pixels.
        regions = any(isinstance(view, Region) for view in use.sample.images)
        image_sizes = [upright if regions else stored] * len(use.sample.images)
        if reason := use.task.check_annotation(use.sample, image_sizes):
            by_reason.setdefault(reason, {})[use.title] = None
    for reason, users in by_reason.items():
        yield ImageProblem(path, reason, tuple(users))


def _size(image: Image.Image) -> tuple[int, int]:
    return image.size


def _upright_size(path: Path, views: Sequence[View]) -> tuple[int, int] | None:
    """Return the size by the EXIF orientation of a file that decodes, if a view is a region."""
    return read_head(path).upright if any(isinstance(view, Region) for view in views) else None
