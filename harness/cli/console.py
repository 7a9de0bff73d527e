"""Say something beside the results."""

import os
import sys
from contextlib import suppress
from typing import TextIO


def say(message: str) -> None:
    """Warn the user something beside the results. That nobody listens any more (`2>&1 | head`) is no reason to stop a run."""
    try:
        print(message, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        drop(sys.stderr)


def say_nothing(message: str) -> None:
    """What the other processes of a run have to say: the first one says it."""


def drop(stream: TextIO) -> None:
    """Send what is still written to a stream nowhere: Python would fail on the rest of its buffer when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
