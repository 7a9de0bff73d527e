"""`xvlm-eval doctor`: check whether a run can succeed here, and what to do if not."""

import argparse

from harness.cli import flags

HELP = "check whether a run can succeed on this machine, and what to do if not"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    flags.add_data(parser)
    parser.add_argument(
        "--checkpoint",
        metavar="NAME|PATH",
        help="an entry of checkpoints.yaml, or a weight file; default: as for `run`",
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="also check whether Hugging Face's hub answers; nothing else is contacted",
    )
    flags.add_format(parser, "md", "json")


def run(options: argparse.Namespace) -> int:
    """Print whether a run can succeed, and what to do if not."""
    from harness.doctor.diagnosis import examine, render_diagnosis

    diagnosis = examine(data=options.data, checkpoint=options.checkpoint, online=options.online)
    print(render_diagnosis(diagnosis, format=options.format))
    return 0 if diagnosis.well else 1
