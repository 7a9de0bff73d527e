"""`xvlm-eval check`: compare results with a baseline, metric by metric."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import flags
from harness.cli.console import say

if TYPE_CHECKING:
    from harness.drift.anchor import Checks

HELP = "compare results with a baseline; exit code 1 where a metric has drifted"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "results",
        nargs="*",
        metavar="RESULTS",
        help=f"folders that `run --out` wrote; default: {flags.OUT}",
    )
    parser.add_argument(
        "--baseline",
        action="append",
        default=[],
        metavar="DIR",
        help="another such folder, can be repeated; default: the results that come with this "
        "project (shapes)",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="NAME",
        help="compare with the baselines of this checkpoint, whatever the results are of",
    )
    parser.add_argument(
        "--allow-missing", action="store_true", default=None,
        help="do not fail where a baseline has no result",
    )  # fmt: skip
    parser.add_argument("--require-all", action="store_true", help="the default; kept for scripts")
    parser.add_argument(
        "--require", choices=("no-drift", "no-worse"),
        help="no-worse: fail unless the interval excludes a drop beyond the margin",
    )  # fmt: skip
    parser.add_argument(
        "--fail-on-worse", choices=("several", "any"),
        help="any: fail for a single drop that is likely but not proven; default: several, that "
        "is, for more than chance explains",
    )  # fmt: skip
    parser.add_argument(
        "--level", type=float, metavar="P",
        help="highest chance of a false alarm in a check; default: 0.05",
    )  # fmt: skip
    parser.add_argument(
        "--sides", type=int, choices=(1, 2), help="2: spend half of the level on gains; default: 1"
    )
    parser.add_argument(
        "--margin", action="append", default=[], metavar="[METRIC=]POINTS",
        help="largest drop that passes, of all metrics or of one (also bleu*=0.2); repeat",
    )  # fmt: skip
    parser.add_argument(
        "--max-changed", type=float, metavar="PERCENT",
        help="share of outcomes that may change with the same weights, data and protocol; "
        "default: 10",
    )  # fmt: skip
    parser.add_argument(
        "--metrics", type=_names, metavar="NAME,...", help="compare only these (also map*)"
    )
    parser.add_argument(
        "--history", nargs="+", default=[], metavar="DIR",
        help="older results, the oldest first: fail where a metric falls steadily up to now",
    )  # fmt: skip
    parser.add_argument(
        "--rescore",
        action="store_true",
        help="score the predictions of both sides anew with the annotations of --data",
    )
    flags.add_data(parser, help=f"{flags.FOLDER}, with --rescore; default: as for `run`")
    flags.add_own_data(parser)
    flags.add_image_folder(parser)
    flags.add_links(parser)
    flags.add_format(parser, "md", "json", "junit")


def run(options: argparse.Namespace) -> int:
    """Print which metrics have drifted; in a GitHub workflow, also in the summary of the step."""
    from harness.drift.anchor import render_checks, summarise

    checks = perform(options)
    print(render_checks(checks, options.format))
    if options.format in ("json", "junit"):
        say(summarise(checks))
    write_step_summary(checks)
    for remark in checks.baseline.remarks:
        say(remark)
    return 1 if checks.failed else 0


def perform(options: argparse.Namespace) -> "Checks":
    """Return the outcome of all checks that a command line names."""
    from harness.drift.anchor import check_all
    from harness.drift.settings import override, read_gates
    from harness.files.paths import shipped_path

    results = list(map(flags.path, options.results or [flags.OUT]))
    baseline = list(map(flags.path, options.baseline)) or [shipped_path("results")]
    gate = read_gates(baseline)
    margin, margins = _margins(options.margin)
    gate = override(
        gate,
        level=options.level,
        sides=options.sides,
        margin=margin,
        margins={**gate.margins, **margins} if margins else None,
        max_changed=options.max_changed,
        require=options.require,
        fail_on_worse=options.fail_on_worse,
        allow_missing=options.allow_missing,
        metrics=options.metrics,
    )
    return check_all(
        results,
        baseline,
        gate=gate,
        checkpoint=options.checkpoint,
        refused=_rescore(results, baseline, options) if options.rescore else [],
        history=list(map(flags.path, options.history)),
    )


def write_step_summary(checks: "Checks") -> None:
    """Append the outcome to the summary of a step of a GitHub workflow, if this is one."""
    from harness.drift.anchor import render_checks

    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(render_checks(checks, "md") + "\n")
        except OSError as error:
            say(f"{path}: the summary of the step cannot be written ({error.strerror})")


def _rescore(results: list[Path], baseline: list[Path], options: argparse.Namespace) -> list[str]:
    """Return how the results of both sides contradict their predictions and the truths."""
    # Imported here: a check alone needs no task.
    from harness.cli.own import choose_source
    from harness.data.own import OwnFiles
    from harness.running.stored.rescored import rescored_contradictions

    source = choose_source(options)
    if isinstance(source, OwnFiles):
        say(f"--rescore: only results on the own data {source.name!r} are scored anew")
    return [
        reason
        for folder in (*results, *baseline)
        for reason in rescored_contradictions(folder, source=source)
    ]


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _margins(words: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    """Return the margin of all metrics, None if it was not given, and those of single ones."""
    from harness.errors import UsageError

    general, single = None, {}
    for word in words:
        metric, _, points = word.rpartition("=")
        try:
            if metric:
                single[metric] = float(points)
            else:
                general = float(points)
        except ValueError as error:
            raise UsageError(f"--margin {word}: should be like 0.1 or cider=0.5") from error
    return general, single
