"""Carry out a plan: one fetch into a folder at a time, enough room on the disk first, and everything in its place at once or not at all."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.callbacks import Progress
from harness.data.fetch.download import RetryPolicy, download
from harness.data.fetch.drive import fetch_weights
from harness.data.fetch.plan import Plan, Step
from harness.data.fetch.unzip import unpack, unpacked_size
from harness.data.published import objection
from harness.data.report import size_in_words
from harness.errors import DataError, HarnessError
from harness.files.lock import locked
from harness.files.paths import hub_is_offline

WORKSHOP = ".fetch"  # the folder below the data folder in which everything lies until it is whole
MEGABYTE = 10**6


def carry_out(plan: Plan, *, progress: Progress, retry: RetryPolicy | None = None) -> Iterator[str]:
    """Yield a sentence for each thing that is in its place; one that fails keeps none of the others from being fetched.

    Raises HarnessError where another fetch is at work or the disk has no room; at the end, the errors of all that failed.
    """
    workshop = plan.root / WORKSHOP
    busy = HarnessError(f"{plan.root}: another fetch into this folder is at work; wait for it")
    with locked(workshop / "lock", busy=busy):
        _refuse_without_room(plan.room, plan.root)
        failures: list[HarnessError] = []
        for step in plan.steps:
            try:
                yield from _fetch(
                    step, plan.root, workshop, retry=retry or RetryPolicy(), progress=progress
                )
            except HarnessError as error:
                failures.append(error)
        for weights in plan.weights:
            try:
                yield fetch_weights(weights.release, weights.path, title=weights.entry.title)
            except HarnessError as error:
                failures.append(error)
    if failures:
        raise type(failures[0])("\n".join(map(str, failures)))


def _fetch(
    step: Step, root: Path, workshop: Path, *, retry: RetryPolicy, progress: Progress
) -> Iterator[str]:
    origin, archive = step.origin, workshop / step.origin.name
    if origin.url is None:
        raise DataError(f"{origin.name}: has no address; get it from {origin.how}")
    if "huggingface.co" in origin.url and hub_is_offline():
        raise HarnessError(f"{origin.url}: not fetched, since HF_HUB_OFFLINE is set")
    if not archive.exists():
        with progress(f"{origin.name}, MB") as report:
            in_megabytes = _megabytes(report)
            try:
                download(
                    origin.url,
                    archive,
                    size=origin.size,
                    sha256=origin.sha256,
                    retry=retry,
                    report=in_megabytes,
                )
            except DataError as error:
                raise type(error)(
                    f"{error}{f'; {origin.elsewhere}' if origin.elsewhere else ''}"
                ) from error
    if origin.form == "zip":
        yield from _unpacked(step, archive, root, workshop, progress)
    else:
        for place in step.members.values():
            yield _into_place(archive, root / place)


def _unpacked(
    step: Step, archive: Path, root: Path, workshop: Path, progress: Progress
) -> Iterator[str]:
    """Unpack an archive beside its place, look at what came out, move it there, and delete the archive."""
    beside = workshop / f"{step.origin.name}.unpacked"
    try:
        _refuse_without_room(unpacked_size(archive, step.members), workshop)
        with progress(f"{step.origin.name}, MB unpacked") as report:
            unpack(
                archive, beside, step.members, limit=step.origin.unpacked, report=_megabytes(report)
            )
        for place in step.members.values():
            if (beside / place).is_file() and (wrong := objection(beside / place)):
                raise DataError(
                    f"{archive}: its {Path(place).name} is not the published one: {wrong}"
                )
    except DataError as error:
        shutil.rmtree(beside, ignore_errors=True)
        archive.unlink(missing_ok=True)
        raise type(error)(
            f"{error}; the archive was deleted, run the same command to fetch it again"
        ) from error
    for place in step.members.values():
        yield _into_place(beside / place, root / place)
    shutil.rmtree(beside, ignore_errors=True)
    archive.unlink()


def _into_place(source: Path, place: Path) -> str:
    """Move a file or a folder to its place; into a folder that is there already, the files that it lacks."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_file() or not place.exists():
            source.replace(place)
            return f"{place}: fetched"
        lacking = [
            path
            for path in source.rglob("*")
            if path.is_file() and not (place / path.relative_to(source)).exists()
        ]
        for path in lacking:
            target = place / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        return f"{place}: completed with {len(lacking):,} files"
    except OSError as error:
        raise HarnessError(
            f"{place}: cannot be written ({error.strerror}); what was fetched is in {source}"
        ) from error


def _refuse_without_room(size: int, folder: Path) -> None:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if size > free:
        raise HarnessError(
            f"{folder}: needs up to {size_in_words(size)} of disk, {size_in_words(free)} are free; make room, or fetch less (--task)"
        )


def _megabytes(report: Callable[[int, int], None]) -> Callable[[int, int], None]:
    return lambda done, total: report(done // MEGABYTE, max(1, total // MEGABYTE))
