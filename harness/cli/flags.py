"""Flags that several verbs share, and the values that a flag can take."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OUT = "runs"  # the folder that `run` writes and `table` reads, below the current one
DTYPES = ("float32", "tf32", "float16", "bfloat16")
TASKS = "a task, several (repeat, or a,b), or all"
IMAGES = ("strict", "as-reference")
FOLDER = "folder of the benchmark files"

# Flags can be added to a parser, or to one of its groups, under whose title `--help` lists them.
Parser = argparse.ArgumentParser | argparse._ArgumentGroup


def add_task(parser: Parser, *, help: str = f"{TASKS}; default: all") -> None:
    """Add `--task`, which can be repeated."""
    parser.add_argument("--task", action="append", default=[], metavar="NAME", help=help)


def add_split(parser: Parser) -> None:
    """Add `--split`, which can be repeated."""
    parser.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="NAME",
        help="a split of each task; default: all of its splits",
    )


def add_one_split(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add `--task` and `--split` for a verb that is about one split of one task."""
    parser.add_argument("--task", required=True, metavar="NAME")
    parser.add_argument("--split", required=required, metavar="NAME")


def add_data(parser: Parser, *, help: str = f"{FOLDER}; default: as for `run`") -> None:
    """Add `--data`."""
    parser.add_argument("--data", metavar="DIR", help=help)


def add_include(parser: Parser) -> None:
    """Add `--include FILE`."""
    parser.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoints.yaml of your own, beside the one that is shipped; can be repeated",
    )


def add_links(parser: Parser) -> None:
    """Add `--allow-links DIR`."""
    parser.add_argument(
        "--allow-links",
        action="append",
        default=[],
        metavar="DIR",
        help="follow links of single images, and absolute names in lists, that lead into DIR "
        "(Hugging Face's cache, DVC, git-annex); repeat",
    )


def add_dtype(parser: Parser, *, help: str) -> None:
    """Add `--dtype`."""
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help=help)


def add_own_data(parser: argparse.ArgumentParser, *, of_results: bool = False) -> None:
    """Add the flags that name own data, but `--images`; `of_results`: that of stored results."""
    use = (
        "for the texts, images and truths of results on it"
        if of_results
        else "--task is then one of grounding, caption, retrieval, vqa and nlvr2"
    )
    own = parser.add_argument_group("own data (docs/own-data.md)")
    own.add_argument(
        "--annotations",
        action="append",
        metavar="FILE",
        help="annotations of your own: JSON lines, CSV, or COCO's or VQA's JSON; repeat it for "
        f"several files, such as VQA's questions and answers; {use}",
    )
    own.add_argument(
        "--data-name",
        metavar="NAME",
        help="name of such data in records; default: that of the file",
    )
    own.add_argument(
        "--answers",
        metavar="FILE",
        help="candidate answers for vqa, one a line or a JSON list; default: all true answers",
    )


def add_image_folder(parser: argparse.ArgumentParser) -> None:
    """Add `--images DIR` to a verb that decodes no image."""
    parser.add_argument(
        "--images",
        dest="image_folder",
        metavar="DIR",
        help="folder of the images of --annotations; default: that of the file",
    )


def add_image_count(parser: argparse.ArgumentParser, *, default: int) -> None:
    """Add `--images`: how many pictures are embedded, or the folder of own ones."""
    parser.set_defaults(image_folder=None)
    parser.add_argument(
        "--images",
        action=_ImageCount,
        metavar="N|DIR",
        default=default,
        help=f"pictures to embed as thumbnails; default: {default}. With --annotations also the "
        "folder of the images, by default that of the file; repeat",
    )


class _ImageCount(argparse.Action):
    """Store a number in `images`, anything else as the folder of own images: `image_folder`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        try:
            number = int(str(values))
        except ValueError:
            namespace.image_folder = values
            return
        if number < 0:
            parser.error(f"argument --images: {values!r} is not a whole number from 0 up")
        namespace.images = number


class _Images(argparse.Action):
    """Store a policy in `images`, anything else as the folder of own images: `image_folder`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, "images" if values in IMAGES else "image_folder", values)


def add_images(parser: Parser) -> None:
    """Add `--images`: the policy that decodes images, or the folder of own ones."""
    parser.set_defaults(image_folder=None)
    parser.add_argument(
        "--images",
        action=_Images,
        metavar="strict|as-reference|DIR",
        default=IMAGES[0],
        help="strict refuses images that are truncated, of more than 179 million pixels, or of "
        "more than 8 bits a pixel; as-reference reads them as X-VLM's code does; default: strict. "
        "With --annotations also the folder of the images, by default that of the file; repeat",
    )


def add_format(parser: Parser, *formats: str) -> None:
    """Add `--format`: `terminal`, or one of the other `formats`."""
    parser.add_argument(
        "--format",
        choices=("terminal", *formats),
        default="terminal",
        help="default: terminal",
    )


def path(value: str | Path) -> Path:
    """Return the path that the value of a flag names. Raises UsageError for an unknown `~name`."""
    # Imported here: `--help` needs none of it.
    from harness.files.paths import expanded

    return expanded(value)


def positive(text: str) -> int:
    """Return a whole number from 1 up."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return number
