"""`xvlm-eval diff`: show which samples changed between two results, and what else did."""

import argparse

from harness.cli import flags

HELP = "show which samples changed between two results, and what else did"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "before",
        metavar="A",
        help="a record (<task>.<split>.json), or a folder that `run --out` wrote",
    )
    parser.add_argument("after", metavar="B", nargs="+", help="others, each compared with A")
    parser.add_argument(
        "--limit",
        type=flags.positive,
        default=20,
        metavar="N",
        help="samples to show of each result; default: 20",
    )
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print the differences between two results."""
    from harness.cli.left_out import say_left_out
    from harness.drift.diff import diff_results, render_diffs
    from harness.records.stored import find_results

    before, after = flags.path(options.before), list(map(flags.path, options.after))
    folders = [path for path in (before, *after) if path.is_dir()]
    code = say_left_out(map(find_results, folders))
    differences = [diff for path in after for diff in diff_results(before, path)]
    print(render_diffs(differences, options.format, limit=options.limit))
    return code
