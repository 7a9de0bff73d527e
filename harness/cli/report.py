"""`xvlm-eval report`: results, figures and samples in one HTML file."""

import argparse
import re

from harness.cli import flags
from harness.cli.console import say
from harness.cli.output import writing

HELP = "write results, figures and samples into one HTML file"
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "results",
        nargs="*",
        metavar="FOLDER",
        help=f"folders that `run --out` wrote; default: {flags.OUT}",
    )
    parser.add_argument(
        "--out", default="report.html", metavar="FILE", help="file to write; default: report.html"
    )
    parser.add_argument(
        "--baseline",
        metavar="DIR",
        help="results to compare with: changed samples are marked, with the old prediction",
    )
    flags.add_image_count(parser, default=200)
    parser.add_argument(
        "--no-images",
        action="store_const",
        const=0,
        dest="images",
        help="embed no pictures, since their licence may forbid sharing them",
    )
    parser.add_argument(
        "--max-size",
        type=size,
        default=size("20MB"),
        metavar="SIZE",
        help="largest size of the file, which is cut to it; default: 20MB",
    )
    flags.add_data(parser, help=f"{flags.FOLDER} of the runs; default: as for `run`")
    flags.add_own_data(parser, of_results=True)
    flags.add_links(parser)


def run(options: argparse.Namespace) -> int:
    """Write the report."""
    from harness.cli.left_out import say_left_out
    from harness.cli.own import choose_result_source
    from harness.records.integrity import without_contradictions
    from harness.records.stored import StoredResults, find_results
    from harness.report.page import Budget, build_report, to_bytes
    from harness.report.selection import results_at

    path = flags.path(options.out)
    folders = [flags.path(name) for name in options.results or [flags.OUT]]
    baseline = (
        without_contradictions(results_at(flags.path(options.baseline)))
        if options.baseline
        else StoredResults((), ())
    )
    found = [without_contradictions(find_results(folder)) for folder in dict.fromkeys(folders)]
    code = say_left_out([*found, baseline])
    if not any(part.results for part in found):
        say(f"{folders[0]}: no results yet; `xvlm-eval run --task refcoco+` makes some")
    report = build_report(
        found,
        source=choose_result_source(options),
        baseline=baseline.results,
        budget=Budget(options.images, options.max_size),
    )
    for sentence in report.notes:
        say(sentence)
    content = to_bytes(report.html)
    with writing(path) as temporary:
        temporary.write_bytes(content)
    say(f"written: {path} ({len(content) / 1e6:.1f} MB); open it in a browser")
    return code


def size(text: str) -> int:
    """Return a number of bytes: `20MB`, `500k`, `1000000`.

    >>> size("20MB"), size("1.5 G"), size("70000")
    (20000000, 1500000000, 70000)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]?)B?\s*", text, re.IGNORECASE)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size like 20MB")
    return int(float(match[1]) * UNITS[match[2].upper()])
