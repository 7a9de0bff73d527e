"""The flags of own data, resolved: its files, its task, and its split, which is its name."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.data.resolve import DataSource


class Chosen(NamedTuple):
    """Where the data of a command is, and the words for its tasks and splits."""

    data: "DataSource"
    tasks: Sequence[str]
    splits: Sequence[str]


def choose_data(options: argparse.Namespace) -> Chosen:
    """Return the data that a command line names: own data if it has `--annotations`.

    Raises UsageError for a split of own data, and for a flag of own data without `--annotations`.
    """
    from harness.data.own import own_files, own_task
    from harness.data.resolve import Folder, resolve_data
    from harness.formats.own.folder import KINDS, is_own

    tasks = [options.task] if isinstance(options.task, str) else options.task
    splits = [options.split] if isinstance(options.split, str) else options.split or []
    if options.annotations is None:
        for flag, value in (
            ("--data-name", options.data_name),
            ("--answers", options.answers),
            ("--images", options.image_folder),
        ):
            if value is not None:
                policies = "neither strict nor as-reference, and " if flag == "--images" else ""
                raise UsageError(
                    f"{flag} {value}: is {policies}for own data, which --annotations FILE names"
                )
        words = [name.lower() for word in tasks for name in word.split(",")]
        if own := next((word for word in words if word in KINDS[:4] or is_own(word)), None):
            raise UsageError(
                f"--task {own}: is a task on own data; name it by --annotations FILE --images DIR"
            )
        return Chosen(resolve_data(options.data), tasks, splits)
    if splits:
        raise UsageError(
            f"--split {splits[0]}: own data has no splits; --data-name NAME tells files apart"
        )
    benchmarks = resolve_data(options.data)
    own_data = own_files(
        options.annotations,
        images=options.image_folder,
        name=options.data_name,
        answers=options.answers,
        folder=benchmarks.folder if isinstance(benchmarks, Folder) else None,
    )
    return Chosen(own_data, [own_task(tasks)], [own_data.name])
