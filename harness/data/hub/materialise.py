"""Write what a run needs from the hub into the cache, once, as a data folder of official files."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.callbacks import Progress
from harness.data.hub.copies import PREFIX, copy_of
from harness.data.hub.rows import Source, commit_of, read_rows
from harness.data.published import count_deviations
from harness.dataset import HubCopy, HubPart, HubRows, Row, SplitCounts
from harness.errors import DataError, HarnessError, MissingError
from harness.files.atomic import write_json
from harness.files.lock import locked
from harness.files.parsing import read_json
from harness.files.paths import cache_folder, expanded
from harness.formats.folder import HUB, HUB_NOTES, DataFolder
from harness.registry import find_task
from harness.task import Task

ROWS_PER_REPORT = 500


@dataclass(frozen=True)
class Conversion:
    """A part of a copy to write for a task; `official`: its sizes must be the published ones."""

    task: Task
    copy: HubCopy
    part: HubPart
    source: Source
    official: bool

    @property
    def note(self) -> str:
        """The file name of the note that this part was written."""
        return f"{self.copy.format}-{self.part.hub_splits[0]}.json"


def hub_data(name: str, wanted: Mapping[str, Sequence[str]], *, progress: Progress) -> DataFolder:
    """Return the data folder with the `wanted` splits by task, writing what it lacks.

    `name` is `hf` for the pinned copies, `hf:REPOSITORY@REVISION` or `hf:FOLDER` for another copy
    with the same columns. Raises MissingError for a task without a usable copy, and where the hub
    is needed and HF_HUB_OFFLINE is set; DataError for a pinned copy without the official splits.
    """
    conversions = list(_conversions(name, wanted))
    root = cache_folder() / PREFIX / _folder_name(name, conversions[0].source)
    for conversion in conversions:
        if not _is_written(root, conversion):
            busy = HarnessError(f"{root}: another run is writing this data; wait for it")
            with locked(root / HUB_NOTES / "lock", busy=busy):
                _materialise(root, conversion, progress=progress)
    return DataFolder(root, HUB)


def _conversions(name: str, wanted: Mapping[str, Sequence[str]]) -> Iterator[Conversion]:
    problems: list[str] = []
    for task, splits in ((find_task(task), splits) for task, splits in wanted.items()):
        try:
            copy = copy_of(task)
        except MissingError as error:
            problems += error.items
            continue
        source = _source(name, copy)
        for part in copy.parts:
            if set(part.splits) & set(splits):
                yield Conversion(task, copy, part, source, official=name == PREFIX)
    if problems:
        raise MissingError(*problems)


def _source(name: str, copy: HubCopy) -> Source:
    location = name.removeprefix(PREFIX).removeprefix(":")
    if not location:
        return Source(copy.repository, copy.revision)
    folder = expanded(location)
    if folder.is_dir():
        return Source(str(folder.resolve()), None)
    repository, _, revision = location.partition("@")
    return Source(repository, revision or "main")


def _folder_name(name: str, source: Source) -> str:
    """Return the name of a copy's folder in the cache; a local copy's changes with its files."""
    if name == PREFIX:
        return "pinned"
    if not source.local:
        return f"{source.repository}@{source.revision}".replace("/", "--")
    root = Path(source.repository)
    files = [
        (path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns)
        for path in sorted(root.rglob("*"))
        # A link that leads nowhere has no other status than that of the link.
        if (status := path.stat() if path.exists() else path.lstat())
    ]
    digest = hashlib.sha256(repr((source.repository, files)).encode()).hexdigest()
    return f"{root.name}-{digest[:16]}"


def _is_written(root: Path, conversion: Conversion) -> bool:
    """Return whether the note names this version of this copy."""
    try:
        note = read_json(root / HUB_NOTES / conversion.note)
    except DataError:
        return False
    source = (conversion.source.repository, conversion.source.revision)
    return isinstance(note, dict) and (note.get("repository"), note.get("revision")) == source


def _materialise(root: Path, conversion: Conversion, *, progress: Progress) -> None:
    """Write a part aside, compare its sizes with the official ones, and move it; note it last."""
    repository = conversion.source.repository
    commit = commit_of(conversion.source)
    source = Source(repository, commit)
    temporary = root / f".{conversion.note}.new"
    with progress(f"{repository} {conversion.part.hub_splits[0]}, rows") as report:

        def read(split: str, columns: Sequence[str]) -> Iterator[Row]:
            number = 0
            for number, row in enumerate(read_rows(source, split, columns), start=1):
                if number % ROWS_PER_REPORT == 0:
                    report(number, number)
                yield row
            report(number, number)

        try:
            shutil.rmtree(temporary, ignore_errors=True)  # left by a run that was killed
            temporary.mkdir()
            rows = HubRows(conversion.part.hub_splits, read)
            try:
                counts = conversion.copy.convert(rows, temporary)
            except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
                raise DataError(
                    f"{repository}: has a malformed row ({type(error).__name__}: {error})"
                ) from error
            if conversion.official:
                refuse_unofficial(conversion.source, conversion.task, counts)
            _move(temporary, root)
            _write_note(root, conversion, {"commit": commit, "counts": counts})
        except OSError as error:
            raise HarnessError(
                f"{root}: cannot be written ({error.strerror}); "
                "set XVLM_EVAL_CACHE to a folder that can"
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def refuse_unofficial(source: Source, task: Task, counts: SplitCounts) -> None:
    """Raise DataError if a copy does not hold as much as the official splits."""
    deviations = [
        f"{split}: {deviation}"
        for split, split_counts in counts.items()
        for deviation in count_deviations(split_counts, task.dataset.counts.get(split, {}))
    ]
    if deviations or not counts:
        raise DataError(
            f"{source.repository}: does not hold the official splits of {task.name} "
            f"({'; '.join(deviations) or 'it is empty'}); "
            "to use it all the same, name it: "
            f"--data {PREFIX}:{source.repository}@{source.revision}"
        )


def _move(source: Path, root: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            target = root / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def _write_note(root: Path, conversion: Conversion, details: Mapping[str, Any]) -> None:
    source = {
        "repository": conversion.source.repository,
        "revision": conversion.source.revision,
    }
    write_json(root / HUB_NOTES / conversion.note, {**source, **details})
