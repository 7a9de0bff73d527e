"""`xvlm-eval baseline`: renew a baseline, if its anchor allows it or a person states a reason."""

import argparse

from harness.cli import flags
from harness.cli.console import say

HELP = "replace a baseline by new results; results that drifted from its anchor need a reason"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "results",
        nargs="?",
        metavar="RESULTS",
        default=flags.OUT,
        help=f"folder that `run --out` wrote; default: {flags.OUT}",
    )
    parser.add_argument(
        "--baseline",
        required=True,
        metavar="DIR",
        help="the folder of the baseline; made if absent",
    )
    parser.add_argument(
        "--reason",
        metavar="TEXT",
        help="which numbers moved, and why that is right; makes the results the anchor",
    )


def run(options: argparse.Namespace) -> int:
    """Renew a baseline; print the check and return 1 if it is refused."""
    from harness.drift.anchor import render_checks
    from harness.drift.renewal import renew
    from harness.drift.settings import read_gate

    baseline = flags.path(options.baseline)
    renewed = renew(
        flags.path(options.results), baseline, gate=read_gate(baseline), reason=options.reason
    )
    names = ", ".join(renewed.checkpoints)
    if renewed.checks is not None:
        print(render_checks(renewed.checks, "terminal"))
    if renewed.refused:
        say(
            f"{baseline}: the baseline of {names} is not renewed; if the change is intended, say "
            'which numbers moved and why: --reason "..."'
        )
        return 1
    kind = "a person reviewed it: it is the anchor" if renewed.reviewed else "its anchor stays"
    say(f"{baseline}: the baseline of {names} is renewed; {kind}")
    if renewed.removed:
        removed = ", ".join(renewed.removed)
        say(
            f"{baseline}: no longer holds {removed}, which the new results lack; run them too, and "
            "renew the baseline again, if it should"
        )
    return 0
