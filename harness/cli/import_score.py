"""`xvlm-eval import-score`: record the score that a server gave, with its receipt."""

import argparse

from harness.cli import flags

HELP = "record the score that a server gave, with its receipt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_one_split(parser)
    parser.add_argument(
        "--submission",
        required=True,
        metavar="FILE",
        help="the file that was uploaded, where `run` wrote it",
    )
    parser.add_argument(
        "--metric",
        required=True,
        action="append",
        metavar="NAME=VALUE",
        help="a score from the server, in percent; repeat",
    )
    parser.add_argument("--url", required=True, metavar="URL", help="the page of the submission")
    parser.add_argument(
        "--date", required=True, metavar="YYYY-MM-DD", help="when the server scored it"
    )
    parser.add_argument(
        "--replace", action="store_true", help="replace a score that was recorded before"
    )


def run(options: argparse.Namespace) -> int:
    """Write a server's number into the record beside its submission."""
    from harness.running.stored.import_score import import_score

    path = import_score(
        options.task,
        options.split,
        flags.path(options.submission),
        metrics=options.metric,
        url=options.url,
        date=options.date,
        replace_receipt=options.replace,
    )
    metrics = ", ".join(options.metric)
    print(f"{path}: {options.task} {options.split} as the server scored it, {metrics}")
    return 0
