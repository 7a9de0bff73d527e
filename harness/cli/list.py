"""`xvlm-eval list`: list the tasks and checkpoints that can be named."""

import argparse

from harness.cli import flags

HELP = "list the tasks and checkpoints"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print the tasks and the checkpoints."""
    from harness import checkpoints, rendering
    from harness.registry import find_task, task_names

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
    entries: list[rendering.Row] = [
        {
            "checkpoint": entry.name,
            "title": entry.title,
            "licence": entry.licence,
            "tasks": " ".join(entry.files),
        }
        for entry in checkpoints.entries().values()
    ]
    if options.format == "json":
        print(rendering.render_json({"tasks": tasks, "checkpoints": entries}))
        return 0
    tables = [
        rendering.Table(title, rows, {key: key for key in rows[0]})
        for title, rows in (("Tasks", tasks), ("Checkpoints", entries))
    ]
    print(rendering.render(tables, options.format))
    return 0
