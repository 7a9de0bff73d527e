"""What a data folder holds of what tasks need: each file present, missing, incomplete or wrong, and each split counted."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from harness.callbacks import Report
from harness.data.origins import Origin, origin_of
from harness.data.published import deviations, objection
from harness.errors import DataError
from harness.formats.folder import EMBEDDED, DataFolder, Needed
from harness.images import image_file
from harness.task import Task

PRESENT, MISSING, INCOMPLETE, WRONG, ABSENT = (
    "present",
    "missing",
    "incomplete",
    "wrong",
    "not there",
)
SOUND = (PRESENT, ABSENT)  # what is absent, none of these tasks needs

Wanted = Sequence[tuple[Task, Sequence[str]]]  # tasks, each with some of its splits


@dataclass(frozen=True)
class File:
    """A file or a folder of images: where it is or belongs below the data folder, for which splits, and in which state, with the reasons.

    `lacking` names every image that annotations name and a folder has not.
    """

    place: str
    needed: Needed
    needed_by: tuple[str, ...]
    state: str
    found: tuple[str, ...]
    origin: Origin | None
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """A split as it was read: how much it holds, and in which state, with what differs from the published counts."""

    task: str
    split: str
    counts: Mapping[str, int]
    state: str
    found: tuple[str, ...]


@dataclass(frozen=True)
class Read:
    """The samples of a split, for those who look further; a split that cannot be read has none."""

    task: Task
    split: str
    samples: Sequence[Any]


@dataclass(frozen=True)
class Inspection:
    """Everything that was found in a folder. `published` says whether it is real data, which published counts and hashes apply to.

    `read` has the samples of each split, where they were kept.
    """

    data: DataFolder
    published: bool
    files: Sequence[File]
    splits: Sequence[Split]
    read: Sequence[Read] = field(repr=False)

    @property
    def sound(self) -> bool:
        """Whether all is there and, as far as is known, right."""
        return all(
            state in SOUND
            for state in [
                *(file.state for file in self.files),
                *(split.state for split in self.splits),
            ]
        )


class _Judged(NamedTuple):
    state: str
    found: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def inspect(data: DataFolder, wanted: Wanted, *, report: Report, keep: bool = False) -> Inspection:
    """Look at every file that the splits of tasks need, and read the annotations of those splits that have all of theirs.

    `keep` the samples only for those who look further: all splits of all tasks take gigabytes of memory.
    """
    published = data.name != EMBEDDED
    uses = _uses(data, wanted)
    steps = len(uses) + sum(len(splits) for _, splits in wanted)
    splits: list[Split] = []
    read: list[Read] = []
    images: dict[Path, set[Path]] = {}  # what samples show, by folder
    for task, names in wanted:
        for split in names:
            report(len(splits), steps)
            found, samples = _read(data, task, split, published=published)
            splits.append(found)
            for path in {image_file(view) for sample in samples for view in sample.images}:
                images.setdefault(path.parent, set()).add(path)
            read += [Read(task, split, samples)] if keep else []
    files: list[File] = []
    for needed, users in uses.items():
        report(len(splits) + len(files), steps)
        files.append(_file(data, needed, users, images, published=published))
    report(steps, steps)
    return Inspection(data, published, files, splits, read)


def _uses(data: DataFolder, wanted: Wanted) -> dict[Needed, list[tuple[Task, str]]]:
    """Return who uses each file; what lies or belongs at the same place is one file."""
    uses: dict[Path, tuple[Needed, list[tuple[Task, str]]]] = {}
    for task, splits in wanted:
        for split in splits:
            for needed in task.files(split):
                uses.setdefault(data.expected_path(needed), (needed, []))[1].append((task, split))
    return dict(uses.values())


def _read(
    data: DataFolder, task: Task, split: str, *, published: bool
) -> tuple[Split, Sequence[Any]]:
    lacking = [
        needed.candidates[0] for needed in data.missing(task.files(split)) if not needed.folder
    ]
    if lacking:
        return Split(task.name, split, {}, MISSING, (f"needs {', '.join(lacking)}",)), ()
    try:
        samples = task.load(data, split)
        counts = task.counts(samples)
    except DataError as error:
        return Split(task.name, split, {}, WRONG, (str(error),)), ()
    differ = deviations(task.name, split, counts) if published else []
    return Split(task.name, split, counts, WRONG if differ else PRESENT, tuple(differ)), samples


def _file(
    data: DataFolder,
    needed: Needed,
    users: Sequence[tuple[Task, str]],
    images: Mapping[Path, set[Path]],
    *,
    published: bool,
) -> File:
    path = data.find(needed)
    if path is None:
        judged = _Judged(MISSING if data.missing([needed]) else ABSENT)
    elif needed.folder:
        judged = _folder(path, images)
    else:
        wrong = _objection(path) if published else None
        judged = _Judged(WRONG, (wrong,)) if wrong else _Judged(PRESENT)
    return File(
        place=needed.candidates[0] if path is None else path.relative_to(data.root).as_posix(),
        needed=needed,
        needed_by=tuple(dict.fromkeys(f"{task.name} {split}" for task, split in users)),
        state=judged.state,
        found=judged.found,
        lacking=judged.lacking,
        origin=origin_of(needed.candidates),
    )


def _objection(path: Path) -> str | None:
    try:
        return objection(path)
    except DataError as error:
        return str(error)


def _folder(folder: Path, images: Mapping[Path, set[Path]]) -> _Judged:
    """Say how many of the images that annotations name are in a folder; names are compared, no image is read."""
    wanted, names = images.get(folder, set()), _names(folder)
    if not names:
        return _Judged(
            INCOMPLETE, ("the folder is empty",), tuple(path.name for path in sorted(wanted))
        )
    missing = sorted(wanted - names)
    if not missing:
        return _Judged(
            PRESENT, (f"{len(wanted):,} images that the annotations name",) if wanted else ()
        )
    words = f"{len(missing):,} of {len(wanted):,} images are not there, e.g. {missing[0].name}"
    return _Judged(INCOMPLETE, (words,), tuple(path.name for path in missing))


def _names(folder: Path) -> set[Path]:
    try:
        with os.scandir(folder) as entries:
            return {folder / entry.name for entry in entries}
    except OSError:
        return set()
