"""What can go wrong, as a small tree. Each kind of error ends the command with its own exit code.

    HarnessError            4   the run failed
    ├── UsageError          2   the command line names something that does not exist
    ├── DataError           3   a file of the user does not follow its format
    │   ├── MissingError        files, weights or packages are absent
    │   └── CheckpointError     a checkpoint cannot be used
    │       └── CapabilityError     its model cannot do what the task needs
    ├── PluginError         4   the code of another package failed
    ├── ModelError          4   a model predicts what cannot be stored
    ├── MemoryFull          4   a batch does not fit into memory; a smaller one may
    └── IdentityError       4   a prediction file or record belongs to another run

A message says what is wrong, where (file, line, id), and what to do next. Any other exception that
reaches the user is a bug of this project.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class HarnessError(Exception):
    """The run failed."""

    exit_code = 4


class UsageError(HarnessError):
    """The command line names something that does not exist."""

    exit_code = 2


class DataError(HarnessError):
    """A file of the user does not follow its format. The message names the file and the item."""

    exit_code = 3


class MissingError(DataError):
    """Files, weights or packages are absent on this machine.

    Each of the `items` is one message: what is missing, and where to get it. Several of them are
    listed below their number.
    """

    def __init__(self, *items: str) -> None:
        super().__init__(*items)
        self.items = items

    def __str__(self) -> str:
        if len(self.items) == 1:
            return self.items[0]
        return "\n  ".join([f"missing ({len(self.items)}):", *self.items])


class CheckpointError(DataError):
    """A checkpoint is unreadable, unsafe, incomplete, or made for another head or resolution."""


class CapabilityError(CheckpointError):
    """A checkpoint is sound, but its model cannot do what the task needs."""


class PluginError(HarnessError):
    """The code of another package failed, or does not offer what it should. Names the plugin."""


class ModelError(HarnessError):
    """A model predicts what cannot be stored: NaN, for example, or too few predictions."""


class MemoryFull(HarnessError):
    """A batch does not fit into the memory of the device; a smaller one may."""


class IdentityError(HarnessError):
    """A prediction file or record belongs to another run."""


class HarnessWarning(UserWarning):
    """What makes a result doubtful, where no exception stops it: the API of Python warns of it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a clause that offers the known names closest to `name`, or all of them if none is.

    >>> nearest("refcoco", ["vqav2", "refcoco+"])
    '; did you mean refcoco+?'
    """
    known = sorted(known)
    close = get_close_matches(name.lower(), known, n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else f"; known are: {', '.join(known)}"


def one_of(names: Iterable[str]) -> str:
    """Return names with their articles, of which one is meant.

    >>> one_of(["Answerer", "Captioner"])
    'an Answerer or a Captioner'
    """
    return " or ".join(f"{'an' if name[0] in 'AEIOU' else 'a'} {name}" for name in names)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, shortened.

    >>> first_line(TimeoutError())
    'no reason given'
    """
    return (str(error).splitlines() or ["no reason given"])[0][:300]


def printable(text: str) -> str:
    """Return text without letters that a terminal obeys: control characters, hidden directions.

    >>> printable("a\\x1b[31mb\\u202ec")
    'a�[31mb�c'
    """
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
