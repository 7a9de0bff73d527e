"""Whether a resumed run has the inputs that its predictions were made from.

Texts are compared before anything is predicted. Image files, gigabytes of them, are read in threads
while the run goes on, once it has predicted a first batch: what it predicts meanwhile carries its
own fingerprints. The run ends as soon as a file turns out to be another one, and is not scored
before all of them were compared.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import compress, groupby
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from harness.errors import IdentityError
from harness.images import View, image_file
from harness.records.fingerprints import PARTS
from harness.records.predictions import PredictionFile
from harness.running.inputs.sample_inputs import (
    checksum_of_file,
    checksum_of_files,
    checksum_of_texts,
)
from harness.task import Sample, SampleId, Task, without_garbage_collection

NAMED = 3  # samples that a message names
AT_ONCE = 256  # samples that a thread takes
FILES, TEXTS = PARTS.index("files"), PARTS.index("texts")


class _Unread(NamedTuple):
    """Samples whose image files are to be read, with the checksums [n] of what they were."""

    samples: Sequence[Sample]
    files: NDArray[np.uint32]


NOTHING = _Unread([], np.empty(0, dtype=np.uint32))


class FileCheck:
    """Compares the inputs of predictions with those of today; a block, at whose end it stops."""

    def __init__(self, task: Task, samples: Sequence[Sample], *, workers: int) -> None:
        self._task, self._samples = task, samples
        self._reading = ThreadPoolExecutor(max(1, workers))
        self._pending: list[Future[None]] = []
        self._file: PredictionFile | None = None
        self._unread = NOTHING
        self._checksums: dict[Path, int] = {}
        self._changed: dict[SampleId, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Read no further files."""
        self._reading.shutdown(cancel_futures=True)

    def begin(self, file: PredictionFile) -> None:
        """Compare the texts behind the predictions in a file; `read_images` compares the images.

        Raises IdentityError, naming samples, where texts changed.
        """
        self._file = file
        if not file.fingerprints:
            return
        numbers, known = file.fingerprints.parts_of([sample.id for sample in self._samples])
        samples, numbers = list(compress(self._samples, known)), numbers[known]
        with without_garbage_collection():
            checksums = (checksum_of_texts(self._task, sample) for sample in samples)
            now = np.fromiter(checksums, np.uint32, len(samples))
        for sample in compress(samples, now != numbers[:, TEXTS]):
            self._changed[sample.id] = "texts"
        self.raise_if_changed()
        self._unread = _Unread(samples, numbers[:, FILES].copy())

    def read_images(self) -> None:
        """Begin to read the image files, in threads; nothing at a second call."""
        unread, self._unread = self._unread, NOTHING
        for first in range(0, len(unread.samples), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            self._pending.append(
                self._reading.submit(self._compare, unread.samples[part], unread.files[part])
            )

    def raise_if_changed(self) -> None:
        """Raise IdentityError if a change was found so far, naming all samples with one."""
        if self._changed:
            self.finish()

    def finish(self) -> None:
        """Wait until all files were read. Raises IdentityError, naming samples, for a change."""
        self.read_images()
        for part in self._pending:
            part.result()
        changed, file = self._changed, self._file
        if changed and file is not None:
            named = "; ".join(f"{id!r} ({what})" for id, what in list(changed.items())[:NAMED])
            raise IdentityError(
                f"{file.path}: {len(changed)} of its predictions were made from other inputs than "
                f"those of today, of sample {named}{'; ...' if len(changed) > NAMED else ''}; "
                "give these back, or predict anew with --fresh"
            )

    def _compare(self, samples: Sequence[Sample], before: NDArray[np.uint32]) -> None:
        for images, group in groupby(zip(samples, before.tolist(), strict=True), _images):
            for path in map(image_file, images):
                if path not in self._checksums:  # two threads may read one file: no harm
                    self._checksums[path] = checksum_of_file(path)
            now = checksum_of_files(images, self._checksums)
            if changed := [sample.id for sample, checksum in group if checksum != now]:
                names = ", ".join(dict.fromkeys(image_file(view).name for view in images))
                self._changed.update(dict.fromkeys(changed, names))


def _images(pair: tuple[Sample, int]) -> tuple[View, ...]:
    return pair[0].images
