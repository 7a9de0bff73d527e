"""`xvlm-eval check`: compare results with a baseline, metric by metric."""

import argparse
import os
from pathlib import Path

from harness.cli import flags
from harness.cli.console import say

HELP = "compare results with a baseline; exit code 1 where a metric has drifted"


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
        metavar="DIR",
        help="another such folder; default: the results that come with this project (shapes)",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="NAME",
        help="compare with the baselines of this checkpoint, whatever the results are of",
    )
    parser.add_argument(
        "--require-all", action="store_true", help="fail also where a baseline has no result"
    )
    flags.add_format(parser, "md", "json", "junit")


def run(options: argparse.Namespace) -> int:
    """Print which metrics have drifted; in a GitHub workflow, also in the summary of the step."""
    from harness.drift.check import check
    from harness.drift.report import render_check, summary
    from harness.files.paths import shipped_path

    baseline = Path(options.baseline) if options.baseline else shipped_path("results")
    result = check(
        Path(options.results),
        baseline,
        checkpoint=options.checkpoint,
        require_all=options.require_all,
    )
    print(render_check(result, options.format))
    if options.format in ("json", "junit"):
        say(summary(result))
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(render_check(result, "md") + "\n")
    return 1 if result.failed else 0
