"""Verbs about what runs need: list, data, fetch, checkpoint, doctor."""

import argparse
import sys
from functools import partial
from pathlib import Path

from harness.cli.console import say


def list_all(options: argparse.Namespace) -> int:
    """Print the tasks and the checkpoints that can be named."""
    from harness import checkpoints, rendering
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
        {
            "checkpoint": entry.name,
            "title": entry.title,
            "licence": entry.licence,
            "tasks": " ".join(entry.files),
        }
        for entry in checkpoints.entries().values()
    ]
    if options.format == "json":
        print(rendering.render_json({"tasks": tasks, "checkpoints": entries}))
        return 0
    tables = [
        rendering.Table(title, rows, {key: key for key in rows[0]})
        for title, rows in (("Tasks", tasks), ("Checkpoints", entries))
    ]
    print(rendering.render(tables, options.format))
    return 0


def data(options: argparse.Namespace) -> int:
    """Print what a data folder holds of what the tasks need."""
    from harness.cli.progress import Progress
    from harness.data.flat import build_flat
    from harness.data.layout import layout
    from harness.data.report import make_report, render_report
    from harness.errors import DataError
    from harness.registry import find_tasks

    if options.layout:
        print(layout(find_tasks(options.task or ["all"])))
        return 0
    watch = partial(Progress, stream=sys.stderr, say=say)
    report = make_report(
        options.task,
        options.split,
        data=options.data,
        decode=options.verify,
        keep=bool(options.build_flat),
        progress=watch,
    )
    if options.build_flat:
        for sentence in build_flat(report.inventory, Path(options.build_flat)):
            print(sentence)
        return 0
    print(render_report(report, format=options.format))
    return 0 if report.sound else DataError.exit_code


def fetch(options: argparse.Namespace) -> int:
    """Say what would be fetched, and with --yes fetch it."""
    from harness.cli.progress import Progress
    from harness.data.fetch import plan
    from harness.data.fetch.execute import execute

    watch = partial(Progress, stream=sys.stderr, say=say)
    chosen = plan.plan_for(
        options.task, options.split, data=options.data, weights=options.weights, progress=watch
    )
    print(plan.in_words(chosen), flush=True)
    if not options.yes:
        say("nothing was fetched; add --yes to fetch")
        return 0
    for sentence in execute(chosen, progress=watch):
        print(sentence, flush=True)
    return 0


def checkpoint(options: argparse.Namespace) -> int:
    """Print what a weight file holds, in sentences."""
    from harness import rendering
    from harness.registry import describe

    found = describe(Path(options.file))
    print(
        rendering.render_json(dict(found.as_json()))
        if options.format == "json"
        else "\n".join(found.sentences())
    )
    return 0 if found.fits else 1


def doctor(options: argparse.Namespace) -> int:
    """Print whether a run can go, and what to do if not."""
    from harness.doctor import diagnosis as doctor

    diagnosis = doctor.examine(
        data=options.data, checkpoint=options.checkpoint, online=options.online
    )
    print(doctor.render_diagnosis(diagnosis, format=options.format))
    return 0 if diagnosis.well else 1
