"""`xvlm-eval list`: list the tasks and checkpoints that can be named."""

import argparse

from harness.cli import flags
from harness.cli.console import say

HELP = "list the tasks, checkpoints and model families"
OWN = "xvlm-eval"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_include(parser)
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print the tasks, the checkpoints and the model families, and where each comes from."""
    from harness import checkpoints, rendering
    from harness.formats.own.folder import KINDS, PREFIX
    from harness.registry import (
        find_task,
        loadable_families,
        loadable_tasks,
        model_plugin,
        task_plugin,
    )

    checkpoints.include(options.include)
    known, broken = loadable_tasks()
    loaded, unloadable = loadable_families()
    for problem in (*broken, *unloadable):
        say(problem)
    tasks: list[rendering.Row] = [
        {
            "task": task.name,
            "splits": " ".join(task.splits),
            "metric": task.primary,
            "needs": " ".join(capability.__name__ for capability in task.needs),
            "version": task.version,
            "extra": task.extra,
            "package": getattr(task_plugin(task.name), "package", OWN),
        }
        for task in known
    ]
    own: list[rendering.Row] = [
        {
            "task": kind,
            "metric": task.primary,
            "needs": " ".join(capability.__name__ for capability in task.needs),
            "version": task.version,
        }
        for kind in KINDS
        for task in [find_task(PREFIX + kind)]
    ]
    entries: list[rendering.Row] = [
        {
            "checkpoint": entry.name,
            "title": entry.title,
            "licence": entry.licence,
            "family": entry.family,
            "tasks": " ".join(entry.files),
            "from": entry.source.package or str(entry.source.path),
        }
        for entry in checkpoints.entries().values()
    ]
    families: list[rendering.Row] = [
        {
            "family": name,
            "title": family.title,
            "offers": " ".join(capability.__name__ for capability in family.offers),
            "tasks": " ".join(task.name for task in known if set(task.needs) & set(family.offers)),
            "arguments": " ".join(family.arguments or ()),
            "package": getattr(model_plugin(name), "package", OWN),
        }
        for name, family in loaded.items()
    ]
    if options.format == "json":
        listing = {"tasks": tasks, "own_data": own, "checkpoints": entries, "families": families}
        print(rendering.render_json(listing))
        return 0
    tables = [
        rendering.Table(title, rows, {key: key for key in rows[0]})
        for title, rows in (
            ("Tasks", tasks),
            ("Own data: --annotations FILE --images DIR", own),
            ("Checkpoints", entries),
            ("Families", families),
        )
    ]
    print(rendering.render(tables, options.format))
    return 0
