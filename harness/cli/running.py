"""Verbs that compute: run, bench."""

import argparse
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.console import say, say_nothing

if TYPE_CHECKING:
    from harness.running.evaluate import Outcome
    from harness.running.forecast import Forecast


def run(options: argparse.Namespace) -> int:
    """Evaluate tasks and print what came out."""
    from harness.cli.progress import Progress
    from harness.running import launch

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
    with launch.join() as group:
        say_once = say if group.rank == 0 else say_nothing
        say_once(launch.notice(request))
        watch = partial(Progress, stream=sys.stderr if group.rank == 0 else None, say=say_once)
        plan = launch.agree_on_plan(request, group, progress=watch)
        if plan.left_out:
            say_once(
                f"left out, as this checkpoint was not released for them: {', '.join(plan.left_out)}"
            )
        if options.plan:
            return _print_plan(
                launch.foresee(plan, request) if group.rank == 0 else (), options.format
            )
        return _print_outcomes(
            launch.carry_out(plan, request, group, progress=watch, warn=say), options.format
        )


def _print_plan(forecasts: "Iterable[Forecast]", format: str) -> int:
    """Print what runs will take."""
    from harness import rendering
    from harness.running import forecast as planning

    if found := list(forecasts):
        table = planning.table(found)
        print(
            rendering.render_json({"plan": table.rows})
            if format == "json"
            else rendering.render([table], format)
        )
    return 0


def _print_outcomes(outcomes: "Iterable[Outcome]", format: str) -> int:
    """Say what each run ended in, and print all results at the end."""
    from harness import rendering
    from harness.records.record import read_record
    from harness.tables import layouts
    from harness.tables.paper import read_paper

    rows, paper = [], read_paper()
    try:
        for outcome in outcomes:
            record = read_record(outcome.record)
            rows += layouts.record_rows(record, outcome.record)
            if (
                not record.embedded
                and record.subset is None
                and (objection := paper.objection(record))
            ):
                say(
                    f"{record.task} {record.split}: {objection}; such a result fills no row of the table"
                )
            for name, reason in record.not_run.items():
                if outcome.submission:
                    show = say if format == "json" else partial(print, flush=True)
                    show(
                        f"{outcome.submission}: {reason}; then tell its {name} with `xvlm-eval import-score`"
                    )
                else:
                    say(f"{record.task} {record.split}: {name} was not computed: {reason}")
    finally:  # what came before an error is a result nevertheless
        if rows:
            table = rendering.Table("Results", rows, layouts.RECORD_COLUMNS)
            print(
                rendering.render_json({"results": rows})
                if format == "json"
                else rendering.render([table], format)
            )
    return 0


def bench(options: argparse.Namespace) -> int:
    """Print how the engine compares with the literal algorithm of the paper's code."""
    from harness import rendering
    from harness.bench import measure
    from harness.bench.report import as_json, tables

    asked = {
        name: getattr(options, name) for name in ("size", "repeat", "device", "dtype", "threads")
    }
    found = measure.measure(
        measure.Request(tasks=options.task, stages=options.stage, **asked), say=say
    )
    print(
        rendering.render_json(as_json(found))
        if options.json
        else rendering.render(tables(found), "terminal")
    )
    return 0 if found.agree else 1
