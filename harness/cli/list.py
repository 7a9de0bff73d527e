"""`xvlm-eval list`: list the tasks, checkpoints and model families that can be named."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.cli import flags
from harness.cli.console import say

if TYPE_CHECKING:
    from harness.family import Family
    from harness.rendering import Row
    from harness.task import Task

HELP = "list the tasks, checkpoints and model families"
PROJECT = "xvlm-eval"  # the package of what no other package brings
TITLES = {
    "tasks": "Tasks",
    "own_data": "Own data: --annotations FILE --images DIR",
    "checkpoints": "Checkpoints",
    "families": "Families",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_include(parser)
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print the tasks, the checkpoints and the model families, and the origin of each."""
    from harness import rendering
    from harness.registry import loadable_families, loadable_tasks

    tasks, broken_tasks = loadable_tasks()
    families, broken_families = loadable_families()
    for problem in (*broken_tasks, *broken_families):
        say(problem)
    listing = {
        "tasks": _task_rows(tasks),
        "own_data": _own_data_rows(),
        "checkpoints": _checkpoint_rows(),
        "families": _family_rows(families, tasks),
    }
    if options.format == "json":
        print(rendering.render_json(listing))
        return 0
    tables = [
        rendering.Table(TITLES[name], rows, {key: key for key in rows[0]})
        for name, rows in listing.items()
    ]
    print(rendering.render(tables, options.format))
    return 0


def _task_rows(tasks: "Sequence[Task]") -> "list[Row]":
    """Return a row for each benchmark."""
    from harness.registry import task_plugin

    return [
        {
            "task": task.name,
            "splits": " ".join(task.splits),
            "metric": task.primary,
            "needs": _names(task.needs),
            "version": task.version,
            "extra": task.extra,
            "package": getattr(task_plugin(task.name), "package", PROJECT),
        }
        for task in tasks
    ]


def _own_data_rows() -> "list[Row]":
    """Return a row for each task on own data."""
    from harness.formats.own.folder import KINDS, PREFIX
    from harness.registry import find_task

    tasks = {kind: find_task(PREFIX + kind) for kind in KINDS}
    return [
        {
            "task": kind,
            "metric": task.primary,
            "needs": _names(task.needs),
            "version": task.version,
        }
        for kind, task in tasks.items()
    ]


def _checkpoint_rows() -> "list[Row]":
    """Return a row for each entry of a `checkpoints.yaml`."""
    from harness.checkpoints import entries

    return [
        {
            "checkpoint": entry.name,
            "title": entry.title,
            "licence": entry.licence,
            "family": entry.family,
            "tasks": " ".join(entry.files),
            "from": entry.source.package or str(entry.source.path),
        }
        for entry in entries().values()
    ]


def _family_rows(families: "Mapping[str, Family]", tasks: "Sequence[Task]") -> "list[Row]":
    """Return a row for each model family, with the tasks that its capabilities can predict."""
    from harness.registry import model_plugin

    return [
        {
            "family": name,
            "title": family.title,
            "offers": _names(family.offers),
            "tasks": " ".join(task.name for task in tasks if set(task.needs) & set(family.offers)),
            "arguments": " ".join(family.arguments or ()),
            "package": getattr(model_plugin(name), "package", PROJECT),
        }
        for name, family in families.items()
    ]


def _names(capabilities: "Sequence[type]") -> str:
    return " ".join(capability.__name__ for capability in capabilities)
