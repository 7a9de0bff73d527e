"""`xvlm-eval doctor`: check whether a run can succeed here, and what to do if not."""

import argparse

from harness.cli import flags

HELP = "check whether a run can succeed on this machine, and what to do if not"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_task(parser, help=f"{flags.TASKS}; default: every task, extra ones too")
    parser.set_defaults(split=None)
    flags.add_data(parser)
    flags.add_own_data(parser)
    flags.add_image_folder(parser)
    parser.add_argument(
        "--checkpoint",
        metavar="NAME|PATH|HUB-ID",
        help="an entry of checkpoints.yaml, a weight file or folder, or a repository in the hub's "
        "cache; default: as for `run`",
    )
    parser.add_argument(
        "--model", metavar="FAMILY", help="the family of a --checkpoint that is not an entry"
    )
    flags.add_include(parser)
    parser.add_argument(
        "--online",
        action="store_true",
        help="also check whether Hugging Face's hub answers; nothing else is contacted",
    )
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print whether a run can succeed, and what to do if not."""
    from harness.cli.own import choose_data
    from harness.doctor.diagnosis import examine, render_diagnosis

    chosen = choose_data(options)
    diagnosis = examine(
        chosen.data,
        checkpoint=options.checkpoint,
        online=options.online,
        model=options.model,
        tasks=chosen.tasks,
    )
    print(render_diagnosis(diagnosis, format=options.format))
    return 0 if diagnosis.well else 1
