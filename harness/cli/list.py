"""`xvlm-eval list`: list the tasks and checkpoints that can be named."""

import argparse

from harness.cli import flags

HELP = "list the tasks, checkpoints and model families"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print the tasks, the checkpoints and the model families."""
    from harness import checkpoints, rendering
    from harness.formats.own.folder import KINDS, PREFIX
    from harness.registry import family_names, find_family, find_task, task_names

    tasks: list[rendering.Row] = [
        {
            "task": task.name,
            "splits": " ".join(task.splits),
            "metric": task.primary,
            "needs": " ".join(capability.__name__ for capability in task.needs),
            "version": task.version,
        }
        for task in map(find_task, task_names())
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
            "tasks": " ".join(entry.files),
        }
        for entry in checkpoints.entries().values()
    ]
    families: list[rendering.Row] = [
        {
            "family": name,
            "title": family.title,
            "offers": " ".join(capability.__name__ for capability in family.offers),
            "arguments": " ".join(family.arguments or ()),
        }
        for name in family_names()
        for family in [find_family(name)]
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
