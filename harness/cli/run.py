"""`xvlm-eval run`: evaluate a checkpoint on tasks."""

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from harness.cli import flags
from harness.cli.console import say, say_nothing
from harness.cli.outcomes import print_forecasts, print_outcomes
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.checkpoints import Given

HELP = "evaluate a checkpoint on tasks"
TRACKERS = ("wandb", "trackio", "mlflow")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_task(parser, help=flags.TASKS)
    flags.add_split(parser)
    parser.add_argument(
        "--limit",
        type=flags.positive,
        metavar="N",
        help="evaluate only N samples, drawn by a stable hash: a subset, never a result",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="predict nothing: print the work of each run, its memory and its time",
    )
    _add_weights(parser.add_argument_group("weights"))
    _add_data(parser.add_argument_group("data"))
    flags.add_own_data(parser)
    _add_computing(parser.add_argument_group("computing"))
    _add_results(parser.add_argument_group("results"))


def _add_weights(group: flags.Parser) -> None:
    group.add_argument(
        "--checkpoint",
        metavar="NAME|PATH|HUB-ID",
        help="an entry of checkpoints.yaml, a weight file or folder, or a repository in the hub's "
        "cache; default: x-vlm-base-16m, on the embedded benchmark xvlm-shapes",
    )
    group.add_argument(
        "--model",
        metavar="FAMILY",
        help="the family of a --checkpoint that is not an entry: `xvlm-eval list` shows them; "
        "default: xvlm",
    )
    group.add_argument(
        "--model-args",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the family, kept in the record; can be repeated",
    )
    group.add_argument(
        "--name",
        metavar="NAME",
        help="name in records of a --checkpoint that is not an entry; default: that of the file or "
        "folder",
    )
    flags.add_include(group)
    group.add_argument(
        "--download", action="store_true", help="let a repository of the hub be downloaded"
    )


def _add_data(group: flags.Parser) -> None:
    flags.add_data(
        group,
        help=f"{flags.FOLDER}, or hf (hf:REPOSITORY@REVISION) for copies on Hugging Face's hub; "
        "default: XVLM_EVAL_DATA, the configuration file, else the embedded benchmark",
    )
    flags.add_links(group)
    flags.add_images(group)
    group.add_argument(
        "--on-error",
        choices=("fail", "skip"),
        default="fail",
        help="for an unreadable image: end the run, or count its samples as wrong, listed in the "
        "record; default: fail",
    )


def _add_computing(group: flags.Parser) -> None:
    group.add_argument(
        "--batch-size",
        type=_batch_size,
        default="auto",
        metavar="N|auto",
        help="samples computed together: the metrics stay, the last digits of a predicted float "
        "may not; default: auto, by free memory",
    )
    group.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or cuda:N; default: auto"
    )
    flags.add_dtype(
        group,
        help="precision of matrix products, kept in the record; the paper's rows take float32 "
        "and tf32; default: float32",
    )
    group.add_argument(
        "--workers",
        type=flags.positive,
        metavar="N",
        help="threads that decode images; default: the number of cores, at most 16",
    )


def _add_results(group: flags.Parser) -> None:
    group.add_argument(
        "--out",
        metavar="DIR",
        default=flags.OUT,
        help=f"folder for predictions and records; default: {flags.OUT}",
    )
    group.add_argument(
        "--fresh",
        action="store_true",
        help="discard an earlier run's predictions instead of continuing from them",
    )
    flags.add_format(group, "md", "json")
    group.add_argument(
        "--log",
        action="append",
        choices=TRACKERS,
        default=[],
        help="also log the metrics with an experiment tracker that you have installed; repeat",
    )


def run(options: argparse.Namespace) -> int:
    """Evaluate tasks, and print the results."""
    from harness.cli.own import choose_data
    from harness.data.own import naming_image_folder
    from harness.export.trackers import logging
    from harness.running import launch, planning
    from harness.running.progress import Progress
    from harness.running.run import Speed

    chosen = choose_data(options)
    request = planning.Request(
        tasks=chosen.tasks,
        splits=chosen.splits,
        checkpoint=options.checkpoint,
        data=chosen.data,
        out=flags.path(options.out),
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
            return print_forecasts(launch.forecast_all(plan) if first else (), options.format)
        outcomes = launch.run_all(plan, group, progress=progress, warn=say)
        with logging(options.log if first else (), warn=say) as log:
            return print_outcomes(outcomes, options.format, log=log)


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


def _batch_size(text: str) -> int | None:
    """Return a number, None for `auto`."""
    return None if text == "auto" else flags.positive(text)
