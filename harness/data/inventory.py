"""Take the inventory of a data folder: the state of each file, and the counts of each split."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from harness.callbacks import Report
from harness.data.published import content_deviations, digest_deviation
from harness.dataset import Digest, Origin
from harness.errors import DataError
from harness.formats.folder import EMBEDDED, DataFolder, Needed
from harness.formats.own.folder import OwnFolder
from harness.images import image_file
from harness.task import Task, load_samples

PRESENT, MISSING, INCOMPLETE, WRONG = "present", "missing", "incomplete", "wrong"
NOT_REQUIRED = "not there"  # absent, and no task needs it
SOUND = (PRESENT, NOT_REQUIRED)

Wanted = Sequence[tuple[Task, Sequence[str]]]  # tasks, each with some of its splits


@dataclass(frozen=True)
class FileEntry:
    """The state of a file or an image folder, with the reasons.

    `path` below the data folder is where it lies or belongs; `needed_by` names the splits that use
    it, `missing_images` each image that annotations name and the folder lacks.
    """

    path: str
    needed: Needed
    needed_by: tuple[str, ...]
    state: str
    reasons: tuple[str, ...]
    origin: Origin | None
    missing_images: tuple[str, ...] = ()


@dataclass(frozen=True)
class SplitEntry:
    """The state of a split, with its counts and what differs from the published ones."""

    task: str
    split: str
    counts: Mapping[str, int]
    state: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class LoadedSplit:
    """The samples of a split; none where it cannot be read."""

    task: Task
    split: str
    samples: Sequence[Any]


@dataclass(frozen=True)
class Inventory:
    """All files and splits of a data folder. `published`: whether published facts apply to it.

    `loaded` holds the samples of each split, where they were kept.
    """

    data: DataFolder
    published: bool
    files: Sequence[FileEntry]
    splits: Sequence[SplitEntry]
    loaded: Sequence[LoadedSplit] = field(repr=False)

    @property
    def sound(self) -> bool:
        """Whether everything is present, and nothing is known to be wrong."""
        states = [file.state for file in self.files] + [split.state for split in self.splits]
        return all(state in SOUND for state in states)


class _State(NamedTuple):
    state: str
    reasons: tuple[str, ...] = ()
    missing_images: tuple[str, ...] = ()


def take_inventory(
    data: DataFolder, wanted: Wanted, *, report: Report, keep: bool = False
) -> Inventory:
    """Examine every file that the wanted splits need, and read the annotations of each split.

    `keep` retains the samples: those of all splits of all tasks take gigabytes of memory.
    """
    published = data.name != EMBEDDED and not isinstance(data, OwnFolder)
    users = _users(data, wanted)
    steps = len(users) + sum(len(splits) for _, splits in wanted)
    splits: list[SplitEntry] = []
    loaded: list[LoadedSplit] = []
    images: dict[Path, set[Path]] = {}  # folder -> image files that samples name
    for task, names in wanted:
        for split in names:
            report(len(splits), steps)
            entry, samples = _read_split(data, task, split, published=published)
            splits.append(entry)
            folders = [data.expected_path(each) for each in task.files(split) if each.folder]
            for path in {image_file(view) for sample in samples for view in sample.images}:
                # An annotation may name another folder: its images count to a folder of the split.
                own = path.parent in folders or not folders
                images.setdefault(path.parent if own else folders[-1], set()).add(path)
            loaded += [LoadedSplit(task, split, samples)] if keep else []
    files: list[FileEntry] = []
    for needed, uses in users.items():
        report(len(splits) + len(files), steps)
        files.append(_examine_file(data, needed, uses, images, published=published))
    report(steps, steps)
    return Inventory(data, published, files, splits, loaded)


def _users(data: DataFolder, wanted: Wanted) -> dict[Needed, list[tuple[Task, str]]]:
    """Return the splits that use each file; what lies or belongs at one path is one file."""
    users: dict[Path, tuple[Needed, list[tuple[Task, str]]]] = {}
    for task, splits in wanted:
        for split in splits:
            for needed in task.files(split):
                users.setdefault(data.expected_path(needed), (needed, []))[1].append((task, split))
    return dict(users.values())


def _read_split(
    data: DataFolder, task: Task, split: str, *, published: bool
) -> tuple[SplitEntry, Sequence[Any]]:
    missing = [
        needed.candidates[0] for needed in data.missing(task.files(split)) if not needed.folder
    ]
    if missing:
        return SplitEntry(task.name, split, {}, MISSING, (f"needs {', '.join(missing)}",)), ()
    try:
        samples = load_samples(task, data, split)
        counts = task.counts(samples)
    except DataError as error:
        return SplitEntry(task.name, split, {}, WRONG, (str(error),)), ()
    deviations = content_deviations(task, split, samples) if published else []
    state = WRONG if deviations else PRESENT
    return SplitEntry(task.name, split, counts, state, tuple(deviations)), samples


def _examine_file(
    data: DataFolder,
    needed: Needed,
    uses: Sequence[tuple[Task, str]],
    images: Mapping[Path, set[Path]],
    *,
    published: bool,
) -> FileEntry:
    path = data.find(needed)
    datasets = [task.dataset for task, _ in uses]
    if path is None:
        state = _State(MISSING if data.missing([needed]) else NOT_REQUIRED)
    elif needed.folder:
        state = _folder_state(path, images.get(path, set()))
    else:
        digests = (dataset.digests.get(path.name) for dataset in datasets)
        state = _file_state(path, next(filter(None, digests), None) if published else None)
    origins = (dataset.origin_of(needed.candidates) for dataset in datasets)
    return FileEntry(
        path=needed.candidates[0] if path is None else data.display_path(path),
        needed=needed,
        needed_by=tuple(dict.fromkeys(f"{task.name} {split}" for task, split in uses)),
        state=state.state,
        reasons=state.reasons,
        origin=next(filter(None, origins), None),
        missing_images=state.missing_images,
    )


def _file_state(path: Path, digest: Digest | None) -> _State:
    try:
        deviation = digest_deviation(path, digest)
    except DataError as error:
        deviation = str(error)
    return _State(WRONG, (deviation,)) if deviation else _State(PRESENT)


def _folder_state(folder: Path, expected: set[Path]) -> _State:
    """Compare the names in an image folder with those in the annotations; no image is read."""
    folders = {folder, *(path.parent for path in expected)}
    try:
        present = {path for each in folders for path in _paths_in(each)}
    except OSError as error:
        return _State(WRONG, (f"{error.filename} cannot be read ({error.strerror})",))
    missing = sorted(expected - present)
    names = tuple(
        path.name if path.parent == folder else f"{path.parent.name}/{path.name}"
        for path in missing
    )
    if not present:
        return _State(INCOMPLETE, ("the folder is empty",), names)
    if missing:
        counts = f"{len(missing):,} of {len(expected):,}"
        return _State(INCOMPLETE, (f"{counts} images are missing, e.g. {names[0]}",), names)
    complete = (f"{len(expected):,} images that the annotations name",) if expected else ()
    return _State(PRESENT, complete)


def _paths_in(folder: Path) -> set[Path]:
    """Return the paths in a folder, none if it is absent. Raises OSError if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return {folder / entry.name for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return set()
