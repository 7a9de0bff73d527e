"""Write what a run needs from the hub into the cache, once, as a data folder in the official formats."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.callbacks import Progress
from harness.data.hub.conversion import CONVERTERS, Counts, Job
from harness.data.hub.copies import PREFIX, Copy, Part, copy_of
from harness.data.hub.rows import Row, Source, commit_of, read_rows
from harness.data.published import deviations
from harness.errors import DataError, HarnessError, MissingError
from harness.files.atomic import write_json
from harness.files.lock import locked
from harness.files.parsing import read_json
from harness.files.paths import cache
from harness.formats.folder import HUB, HUB_NOTES, DataFolder

STEP = 500  # rows between two reports


@dataclass(frozen=True)
class Order:
    """A part of a copy for a task, where to read it, and whether its sizes have to be the official ones (they are of the pinned copies)."""

    task: str
    copy: Copy
    part: Part
    source: Source
    official: bool

    @property
    def note(self) -> str:
        """The name of the note on this part."""
        return f"{self.copy.format}-{self.part.hub_splits[0]}.json"


def hub_data(words: str, wanted: Mapping[str, Sequence[str]], *, progress: Progress) -> DataFolder:
    """Return the data folder that holds the `wanted` splits by task, writing what is not in it yet.

    `words` are `hf` for the pinned copies, `hf:REPOSITORY@REVISION` or `hf:FOLDER` for another copy with the same columns. Raises
    MissingError for a task that has no usable copy, and where the hub is needed and HF_HUB_OFFLINE is set; DataError for a pinned copy that
    does not hold the official splits.
    """
    orders = list(_orders(words, wanted))
    root = cache() / PREFIX / _slug(words, orders[0].source)
    for order in orders:
        if not _written(root, order):
            busy = HarnessError(f"{root}: another run is writing this data; wait for it")
            with locked(root / HUB_NOTES / "lock", busy=busy):
                _materialise(root, order, progress=progress)
    return DataFolder(root, HUB)


def _orders(words: str, wanted: Mapping[str, Sequence[str]]) -> Iterator[Order]:
    problems: list[str] = []
    for task, splits in wanted.items():
        try:
            copy = copy_of(task)
        except MissingError as error:
            problems += error.items
            continue
        source = _source(words, copy)
        for part in copy.parts:
            if set(part.splits) & set(splits):
                yield Order(task, copy, part, source, official=words == PREFIX)
    if problems:
        raise MissingError(*problems)


def _source(words: str, copy: Copy) -> Source:
    chosen = words.removeprefix(PREFIX).removeprefix(":")
    if not chosen:
        return Source(copy.repository, copy.revision)
    if Path(chosen).expanduser().is_dir():
        return Source(str(Path(chosen).expanduser().resolve()), None)
    repository, _, revision = chosen.partition("@")
    return Source(repository, revision or "main")


def _slug(words: str, source: Source) -> str:
    """Return the name of a copy's folder in the cache; of a copy on disk, one that changes with its files."""
    if words == PREFIX:
        return "pinned"
    if not source.local:
        return f"{source.repository}@{source.revision}".replace("/", "--")
    root = Path(source.repository)
    states = [
        (path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
    ]
    return (
        f"{root.name}-{hashlib.sha256(repr((source.repository, states)).encode()).hexdigest()[:16]}"
    )


def _written(root: Path, order: Order) -> bool:
    """Whether this part was written from this version of this copy."""
    try:
        note = read_json(root / HUB_NOTES / order.note)
    except DataError:
        return False
    return isinstance(note, dict) and (note.get("repository"), note.get("revision")) == (
        order.source.repository,
        order.source.revision,
    )


def _materialise(root: Path, order: Order, *, progress: Progress) -> None:
    """Write a part beside its place, compare its sizes with the official ones, and move it there; the note comes last."""
    commit = commit_of(order.source)
    source = Source(order.source.repository, commit)
    temporary = root / f".{order.note}.new"
    with progress(f"{order.source.repository} {order.part.hub_splits[0]}, rows") as report:

        def read(split: str, columns: Sequence[str]) -> Iterator[Row]:
            number = 0
            for number, row in enumerate(read_rows(source, split, columns), start=1):
                if number % STEP == 0:
                    report(number, number)
                yield row
            report(number, number)

        try:
            shutil.rmtree(temporary, ignore_errors=True)  # of a run that was killed
            temporary.mkdir()
            counts = CONVERTERS[order.copy.format](Job(order.part.hub_splits, read, temporary))
            if order.official:
                refuse_unofficial(order.source, order.task, counts)
            _move(temporary, root)
            _note(root, order, {"commit": commit, "counts": counts})
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{order.source.repository}: has a row that is not as it should be ({type(error).__name__}: {error})"
            ) from error
        except OSError as error:
            raise HarnessError(
                f"{root}: cannot be written ({error.strerror}); set XVLM_EVAL_CACHE to a folder that can"
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def refuse_unofficial(source: Source, task: str, counts: Counts) -> None:
    """Raise DataError where what was read of a copy is not as much as the official splits hold."""
    differ = [
        f"{split}: {words}"
        for split, found in counts.items()
        for words in deviations(task, split, found)
    ]
    if differ or not counts:
        raise DataError(
            f"{source.repository}: does not hold the official splits of {task} ({'; '.join(differ) or 'it is empty'}); "
            f"to use it all the same, name it: --data {PREFIX}:{source.repository}@{source.revision}"
        )


def _move(source: Path, root: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            place = root / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)


def _note(root: Path, order: Order, found: Mapping[str, Any]) -> None:
    path = root / HUB_NOTES / order.note
    content = {"repository": order.source.repository, "revision": order.source.revision, **found}
    write_json(path, content)
