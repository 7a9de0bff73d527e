"""The flags of own data, resolved: its files, its task, and its split, which is its name."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.data.resolve import DataSource
    from harness.data.result_sources import ResultSource


class Chosen(NamedTuple):
    """Where the data of a command is, and the words for its tasks and splits."""

    data: "DataSource"
    tasks: Sequence[str]
    splits: Sequence[str]


def choose_data(options: argparse.Namespace) -> Chosen:
    """Return the data that a command line names: own data if it has `--annotations`.

    Raises UsageError for a split of own data, and for a flag or task of own data without it.
    """
    from harness.data.own import OwnFiles, needs_annotations, own_task

    source = choose_source(options)
    tasks = [options.task] if isinstance(options.task, str) else options.task
    splits = [options.split] if isinstance(options.split, str) else options.split or []
    if not isinstance(source, OwnFiles):
        names = [name.lower() for word in tasks for name in word.split(",")]
        if own := next(filter(needs_annotations, names), None):
            raise UsageError(
                f"--task {own}: is a task on own data; name it by --annotations FILE --images DIR"
            )
        return Chosen(source, tasks, splits)
    if splits:
        raise UsageError(
            f"--split {splits[0]}: own data has no splits; --data-name NAME tells files apart"
        )
    return Chosen(source, [own_task(tasks)], [source.name])


def choose_source(options: argparse.Namespace) -> "DataSource":
    """Return the source of the data that a command line names, whatever the task.

    Raises UsageError for a flag of own data without `--annotations`.
    """
    from harness.data.own import own_files
    from harness.data.resolve import Folder, resolve_data

    benchmarks = resolve_data(options.data)
    if options.annotations is not None:
        return own_files(
            options.annotations,
            images=options.image_folder,
            name=options.data_name,
            answers=options.answers,
            folder=benchmarks.folder if isinstance(benchmarks, Folder) else None,
        )
    for flag, value in (("--data-name", options.data_name), ("--answers", options.answers)):
        if value is not None:
            raise UsageError(f"{flag} {value}: is for own data; add --annotations FILE")
    if options.image_folder is not None:
        _refuse_image_folder(options)
    return benchmarks


def _refuse_image_folder(options: argparse.Namespace) -> NoReturn:
    """Raise UsageError for a folder of images without annotations, by what `--images` may be."""
    policy_or_count = getattr(options, "images", None)
    reason = "is for own data"
    if isinstance(policy_or_count, str):
        reason = "is neither strict nor as-reference"
    elif isinstance(policy_or_count, int):
        reason = "is not a whole number"
    raise UsageError(
        f"--images {options.image_folder}: {reason}; for a folder of your own images, add "
        "--annotations FILE"
    )


def choose_result_source(options: argparse.Namespace) -> "ResultSource":
    """Return the data of stored results that a command line names: own data beside benchmarks.

    Raises what `choose_source` raises, and MissingError for own files that do not exist.
    """
    from harness.callbacks import no_progress
    from harness.data.own import OwnFiles
    from harness.data.resolve import resolve_data
    from harness.data.result_sources import OwnBesideBenchmarks

    source = choose_source(options)
    if not isinstance(source, OwnFiles):
        return source
    source.open({}, progress=no_progress)
    return OwnBesideBenchmarks(source, resolve_data(options.data))
