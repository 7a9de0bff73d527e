"""`xvlm-eval data`: show which benchmark files are there, and where to get the rest."""

import argparse
import sys
from functools import partial

from harness.cli import flags
from harness.cli.console import say

HELP = "show which benchmark files are there, and where to get the rest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_task(parser)
    flags.add_split(parser)
    flags.add_own_data(parser)
    flags.add_links(parser)
    flags.add_data(parser)
    parser.add_argument(
        "--verify",
        action="store_true",
        help="decode every image and compare it with its annotations (minutes on real data)",
    )
    flags.add_images(parser)
    parser.add_argument(
        "--build-flat",
        metavar="DIR",
        help="write X-VLM's own lists (its data/finetune) from the original files",
    )
    parser.add_argument(
        "--layout",
        action="store_true",
        help="print the folder tree that the tasks read, and do nothing else",
    )
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print the state of every file and split that the tasks need."""
    from harness.cli.own import choose_data
    from harness.data.flat import build_flat
    from harness.data.layout import layout
    from harness.data.report import DataReport, inventory_for, render_report, verify_images
    from harness.errors import DataError
    from harness.registry import find_tasks
    from harness.running.progress import Progress

    if options.layout:
        print(layout(find_tasks(options.task or ["all"])))
        return 0
    chosen = choose_data(options)
    progress = partial(Progress, stream=sys.stderr, say=say)
    inventory = inventory_for(
        chosen.tasks,
        chosen.splits,
        source=chosen.data,
        keep=options.verify or options.build_flat is not None,
        progress=progress,
    )
    if options.build_flat:
        for sentence in build_flat(inventory, flags.path(options.build_flat)):
            print(sentence)
        return 0
    report = DataReport(inventory)
    if options.verify:
        problems = verify_images(inventory, images=options.images, progress=progress)
        report = DataReport(inventory, problems)
    print(render_report(report, format=options.format))
    return 0 if report.sound else DataError.exit_code
