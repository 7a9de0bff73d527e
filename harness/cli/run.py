"""`xvlm-eval run`: evaluate a checkpoint on tasks."""

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import flags
from harness.cli.console import say, say_nothing
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.checkpoints import Given
    from harness.records.record import ResultRecord
    from harness.running.forecast import Forecast
    from harness.running.run import Outcome

HELP = "evaluate a checkpoint on tasks"
TRACKERS = ("wandb", "trackio", "mlflow")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_task(parser, help=flags.TASKS)
    flags.add_split(parser)
    flags.add_own_data(parser)
    flags.add_links(parser)
    parser.add_argument(
        "--checkpoint",
        metavar="NAME|PATH|HUB-ID",
        help="an entry of checkpoints.yaml, a weight file or folder, or a repository in the hub's "
        "cache; default: the paper's, on shapes xvlm-shapes",
    )
    parser.add_argument(
        "--model",
        metavar="FAMILY",
        help="the family of a --checkpoint that is no entry: `xvlm-eval list` shows them; "
        "default: xvlm",
    )
    parser.add_argument(
        "--model-args",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the family, kept in the record; can be repeated",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="name of such weights in records; default: their own"
    )
    flags.add_include(parser)
    parser.add_argument(
        "--download", action="store_true", help="let a repository of the hub be downloaded"
    )
    flags.add_data(
        parser,
        help=f"{flags.FOLDER}, or hf (hf:REPOSITORY@REVISION) for copies on Hugging Face's hub; "
        "default: XVLM_EVAL_DATA, the configuration file, else the embedded benchmark",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        default=flags.OUT,
        help=f"folder for predictions and records; default: {flags.OUT}",
    )
    parser.add_argument(
        "--limit",
        type=flags.positive,
        metavar="N",
        help="evaluate only N samples, drawn by a stable hash: a subset, never a result",
    )
    parser.add_argument(
        "--batch-size",
        type=_batch_size,
        default="auto",
        metavar="N|auto",
        help="samples computed together: the metrics stay, the last digits of a predicted float "
        "may not; default: auto, by free memory",
    )
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N; default: auto"
    )
    flags.add_dtype(
        parser,
        help="precision of matrix products, kept in the record; the paper's rows take float32 "
        "and tf32; default: float32",
    )
    parser.add_argument(
        "--workers",
        type=flags.positive,
        metavar="N",
        help="threads that decode images; default: the number of cores, at most 16",
    )
    parser.add_argument(
        "--on-error",
        choices=("fail", "skip"),
        default="fail",
        help="for an unreadable image: end the run, or count its samples as wrong, listed in the "
        "record; default: fail",
    )
    flags.add_images(parser)
    parser.add_argument(
        "--log",
        action="append",
        choices=TRACKERS,
        default=[],
        help="also log the metrics with an experiment tracker that you have installed; repeat",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="predict nothing: print the work of each run, its memory and its time",
    )
    flags.add_format(parser, "md", "json")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="discard an earlier run's predictions instead of continuing from them",
    )


def run(options: argparse.Namespace) -> int:
    """Evaluate tasks, and print the results."""
    from harness.checkpoints import include
    from harness.cli.own import choose_data
    from harness.data.own import naming_image_folder
    from harness.export.trackers import logging
    from harness.running import launch, planning
    from harness.running.progress import Progress
    from harness.running.run import Speed

    include(options.include)
    chosen = choose_data(options)
    request = planning.Request(
        tasks=chosen.tasks,
        splits=chosen.splits,
        checkpoint=options.checkpoint,
        data=chosen.data,
        out=Path(options.out),
        speed=Speed(options.batch_size, options.workers or launch.default_workers()),
        device=options.device,
        dtype=options.dtype,
        limit=options.limit,
        skip=options.on_error == "skip",
        images=options.images,
        fresh=options.fresh,
        given=_given(options),
    )
    with naming_image_folder(chosen.data), launch.process_group() as group:
        first = group.rank == 0
        say_once = say if first else say_nothing
        progress = partial(Progress, stream=sys.stderr if first else None, say=say_once)
        say_once(planning.banner(request))
        plan = launch.agree_on_plan(request, group, progress=progress)
        if plan.left_out:
            names = ", ".join(plan.left_out)
            say_once(f"left out, without the split or a checkpoint for them: {names}")
        for note in plan.notes:
            say_once(note)
        if options.plan:
            return _print_forecasts(launch.forecast_all(plan) if first else (), options.format)
        outcomes = launch.run_all(plan, group, progress=progress, warn=say)
        with logging(options.log if first else (), warn=say) as log:
            return _print_outcomes(outcomes, options.format, log=log)


def _given(options: argparse.Namespace) -> "Given":
    """Return what the flags say of weights that no entry describes."""
    from harness.running.given import resolve_given

    arguments: dict[str, str] = {}
    for text in options.model_args:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--model-args {text!r}: should be KEY=VALUE")
        arguments[key] = value
    return resolve_given(
        options.checkpoint,
        family=options.model,
        name=options.name,
        arguments=arguments,
        download=options.download,
    )


def _print_forecasts(forecasts: "Iterable[Forecast]", format: str) -> int:
    """Print what runs will take."""
    from harness import rendering
    from harness.running.forecast import table

    if rows := list(forecasts):
        forecast = table(rows)
        if format == "json":
            print(rendering.render_json({"plan": forecast.rows}))
        else:
            print(rendering.render([forecast], format))
    return 0


def _print_outcomes(
    outcomes: "Iterable[Outcome]", format: str, *, log: "Callable[[ResultRecord], None]"
) -> int:
    """Announce and log each outcome as it comes, and print all results at the end."""
    from harness import rendering
    from harness.records.record import read_record
    from harness.tables import layouts

    rows: list[rendering.Row] = []
    try:
        for outcome in outcomes:
            record = read_record(outcome.record)
            rows += layouts.record_rows(record, outcome.record)
            _announce(outcome, record, format)
            log(record)
    finally:  # an error leaves the results before it valid
        if rows and format == "json":
            print(rendering.render_json({"results": rows}))
        elif rows:
            table = rendering.Table("Results", rows, layouts.RECORD_COLUMNS)
            print(rendering.render([table], format))
    return 0


def _announce(outcome: "Outcome", record: "ResultRecord", format: str) -> None:
    """Say what a result is not: comparable with the paper, or complete."""
    from harness.formats.own.folder import is_own
    from harness.registry import official_counts
    from harness.tables.paper import read_paper

    title = f"{record.task} {record.split}"
    if (
        not record.embedded
        and not is_own(record.task)
        and record.subset is None
        and (reason := read_paper(official_counts()).objection(record))
    ):
        say(f"{title}: {reason}; such a result fills no row of the table")
    for caveat in outcome.caveats:
        say(f"{title}: {caveat}")
    if outcome.export and not record.metrics:
        say(f"{title}: the predictions are in {outcome.export}")
    for name, reason in record.not_run.items():
        if outcome.submission:
            show = say if format == "json" else partial(print, flush=True)
            show(
                f"{outcome.submission}: {reason}; then record its {name} with "
                "`xvlm-eval import-score`"
            )
        else:
            say(f"{title}: {name} was not computed: {reason}")


def _batch_size(text: str) -> int | None:
    """Return a number, None for `auto`."""
    return None if text == "auto" else flags.positive(text)
