"""Verbs about numbers that are there: table, check, diff, score, import-score."""

import argparse
import os
from pathlib import Path

from harness.cli.arguments import OUT
from harness.cli.console import say


def table(options: argparse.Namespace) -> int:
    """Print results beside the published numbers."""
    from harness import rendering
    from harness.errors import DataError, MissingError
    from harness.records.record import find_records
    from harness.tables.layouts import lay_out
    from harness.tables.paper import read_paper

    folder = Path(options.results or options.out or OUT)
    if not folder.is_dir() and (options.results or options.out):
        raise MissingError(
            f"{folder}: no such folder of results; `xvlm-eval run --task refcoco+ --out {folder}` makes one"
        )
    found = find_records(folder)
    if not found.records:
        say(f"{folder}: no results yet; `xvlm-eval run --task refcoco+` makes some")
    layout = lay_out(found.records, read_paper(), options.layout, checkpoint=options.checkpoint)
    for reason in (*found.damaged, *found.misplaced, *layout.left_out):
        say(f"left out: {reason}")
    if options.format == "json":
        rows = {"layout": options.layout, "rows": layout.listing.rows, "shapes": layout.shapes.rows}
        print(rendering.render_json(rows))
    elif options.format == "csv":
        if layout.shapes.rows and options.layout != "shapes":
            say(
                "a CSV file is one table: the results on the embedded benchmark are in --layout shapes"
            )
        print(rendering.render_csv(layout.listing))
    else:
        print(rendering.render(layout.tables, options.format))
    return DataError.exit_code if found.damaged else 0


def check(options: argparse.Namespace) -> int:
    """Say which metrics are still what they were; in a GitHub workflow, also in the summary of the step."""
    from harness.drift import check as drift
    from harness.drift import report as drift_report
    from harness.files.paths import shipped_path

    baseline = Path(options.baseline) if options.baseline else shipped_path("results")
    found = drift.check(
        Path(options.results),
        baseline,
        checkpoint=options.checkpoint,
        require_all=options.require_all,
    )
    print(drift_report.render_check(found, options.format))
    if options.format in ("json", "junit"):
        say(drift_report.summary(found))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(drift_report.render_check(found, "md") + "\n")
    return 1 if found.failed else 0


def diff(options: argparse.Namespace) -> int:
    """Show what changed between two results."""
    from harness.drift import diff

    print(
        diff.render_diffs(
            diff.diff_results(Path(options.before), Path(options.after)),
            options.format,
            limit=options.limit,
        )
    )
    return 0


def score(options: argparse.Namespace) -> int:
    """Print what stored predictions are worth."""
    from harness import rendering
    from harness.running.rescore import dumped, score_file
    from harness.tables import layouts

    scored = score_file(options.task, options.split, Path(options.predictions), data=options.data)
    if options.format == "json":
        print(dumped(scored))
        return 0
    rows = [
        {
            "metric": name,
            "measured": value,
            "interval": scored.scores.intervals.get(name),
            "n": scored.n,
        }
        for name, value in scored.scores.metrics.items()
    ]
    title = f"{options.predictions}: {scored.task} {scored.split} on {scored.data}"
    print(rendering.render([rendering.Table(title, rows, layouts.SCORE_COLUMNS)], options.format))
    for name, reason in scored.scores.not_run.items():
        say(f"{name}: not run, {reason}")
    return 0


def import_score(options: argparse.Namespace) -> int:
    """Write a server's number into the results."""
    from harness.running.import_score import import_score

    path = import_score(
        options.task,
        options.split,
        Path(options.submission),
        metrics=options.metric,
        url=options.url,
        date=options.date,
    )
    print(
        f"{path}: {options.task} {options.split} as the server scored it, {', '.join(options.metric)}"
    )
    return 0
