"""Group samples by image, and decode images ahead of the model: each distinct image of a batch once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from harness.errors import DataError, MissingError
from harness.task import Batch, Region, Sample, View, image_file

AHEAD = 2  # batches decoded before the model asks for them: memory stays bounded, the model does not wait
S = TypeVar("S", bound=Sample)

Prepare = Callable[[Image.Image], NDArray[np.uint8]]
Prepared = dict[View, NDArray[np.uint8]]


def plan_batches(samples: Sequence[S], batch_size: int) -> list[list[S]]:
    """Cut samples into batches of about `batch_size`, keeping those about the same images together.

    Follows from the samples and the size alone, never from what was done before: a resumed run computes the same batches.
    """
    groups: dict[tuple[View, ...], list[S]] = {}
    for sample in samples:
        groups.setdefault(sample.images, []).append(sample)
    batches: list[list[S]] = [[]]
    for group in groups.values():
        if batches[-1] and len(batches[-1]) + len(group) > batch_size:
            batches.append([])
        batches[-1].extend(group)
    return batches if batches[-1] else []


def cut(batch: Sequence[S], batch_size: int) -> list[list[S]]:
    """Cut a planned batch into smaller ones of at most `batch_size`, of which none is longer, even if its samples share their images."""
    pieces = plan_batches(batch, batch_size)
    return [piece[first : first + batch_size] for piece in pieces for first in range(0, len(piece), batch_size)]


def load_batches(
    batches: Sequence[Sequence[Sample]], prepare: Prepare, *, workers: int, leave_out: Callable[[Sample, str], None] | None = None
) -> Iterator[Batch]:
    """Yield the batches with their images, decoded and prepared by `workers` threads ahead of use, in order.

    A file is decoded once for all of its regions in a batch; a thread of its own puts batches together. Raises MissingError or DataError
    for an image that is not there or cannot be decoded, naming file and sample; or tells `leave_out` of every sample that needs it and
    why, and goes on without them.
    """
    with ThreadPoolExecutor(max(1, workers)) as pool, ThreadPoolExecutor(1) as stacking:
        waiting: list[tuple[Future[_Loaded], list[Future[Prepared]]]] = []
        coming = iter(batches)
        try:
            while True:
                while len(waiting) <= AHEAD and (samples := next(coming, None)) is not None:
                    files = [pool.submit(read_views, views, sample, prepare) for views, sample in _by_file(samples)]
                    waiting.append((stacking.submit(_load, samples, files, skip=leave_out is not None), files))
                if not waiting:
                    return
                loaded = waiting.pop(0)[0].result()
                for sample, complaint in loaded.unreadable:
                    assert leave_out is not None
                    leave_out(sample, complaint)
                if loaded.batch is not None:
                    yield loaded.batch
        finally:
            for batch, files in waiting:
                batch.cancel()
                for file in files:
                    file.cancel()


class _Loaded(NamedTuple):
    """A batch of the samples whose images can all be read, if there are any; and the other ones, with what is wrong."""

    batch: Batch | None
    unreadable: list[tuple[Sample, str]]


def _load(samples: Sequence[Sample], files: list["Future[Prepared]"], *, skip: bool) -> _Loaded:
    """Wait for the files of a batch, and stack their images. Raises what is wrong with one, unless its samples are skipped."""
    complaints = {}
    if skip:
        complaints = {
            image_file(views[0]): bad for (views, _), file in zip(_by_file(samples), files, strict=True) if (bad := _complaint(file))
        }
    sound, unreadable = [], []
    for sample in samples:
        if found := [complaints[path] for view in sample.images if (path := image_file(view)) in complaints]:
            unreadable.append((sample, found[0]))
        else:
            sound.append(sample)
    images = {view: image for file in files if not skip or _complaint(file) is None for view, image in file.result().items()}
    files.clear()  # stacked, they are not needed a second time
    return _Loaded(_batch(sound, images) if sound else None, unreadable)


def _complaint(file: "Future[Prepared]") -> str | None:
    """Wait for a file, and say what is wrong with it."""
    error = file.exception()
    if error is None or isinstance(error, DataError):
        return None if error is None else str(error)
    raise error


def _by_file(samples: Sequence[Sample]) -> Iterator[tuple[list[View], Sample]]:
    """Yield the distinct views of each image file, with the first sample that needs it."""
    views: dict[Path, tuple[dict[View, None], Sample]] = {}
    for sample in samples:
        for view in sample.images:
            views.setdefault(image_file(view), ({}, sample))[0][view] = None
    for distinct, sample in views.values():
        yield list(distinct), sample


def _batch(samples: Sequence[Sample], images: Prepared) -> Batch:
    number = {view: index for index, view in enumerate(images)}
    image_of = np.array([[number[view] for view in sample.images] for sample in samples], dtype=np.int64)
    return Batch(samples=samples, images=np.stack(list(images.values())), image_of=image_of)


def read_views(views: Sequence[View], sample: Sample, prepare: Prepare) -> Prepared:
    """Decode an image file and prepare every view of it. Raises as `load_batches` does."""
    path = image_file(views[0])
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise DataError(f"{path}: is not a file (needed by sample {sample.id}); get the image again")
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):  # an annotation may not show what lies elsewhere
        raise DataError(f"{path}: is a link that leads out of its folder (needed by sample {sample.id}); link the whole folder instead")
    try:
        with Image.open(path) as image:
            image.load()
            return {view: prepare(_cut(image, view.box) if isinstance(view, Region) else image) for view in views}
    except FileNotFoundError as error:
        raise MissingError(f"{path}: no such image (needed by sample {sample.id})") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: is no image that Pillow can read (needed by sample {sample.id}); get the file again") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be decoded: {error} (needed by sample {sample.id}); get the file again") from error


def _cut(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return a part of an image, upright and in colour; what lies beyond the border is cut off. Raises ValueError where nothing is left."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    x, y, width, height = box
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, upright.width), min(y + height, upright.height)
    if left >= right or top >= bottom:
        raise ValueError(f"the region {list(box)} lies outside of the {upright.width} x {upright.height} pixels")
    return upright.crop((left, top, right, bottom))
