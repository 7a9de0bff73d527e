"""Flags that several verbs share, and the values that a flag can take."""

import argparse

OUT = "runs"  # the folder that `run` writes and `table` reads, below the current one
DTYPES = ("float32", "tf32", "float16", "bfloat16")
TASKS = "a task, several (repeat, or a,b), or all"
IMAGES = ("strict", "as-reference")
FOLDER = "folder of the benchmark files"


def add_task(parser: argparse.ArgumentParser, *, help: str = f"{TASKS}; default: all") -> None:
    """Add `--task`, which can be repeated."""
    parser.add_argument("--task", action="append", default=[], metavar="NAME", help=help)


def add_split(parser: argparse.ArgumentParser) -> None:
    """Add `--split`, which can be repeated."""
    parser.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="NAME",
        help="a split of each task; default: all of its splits",
    )


def add_one_split(parser: argparse.ArgumentParser) -> None:
    """Add `--task` and `--split` for a verb that is about one split of one task."""
    parser.add_argument("--task", required=True, metavar="NAME")
    parser.add_argument("--split", required=True, metavar="NAME")


def add_data(
    parser: argparse.ArgumentParser, *, help: str = f"{FOLDER}; default: as for `run`"
) -> None:
    """Add `--data`."""
    parser.add_argument("--data", metavar="DIR", help=help)


def add_include(parser: argparse.ArgumentParser) -> None:
    """Add `--include FILE`."""
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoints.yaml of your own, beside the one that is shipped; can be repeated",
    )


def add_links(parser: argparse.ArgumentParser) -> None:
    """Add `--allow-links DIR`."""
    parser.add_argument(
        "--allow-links",
        action="append",
        default=[],
        metavar="DIR",
        help="follow links of single images, and absolute names in lists, that lead into DIR "
        "(Hugging Face's cache, DVC, git-annex); repeat",
    )


def add_dtype(parser: argparse.ArgumentParser, *, help: str) -> None:
    """Add `--dtype`."""
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help=help)


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add `--images`, the policy that decodes images."""
    parser.add_argument(
        "--images",
        choices=IMAGES,
        default=IMAGES[0],
        help="strict refuses images that are truncated, of more than 179 million pixels, or of "
        "more than 8 bits a pixel; as-reference reads them as X-VLM's code does; default: strict",
    )


def add_format(parser: argparse.ArgumentParser, *formats: str) -> None:
    """Add `--format`: `terminal`, or one of the other `formats`."""
    parser.add_argument(
        "--format",
        choices=("terminal", *formats),
        default="terminal",
        help="default: terminal",
    )


def positive(text: str) -> int:
    """Return a whole number from 1 up."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return number
