"""`xvlm-eval checkpoint`: describe a weight file, and whether it can be evaluated."""

import argparse

from harness.cli import flags

HELP = "describe a weight file, and whether it can be evaluated"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a weight file: .th, .pth, .pt, .bin or .safetensors; of some families, a folder or a "
        "repository in the hub's cache",
    )
    parser.add_argument(
        "--model",
        metavar="FAMILY",
        default="xvlm",
        help="the family it belongs to: `xvlm-eval list` shows them; default: xvlm",
    )
    flags.add_format(parser, "json")


def run(options: argparse.Namespace) -> int:
    """Print the content of a weight file in sentences, and the tasks that it can predict."""
    from harness import rendering
    from harness.checkpoints import given_path
    from harness.errors import printable
    from harness.family import Offering
    from harness.registry import describe, tasks_of

    path = flags.path(options.file)
    if not path.exists() and options.model != "xvlm":  # a repository of the hub?
        path = given_path(options.file, family=options.model)
    description = describe(path, family=options.model)
    tasks = tasks_of(description.offers) if isinstance(description, Offering) else None
    if options.format == "json":
        content = dict(description.as_json())
        print(rendering.render_json(content if tasks is None else {**content, "tasks": tasks}))
    else:
        print("\n".join(map(printable, description.sentences())))
        if tasks:
            print(f"It can be evaluated on {', '.join(tasks)}.")
    return 0 if description.fits else 1
