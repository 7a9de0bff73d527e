"""`xvlm-eval fetch`: download the benchmark files that need no form and no login."""

import argparse
import sys
from functools import partial

from harness.cli import flags
from harness.cli.console import say

HELP = "download the benchmark files that need no form and no login"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_task(parser)
    flags.add_split(parser)
    flags.add_data(parser, help="folder to download into; default: the configured one")
    parser.add_argument(
        "--weights",
        action="store_true",
        help="also the paper's checkpoints, from Google Drive (needs gdown)",
    )
    parser.add_argument(
        "--yes", action="store_true", help="download; without it, only list the downloads"
    )


def run(options: argparse.Namespace) -> int:
    """Print what would be fetched, and with --yes fetch it."""
    from harness.data.fetch import plan
    from harness.data.fetch.execute import execute
    from harness.running.progress import Progress

    progress = partial(Progress, stream=sys.stderr, say=say)
    chosen = plan.plan_for(
        options.task,
        options.split,
        data=options.data,
        weights=options.weights,
        progress=progress,
    )
    print(plan.in_words(chosen), flush=True)
    if not options.yes:
        say("nothing was fetched; add --yes to fetch")
        return 0
    for sentence in execute(chosen, progress=progress):
        print(sentence, flush=True)
    return 0
