"""Whether a resumed run has the inputs that its predictions were made from.

Texts are compared before anything is predicted. Image files, gigabytes of them, are read in threads
while the run goes on, once it has predicted a first batch: what it predicts meanwhile carries its
own fingerprints. The run ends as soon as a file turns out to be another one, and is not scored
before all of them were compared.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import IdentityError
from harness.images import View, image_file
from harness.records.predictions import PredictionFile
from harness.running.sample_inputs import (
    checksum_of_file,
    checksum_of_files,
    checksum_of_texts,
)
from harness.task import Sample, SampleId, Task, without_garbage_collection

NAMED = 3  # samples that a message names
AT_ONCE = 64  # groups of images that a thread takes
Group = tuple[tuple[View, ...], list[SampleId]]  # the images and the samples about them


class FileCheck:
    """Compares the inputs of predictions with those of today; a block, at whose end it stops."""

    def __init__(self, task: Task, samples: Sequence[Sample], *, workers: int) -> None:
        self._task, self._samples = task, samples
        self._reading = ThreadPoolExecutor(max(1, workers))
        self._pending: list[Future[None]] = []
        self._file: PredictionFile | None = None
        self._unread: tuple[list[Group], Mapping[SampleId, str]] = [], {}
        self._checksums: dict[Path, int] = {}
        self._changed: dict[SampleId, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Read no further files."""
        self._reading.shutdown(cancel_futures=True)

    def begin(self, file: PredictionFile) -> None:
        """Compare the texts behind the predictions in a file; `read_images` compares the images.

        Raises IdentityError, naming samples, where texts changed.
        """
        self._file = file
        before = file.fingerprints  # the run goes on and adds others to them
        with without_garbage_collection():
            known = [sample for sample in self._samples if sample.id in before]
            for sample in known:
                if int(before[sample.id][16:], 16) != checksum_of_texts(self._task, sample):
                    self._changed[sample.id] = "texts"
            self.raise_if_changed()
            self._unread = _by_images(known), before

    def read_images(self) -> None:
        """Begin to read the image files, in threads; nothing at a second call."""
        (groups, before), self._unread = self._unread, ([], {})
        for first in range(0, len(groups), AT_ONCE):
            part = groups[first : first + AT_ONCE]
            self._pending.append(self._reading.submit(self._compare, part, before))

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

    def _compare(self, groups: Sequence[Group], before: Mapping[SampleId, str]) -> None:
        for images, ids in groups:
            for path in map(image_file, images):
                if path not in self._checksums:  # two threads may read one file: no harm
                    self._checksums[path] = checksum_of_file(path)
            now = f"{checksum_of_files(images, self._checksums):08x}"
            names = ", ".join(dict.fromkeys(image_file(view).name for view in images))
            self._changed.update((id, names) for id in ids if before[id][:8] != now)


def _by_images(samples: Sequence[Sample]) -> list[Group]:
    groups: dict[tuple[View, ...], list[SampleId]] = {}
    for sample in samples:
        groups.setdefault(sample.images, []).append(sample.id)
    return list(groups.items())
