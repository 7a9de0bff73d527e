"""`xvlm-eval checkpoint`: describe a weight file, and whether it can be evaluated."""

import argparse
from pathlib import Path

from harness.cli import flags

HELP = "describe a weight file, and whether it can be evaluated"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb."""
    parser.add_argument(
        "file", metavar="FILE", help="a weight file: .th, .pth, .pt, .bin or .safetensors"
    )
    flags.add_format(parser, "json")


def run(options: argparse.Namespace) -> int:
    """Print what a weight file holds, in sentences."""
    from harness import rendering
    from harness.registry import describe

    description = describe(Path(options.file))
    if options.format == "json":
        print(rendering.render_json(dict(description.as_json())))
    else:
        print("\n".join(description.sentences()))
    return 0 if description.fits else 1
