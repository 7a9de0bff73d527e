"""`xvlm-eval list`: list the tasks and checkpoints that can be named."""

import argparse

from harness.cli import flags

HELP = "list the tasks, checkpoints and model families"
OWN = "xvlm-eval"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_include(parser)
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print the tasks, the checkpoints and the model families, and where each comes from."""
    from harness import checkpoints, rendering
    from harness.registry import family_names, find_family, find_task, task_names

    checkpoints.include(options.include)
    packages = {group: _packages(group) for group in ("xvlm_eval.tasks", "xvlm_eval.models")}
    found = [find_task(name) for name in task_names()]
    tasks: list[rendering.Row] = [
        {
            "task": task.name,
            "splits": " ".join(task.splits),
            "metric": task.primary,
            "needs": " ".join(capability.__name__ for capability in task.needs),
            "version": task.version,
            "package": packages["xvlm_eval.tasks"].get(task.name, OWN),
        }
        for task in found
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
            "tasks": " ".join(task.name for task in found if set(task.needs) & set(family.offers)),
            "arguments": " ".join(family.arguments or ()),
            "package": packages["xvlm_eval.models"].get(name, OWN),
        }
        for name in family_names()
        for family in [find_family(name)]
    ]
    if options.format == "json":
        listing = {"tasks": tasks, "checkpoints": entries, "families": families}
        print(rendering.render_json(listing))
        return 0
    tables = [
        rendering.Table(title, rows, {key: key for key in rows[0]})
        for title, rows in (("Tasks", tasks), ("Checkpoints", entries), ("Families", families))
    ]
    print(rendering.render(tables, options.format))
    return 0


def _packages(group: str) -> dict[str, str]:
    """Return the package, as `name version`, that registers each name of a group."""
    from importlib.metadata import entry_points  # here, as other verbs need none

    return {
        point.name: f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        for point in entry_points(group=group)
    }
