"""The fingerprint of every sample's inputs, made while they are prepared."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from zlib import crc32

from harness.images import Prepared, Region, View, image_file
from harness.records.fingerprints import Fingerprint, checksum
from harness.running.prepared import contents_of
from harness.task import Sample, SampleId, Task


class InputChecksums:
    """Checksums of image files and of prepared views, collected by the threads that decode them."""

    def __init__(self) -> None:
        self._files: dict[Path, int] = {}
        self._views: dict[View, int] = {}

    def add(self, prepared: Prepared) -> None:
        """Note the views of one image file, as they were prepared, and its bytes."""
        path = image_file(next(iter(prepared)))
        if path not in self._files:
            self._files[path] = checksum([path.read_bytes()])
        for view, pixels in prepared.items():
            if view not in self._views:
                self._views[view] = checksum(contents_of(pixels))

    def of(self, task: Task, samples: Iterable[Sample]) -> dict[SampleId, str]:
        """Return the fingerprint of each sample whose images were prepared, by its id."""
        known: dict[tuple[View, ...], tuple[int, int] | None] = {}
        fingerprints: dict[SampleId, str] = {}
        for sample in samples:
            images = sample.images
            if images not in known:
                known[images] = self._of_images(images)
            if (of_images := known[images]) is not None:
                fingerprint = Fingerprint(*of_images, checksum_of_texts(task, sample))
                fingerprints[sample.id] = fingerprint.to_text()
        return fingerprints

    def _of_images(self, images: Sequence[View]) -> tuple[int, int] | None:
        """Return the checksums of files and of pixels; None where an image was not prepared."""
        if not all(view in self._views for view in images):
            return None
        pixels = (self._views[view].to_bytes(4, "big") for view in images)
        return checksum_of_files(images, self._files), checksum(pixels)


def checksum_of_file(path: Path) -> int:
    """Return the checksum of a file, 0 where it cannot be read."""
    if not path.is_file():  # opening a pipe would block for ever
        return 0
    try:
        return checksum([path.read_bytes()])
    except OSError:
        return 0


def checksum_of_files(images: Sequence[View], files: Mapping[Path, int]) -> int:
    """Return the checksum of a sample's images by their files' content and the regions shown."""
    return checksum(
        json.dumps(
            [files[image_file(view)], view.box if isinstance(view, Region) else None]
        ).encode()
        for view in images
    )


def checksum_of_texts(task: Task, sample: Sample) -> int:
    """Return the checksum of the texts of a sample that the model reads."""
    texts = task.texts(sample)
    if len(texts) == 1:  # in half of the time: a run may be continued with 400,000 of them
        content = texts[0].encode("utf-8", "surrogatepass")
        return crc32(content, crc32(len(content).to_bytes(8, "big")))
    return _checksum_of_texts(tuple(texts))


@lru_cache(maxsize=4)  # all boxes of OVAD have the same thousands of sentences
def _checksum_of_texts(texts: tuple[str, ...]) -> int:
    return checksum(text.encode("utf-8", "surrogatepass") for text in texts)
