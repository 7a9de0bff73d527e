"""Group samples by image, and decode images ahead of the model: each distinct image of a batch once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from harness.errors import DataError, MissingError
from harness.task import Batch, Sample

AHEAD = 2  # batches decoded before the model asks for them: memory stays bounded, the model does not wait
S = TypeVar("S", bound=Sample)

Prepare = Callable[[Image.Image], NDArray[np.uint8]]


def plan_batches(samples: Sequence[S], batch_size: int) -> list[list[S]]:
    """Cut samples into batches of about `batch_size`, keeping those about the same images together.

    Follows from the samples and the size alone, never from what was done before: a resumed run computes the same batches.
    """
    groups: dict[tuple[Path, ...], list[S]] = {}
    for sample in samples:
        groups.setdefault(sample.images, []).append(sample)
    batches: list[list[S]] = [[]]
    for group in groups.values():
        if batches[-1] and len(batches[-1]) + len(group) > batch_size:
            batches.append([])
        batches[-1].extend(group)
    return batches if batches[-1] else []


def load_batches(batches: Sequence[Sequence[Sample]], prepare: Prepare, *, workers: int) -> Iterator[Batch]:
    """Yield the batches with their images, decoded and prepared by `workers` threads ahead of use, in order.

    Raises MissingError or DataError for an image that is not there or cannot be decoded, naming file and sample.
    """
    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting: list[tuple[Sequence[Sample], dict[Path, Future[NDArray[np.uint8]]]]] = []
        coming = iter(batches)
        try:
            while True:
                while len(waiting) <= AHEAD and (samples := next(coming, None)) is not None:
                    first = {path: sample for sample in reversed(samples) for path in sample.images}
                    paths = dict.fromkeys(path for sample in samples for path in sample.images)
                    waiting.append((samples, {path: pool.submit(_read, path, first[path], prepare) for path in paths}))
                if not waiting:
                    return
                samples, images = waiting.pop(0)
                yield _batch(samples, {path: image.result() for path, image in images.items()})
        finally:
            for _, images in waiting:
                for image in images.values():
                    image.cancel()


def _batch(samples: Sequence[Sample], images: dict[Path, NDArray[np.uint8]]) -> Batch:
    number = {path: index for index, path in enumerate(images)}
    image_of = np.array([[number[path] for path in sample.images] for sample in samples], dtype=np.int64)
    return Batch(samples=samples, images=np.stack(list(images.values())), image_of=image_of)


def _read(path: Path, sample: Sample, prepare: Prepare) -> NDArray[np.uint8]:
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise DataError(f"{path}: is not a file (needed by sample {sample.id}); get the image again")
    try:
        with Image.open(path) as image:
            image.load()
            return prepare(image)
    except FileNotFoundError as error:
        raise MissingError(f"{path}: no such image (needed by sample {sample.id})") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: is no image that Pillow can read (needed by sample {sample.id}); get the file again") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be decoded: {error} (needed by sample {sample.id}); get the file again") from error
