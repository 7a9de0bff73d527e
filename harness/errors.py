"""What can go wrong, as a small tree; each kind ends the command with its own exit code.

A message says what is wrong, where (file, line, id), and what to do next. Any other exception that a user gets to see is a bug of ours.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class HarnessError(Exception):
    """The run could not be carried out."""

    exit_code = 4


class UsageError(HarnessError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class DataError(HarnessError):
    """A file that the user has to provide is not as its format says; names the file and the item in it."""

    exit_code = 3


class MissingError(DataError):
    """Files, weights or packages that the command needs are not on this machine; says what to get from where."""


class CheckpointError(DataError):
    """A checkpoint cannot be used: unreadable, unsafe, incomplete, or for another head or resolution."""


class CapabilityError(CheckpointError):
    """A checkpoint is sound, but its model cannot do what the task needs."""


class MemoryFull(HarnessError):
    """A batch does not fit into the memory of the device; a smaller one may."""


class IdentityError(HarnessError):
    """A prediction file or record belongs to another run."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a clause that offers the known names closest to `name`, or all of them if none is close."""
    known = sorted(known)
    close = get_close_matches(name.lower(), known, n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else f"; known are: {', '.join(known)}"
