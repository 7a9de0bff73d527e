"""`xvlm-eval table`: show results beside the published numbers."""

import argparse

from harness.cli import flags
from harness.cli.console import say

HELP = "show results beside the published numbers"
LAYOUTS = ("paper", "leaderboard", "table2", "table3", "ovad", "all", "shapes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "results",
        nargs="*",
        metavar="DIR",
        help=f"folders that `run --out` wrote; default: {flags.OUT}",
    )
    parser.add_argument("--out", metavar="DIR", help="the same, by the name it has in `run`")
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="paper",
        help="the paper's 53 rows, checkpoints by tasks and protocols, a paper's table of all "
        "models, every result there is, or the embedded benchmark alone; default: paper",
    )
    parser.add_argument(
        "--suite", choices=("shapes",), dest="layout", help="the same as --layout shapes"
    )
    flags.add_include(parser)
    flags.add_format(parser, "md", "csv", "latex", "html", "json")
    parser.add_argument(
        "--checkpoint",
        metavar="NAME",
        help="fill the paper's rows from this checkpoint instead of the paper's own",
    )


def run(options: argparse.Namespace) -> int:
    """Print results beside the published numbers."""
    from harness import rendering
    from harness.errors import DataError
    from harness.files.paths import distinct
    from harness.records.integrity import without_contradictions
    from harness.records.stored import StoredResults, find_results, refuse_other_than_folder
    from harness.registry import official_counts
    from harness.tables.folders import tell_apart
    from harness.tables.layouts import lay_out
    from harness.tables.paper import read_paper

    named = [*options.results, *([options.out] if options.out else [])]
    folders = [flags.path(name) for name in named or [flags.OUT]]
    for folder in folders:
        if named:
            refuse_other_than_folder(folder)
    folders = distinct(folders)
    found = [
        without_contradictions(find_results(folder)) if folder.is_dir() else StoredResults((), ())
        for folder in folders
    ]
    records = tell_apart(
        [
            (str(folder), [result.record for result in part.results])
            for folder, part in zip(folders, found, strict=True)
        ]
    )
    if not records:
        say(f"{folders[0]}: no results yet; `xvlm-eval run --task refcoco+` makes some")
    layout = lay_out(
        records, read_paper(official_counts()), options.layout, checkpoint=options.checkpoint
    )
    problems = [reason for results in found for reason in results.left_out]
    for reason in (*problems, *layout.left_out):
        say(f"left out: {reason}")
    if options.format == "json":
        rows = {"layout": options.layout, "rows": layout.listing.rows, "shapes": layout.shapes.rows}
        print(rendering.render_json(rows))
    elif options.format == "csv":
        if layout.shapes.rows and options.layout != "shapes":
            say(
                "a CSV file is one table: the results on the embedded benchmark are in "
                "--layout shapes"
            )
        print(rendering.render_csv(layout.listing))
    else:
        print(rendering.render(layout.tables, options.format))
    return DataError.exit_code if any(results.damaged for results in found) else 0
