"""The command `xvlm-eval`: its verbs, what they print, and with which code they end.

Results go to the standard output, everything else to the error output. Nothing heavy is imported before a verb needs it.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from harness.arguments import OUT, parser

if TYPE_CHECKING:
    from harness.evaluate import Outcome
    from harness.planning import Forecast

INTERRUPTED = 130  # what a shell makes of Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a letter is no reason to stop
            stream.reconfigure(errors="replace")
    # Read when torch is first imported: the same bits from matrix products however many threads a process has.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    options = parser().parse_args(arguments)
    try:
        return _guarded(options)
    except BrokenPipeError:  # the reader of our output (`| head`) has seen enough
        _drop(sys.stdout)
        return 0


def _guarded(options: argparse.Namespace) -> int:
    """Run the verb; an error becomes a message and an exit code, with a stack trace only for --debug."""
    from harness.errors import HarnessError

    try:
        code = VERBS[options.verb](options)
        sys.stdout.flush()
        return code
    except HarnessError as error:
        return _failed(options, str(error), code=error.exit_code)
    except KeyboardInterrupt:
        again = "run the same command" + (" without --fresh" if getattr(options, "fresh", False) else "")
        return _failed(options, f"interrupted; what was predicted is kept, {again} to go on", code=INTERRUPTED)
    except BrokenPipeError:
        raise
    except Exception as error:
        message = f"this should not have happened ({type(error).__name__}: {error})"
        if not options.debug:
            message += "; run it again with --debug and report what it prints"
        return _failed(options, message, code=HarnessError.exit_code)


def _failed(options: argparse.Namespace, message: str, *, code: int) -> int:
    """Say what went wrong; called while the error is being handled."""
    if options.debug:
        import traceback

        _say(traceback.format_exc().rstrip())
    _say(f"xvlm-eval: {message}")
    return code


def _say(message: str) -> None:
    """Tell the user something beside the results. That nobody listens any more (`2>&1 | head`) is no reason to stop a run."""
    try:
        print(message, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _drop(sys.stderr)


def _say_nothing(message: str) -> None:
    """What the other processes of a run have to say: the first one says it."""


def _drop(stream: TextIO) -> None:
    """Send what is still written to a stream nowhere: Python would fail on the rest of its buffer when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(options: argparse.Namespace) -> int:
    """Evaluate tasks and print what came out."""
    from harness import launch
    from harness.progress import Progress

    request = launch.Request(
        tasks=options.task,
        splits=options.split,
        checkpoint=options.checkpoint,
        data=options.data,
        out=Path(options.out),
        limit=options.limit,
        batch_size=options.batch_size,
        device=options.device,
        dtype=options.dtype,
        workers=options.workers or launch.default_workers(),
        fresh=options.fresh,
        skip=options.on_error == "skip",
    )
    with launch.join() as crew:
        say = _say if crew.rank == 0 else _say_nothing
        say(launch.notice(request))
        watch = partial(Progress, stream=sys.stderr if crew.rank == 0 else None, say=say)
        plan = launch.agree_on_plan(request, crew, watch=watch)
        if plan.left_out:
            say(f"left out, as this checkpoint was not released for them: {', '.join(plan.left_out)}")
        if options.plan:
            return _print_plan(launch.foresee(plan, request) if crew.rank == 0 else (), options.format)
        return _print_outcomes(launch.carry_out(plan, request, crew, watch=watch, tell=_say), options.format)


def _print_plan(forecasts: "Iterable[Forecast]", format: str) -> int:
    """Print what runs will take."""
    from harness import planning, report

    if found := list(forecasts):
        table = planning.table(found)
        print(report.render_json({"plan": table.rows}) if format == "json" else report.render([table], format))
    return 0


def _print_outcomes(outcomes: "Iterable[Outcome]", format: str) -> int:
    """Say what each run ended in, and print all results at the end."""
    from harness import report
    from harness.data.known import not_official
    from harness.results import read_record

    rows = []
    try:
        for outcome in outcomes:
            record = read_record(outcome.record)
            rows += report.record_rows(record, outcome.record)
            for difference in not_official(record):
                _say(f"{record.task} {record.split}: {difference}; such a result fills no row of the table")
            for name, reason in record.not_run.items():
                if outcome.submission:
                    show = _say if format == "json" else partial(print, flush=True)
                    show(f"{outcome.submission}: {reason}; then tell its {name} with `xvlm-eval import-score`")
                else:
                    _say(f"{record.task} {record.split}: {name} was not computed: {reason}")
    finally:  # what came before an error is a result nevertheless
        if rows:
            table = report.Table("Results", rows, report.RECORD_COLUMNS)
            print(report.render_json({"results": rows}) if format == "json" else report.render([table], format))
    return 0


def _table(options: argparse.Namespace) -> int:
    """Print results beside the published numbers."""
    from harness import report, table
    from harness.errors import DataError, MissingError
    from harness.paper import paper
    from harness.results import find_records

    folder = Path(options.results or options.out or OUT)
    if not folder.is_dir() and (options.results or options.out):
        raise MissingError(f"{folder}: no such folder of results; `xvlm-eval run --task refcoco+ --out {folder}` makes one")
    found = find_records(folder)
    if not found.records:
        _say(f"{folder}: no results yet; `xvlm-eval run --task refcoco+` makes some")
    shapes = table.shapes_rows(found.records)
    embedded = report.Table(report.SHAPES_TITLE, shapes, report.SHAPES_COLUMNS)
    left_out = [*found.damaged, *found.misplaced, *table.objections(found.records)]
    if options.layout == "paper":
        rows = table.paper_rows(found.records, checkpoint=options.checkpoint)
        listing = report.Table(f"{paper().source}: published and measured", rows, report.PAPER_COLUMNS)
        tables = [listing]
        left_out += table.passed_over(found.records, checkpoint=options.checkpoint)
    elif options.layout == "leaderboard":
        rows = table.leaderboard_rows(found.records)
        listing = report.Table("Leaderboard", rows, report.LEADERBOARD_COLUMNS)
        tables = report.leaderboard(rows)
    else:
        rows, listing, tables = shapes, embedded, []
    for reason in left_out:
        _say(f"left out: {reason}")
    if options.format == "json":
        print(report.render_json({"layout": options.layout, "rows": rows, "shapes": shapes}))
    elif options.format == "csv":
        if shapes and options.layout != "shapes":
            _say("a CSV file is one table: the results on the embedded benchmark are in --layout shapes")
        print(report.render_csv(listing))
    else:
        print(report.render([*([embedded] if shapes or not tables else []), *tables], options.format))
    return DataError.exit_code if found.damaged else 0


def _check(options: argparse.Namespace) -> int:
    """Say which metrics are still what they were; in a GitHub workflow, also in the summary of the step."""
    from harness import drift, drift_report
    from harness.places import shipped

    baseline = Path(options.baseline) if options.baseline else shipped("results")
    found = drift.check(Path(options.results), baseline, checkpoint=options.checkpoint, require_all=options.require_all)
    print(drift_report.render_check(found, options.format))
    if options.format in ("json", "junit"):
        _say(drift_report.summary(found))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(drift_report.render_check(found, "md") + "\n")
    return 1 if found.failed else 0


def _diff(options: argparse.Namespace) -> int:
    """Show what changed between two results."""
    from harness import diff

    print(diff.render_diffs(diff.diffs(Path(options.before), Path(options.after)), options.format, limit=options.limit))
    return 0


def _score(options: argparse.Namespace) -> int:
    """Print what stored predictions are worth."""
    from harness import report
    from harness.score import dumped, score_file

    scored = score_file(options.task, options.split, Path(options.predictions), data=options.data)
    if options.format == "json":
        print(dumped(scored))
        return 0
    rows = [
        {"metric": name, "measured": value, "interval": scored.scores.intervals.get(name), "n": scored.n}
        for name, value in scored.scores.metrics.items()
    ]
    title = f"{options.predictions}: {scored.task} {scored.split} on {scored.data}"
    print(report.render([report.Table(title, rows, report.SCORE_COLUMNS)], options.format))
    for name, reason in scored.scores.not_run.items():
        _say(f"{name}: not run, {reason}")
    return 0


def _import_score(options: argparse.Namespace) -> int:
    """Write a server's number into the results."""
    from harness.server import import_score

    path = import_score(options.task, options.split, Path(options.submission), metrics=options.metric, url=options.url, date=options.date)
    print(f"{path}: {options.task} {options.split} as the server scored it, {', '.join(options.metric)}")
    return 0


def _checkpoint(options: argparse.Namespace) -> int:
    """Print what a weight file holds, in sentences."""
    from harness import report
    from harness.models.xvlm.audit import audit

    found = audit(Path(options.file))
    print(report.render_json(dict(found.as_json())) if options.format == "json" else "\n".join(found.sentences()))
    return 0 if found.fits else 1


def _bench(options: argparse.Namespace) -> int:
    """Print how the engine compares with the literal algorithm of the paper's code."""
    from harness import report
    from harness.bench import measure
    from harness.bench.report import as_json, tables

    asked = {name: getattr(options, name) for name in ("size", "repeat", "device", "dtype", "threads")}
    found = measure.measure(measure.Request(tasks=options.task, stages=options.stage, **asked), say=_say)
    print(report.render_json(as_json(found)) if options.json else report.render(tables(found), "terminal"))
    return 0 if found.agree else 1


def _data(options: argparse.Namespace) -> int:
    """Print what a data folder holds of what the tasks need."""
    from harness.data.flat import build_flat
    from harness.data.layout import layout
    from harness.data.listing import shown
    from harness.data.survey import survey
    from harness.errors import DataError
    from harness.progress import Progress
    from harness.registry import find_tasks

    if options.layout:
        print(layout(find_tasks(options.task or ["all"])))
        return 0
    watch = partial(Progress, stream=sys.stderr, say=_say)
    found = survey(options.task, options.split, data=options.data, decode=options.verify, keep=bool(options.build_flat), watch=watch)
    if options.build_flat:
        for sentence in build_flat(found.inspection, Path(options.build_flat)):
            print(sentence)
        return 0
    print(shown(found, format=options.format))
    return 0 if found.sound else DataError.exit_code


def _fetch(options: argparse.Namespace) -> int:
    """Say what would be fetched, and with --yes fetch it."""
    from harness.fetch import plan, work
    from harness.fetch.download import Pace
    from harness.progress import Progress

    watch = partial(Progress, stream=sys.stderr, say=_say)
    chosen = plan.plan_for(options.task, options.split, data=options.data, weights=options.weights, watch=watch)
    print(plan.in_words(chosen), flush=True)
    if not options.yes:
        _say("nothing was fetched; add --yes to fetch")
        return 0
    for sentence in work.carry_out(chosen, pace=Pace(connections=options.connections), watch=watch):
        print(sentence, flush=True)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    """Print whether a run can go, and what to do if not."""
    from harness import doctor

    diagnosis = doctor.examine(data=options.data, checkpoint=options.checkpoint, online=options.online)
    print(doctor.shown(diagnosis, format=options.format))
    return 0 if diagnosis.well else 1


def _list(options: argparse.Namespace) -> int:
    """Print the tasks and the checkpoints that can be named."""
    from harness import checkpoints, report
    from harness.registry import find_task, task_names

    tasks = [
        {
            "task": task.name,
            "splits": " ".join(task.splits),
            "metric": task.primary,
            "needs": task.needs.__name__,
            "version": task.version,
        }
        for task in map(find_task, task_names())
    ]
    entries = [
        {"checkpoint": entry.name, "title": entry.title, "licence": entry.licence, "tasks": " ".join(entry.files)}
        for entry in checkpoints.entries().values()
    ]
    if options.format == "json":
        print(report.render_json({"tasks": tasks, "checkpoints": entries}))
        return 0
    tables = [report.Table(title, rows, {key: key for key in rows[0]}) for title, rows in (("Tasks", tasks), ("Checkpoints", entries))]
    print(report.render(tables, options.format))
    return 0


VERBS = {
    "run": _run,
    "table": _table,
    "check": _check,
    "diff": _diff,
    "score": _score,
    "import-score": _import_score,
    "checkpoint": _checkpoint,
    "bench": _bench,
    "data": _data,
    "fetch": _fetch,
    "doctor": _doctor,
    "list": _list,
}

if __name__ == "__main__":
    sys.exit(main())
