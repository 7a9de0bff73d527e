"""Messages beside the results, on the error stream."""

import os
import sys
from contextlib import suppress
from typing import TextIO

from harness.errors import printable


def say(message: str) -> None:
    """Print a message, in which names and texts of files cannot steer the terminal.

    A closed error stream (`2>&1 | head`) does not stop a run.
    """
    try:
        print(printable(message), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        discard(sys.stderr)


def say_nothing(message: str) -> None:
    """Discard a message: of several processes, only rank 0 prints."""


def discard(stream: TextIO) -> None:
    """Redirect a closed stream to the null device, so that Python can flush its buffer at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
