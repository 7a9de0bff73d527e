"""`xvlm-eval power`: the smallest drops that a check against a baseline can prove."""

import argparse

from harness.cli import flags

HELP = "print the smallest drop of each metric that `check` can prove against a baseline"
COLUMNS = {
    "checkpoint": "checkpoint", "task": "task", "split": "split", "metric": "metric",
    "units": "units", "clusters": "clusters", "value": "baseline", "alone": "alone",
    "among": "all results change", "restless": "and {churn:g} % churn",
}  # fmt: skip
NONE = "none"  # in the place of a drop that cannot be proven


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "--baseline",
        metavar="DIR",
        help="a folder that `run --out` wrote; default: the results that come with this project",
    )
    parser.add_argument(
        "--churn", type=float, default=2.0, metavar="PERCENT",
        help="units whose outcome flips anyway, as many better as worse; default: 2",
    )  # fmt: skip
    parser.add_argument(
        "--level", type=float, metavar="P", help="level of the check; default: as for `check`"
    )
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print the smallest detectable drops, in points."""
    from harness.drift.power import detectable_drops
    from harness.drift.settings import override, read_gate
    from harness.errors import UsageError
    from harness.files.paths import shipped_path
    from harness.rendering import Table, render, render_json

    if not 0 <= options.churn <= 100:
        raise UsageError(f"--churn {options.churn:g}: is between 0 and 100 percent")
    baseline = flags.path(options.baseline) if options.baseline else shipped_path("results")
    gate = override(read_gate(baseline), level=options.level)
    drops = detectable_drops(baseline, gate, churn=options.churn)
    if options.format == "json":
        content = {"level": gate.level, "churn": options.churn}
        print(render_json({**content, "metrics": [drop._asdict() for drop in drops]}))
        return 0
    columns = {key: title.format(churn=options.churn) for key, title in COLUMNS.items()}
    title = f"Smallest drop in points that a check at level {gate.level:g} proves"
    rows = [drop._asdict() | dict.fromkeys(drop.unprovable, NONE) for drop in drops]
    print(render([Table(title, rows, columns)], options.format))
    if any(drop.unprovable for drop in drops):
        print(f"\n{NONE}: a check of these samples proves no drop, not even one to 0")
    return 0
