"""Execute a plan: one fetch per folder at a time, room on the disk first, whole files only."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.callbacks import Progress, Report
from harness.data.fetch.download import RetryPolicy, download
from harness.data.fetch.drive import fetch_weights
from harness.data.fetch.plan import Plan, Step
from harness.data.fetch.unzip import unpack, unpacked_size
from harness.data.published import digest_deviation
from harness.data.report import size_in_words
from harness.errors import DataError, HarnessError
from harness.files.lock import locked
from harness.files.paths import hub_is_offline

STAGING = ".fetch"  # the folder below the data folder that holds everything unfinished
MEGABYTE = 10**6


def execute(plan: Plan, *, progress: Progress) -> Iterator[str]:
    """Yield a sentence for each file placed; a step that fails does not stop the others.

    Raises HarnessError if another fetch into the folder is running or the disk has no room; at the
    end, the errors of all steps that failed.
    """
    staging = plan.root / STAGING
    busy = HarnessError(f"{plan.root}: another fetch into this folder is running; wait for it")
    with locked(staging / "lock", busy=busy):
        _refuse_without_room(plan.room, plan.root)
        failures: list[HarnessError] = []
        for step in plan.steps:
            try:
                yield from _fetch(step, plan.root, staging, progress=progress)
            except HarnessError as error:
                failures.append(error)
        for weights in plan.weights:
            try:
                yield fetch_weights(weights.release, weights.path, title=weights.entry.title)
            except HarnessError as error:
                failures.append(error)
    if failures:
        raise type(failures[0])("\n".join(map(str, failures)))


def _fetch(step: Step, root: Path, staging: Path, *, progress: Progress) -> Iterator[str]:
    origin, archive = step.origin, staging / step.origin.name
    if origin.url is None:
        raise DataError(f"{origin.name}: has no address; get it from {origin.instructions}")
    if "huggingface.co" in origin.url and hub_is_offline():
        raise HarnessError(f"{origin.url}: not fetched, since HF_HUB_OFFLINE is set")
    if not archive.exists():
        with progress(f"{origin.name}, MB") as report:
            try:
                download(
                    origin.url,
                    archive,
                    size=origin.size,
                    sha256=origin.sha256,
                    retry=RetryPolicy(),
                    report=_in_megabytes(report),
                )
            except DataError as error:
                if not origin.mirror:
                    raise
                raise type(error)(f"{error}; {origin.mirror}") from error
    if origin.format == "zip":
        yield from _unpack(step, archive, root, staging, progress)
    else:
        for path in step.members.values():
            yield _place(archive, root / path)


def _unpack(
    step: Step, archive: Path, root: Path, staging: Path, progress: Progress
) -> Iterator[str]:
    """Unpack an archive aside, verify the files, place them, and delete the archive."""
    unpacked = staging / f"{step.origin.name}.unpacked"
    limit = step.origin.unpacked_limit
    try:
        _refuse_without_room(unpacked_size(archive, step.members), staging)
        with progress(f"{step.origin.name}, MB unpacked") as report:
            unpack(archive, unpacked, step.members, limit=limit, report=_in_megabytes(report))
        for file in filter(Path.is_file, (unpacked / path for path in step.members.values())):
            if deviation := digest_deviation(file, step.digests.get(file.name)):
                raise DataError(f"{archive}: its {file.name} is not the published one: {deviation}")
    except DataError as error:
        shutil.rmtree(unpacked, ignore_errors=True)
        archive.unlink(missing_ok=True)
        raise type(error)(
            f"{error}; the archive was deleted, run the same command to fetch it again"
        ) from error
    for path in step.members.values():
        yield _place(unpacked / path, root / path)
    shutil.rmtree(unpacked, ignore_errors=True)
    archive.unlink()


def _place(source: Path, target: Path) -> str:
    """Move a file or folder to its place; into a folder that exists, only the files it lacks."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_file() or not target.exists():
            source.replace(target)
            return f"{target}: fetched"
        missing = [
            path
            for path in source.rglob("*")
            if path.is_file() and not (target / path.relative_to(source)).exists()
        ]
        for path in missing:
            completed = target / path.relative_to(source)
            completed.parent.mkdir(parents=True, exist_ok=True)
            path.replace(completed)
        return f"{target}: completed with {len(missing):,} files"
    except OSError as error:
        raise HarnessError(
            f"{target}: cannot be written ({error.strerror}); the fetched files are in {source}"
        ) from error


def _refuse_without_room(size: int, folder: Path) -> None:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise HarnessError(
            f"{folder}: needs up to {size_in_words(size)} of disk, {size_in_words(free)} are free; "
            "make room, or fetch less (--task)"
        )


def _in_megabytes(report: Report) -> Report:
    return lambda done, total: report(done // MEGABYTE, max(1, total // MEGABYTE))
