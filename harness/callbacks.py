"""What long work calls while it runs, to show its progress and to warn the user."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

# Called with (done, total) whenever more is done.
Report = Callable[[int, int], None]
# Called with the name of a piece of work; the context shows its progress.
Progress = Callable[[str], AbstractContextManager[Report]]
# Called with a sentence for the user.
Warn = Callable[[str], None]


def no_progress(name: str) -> AbstractContextManager[Report]:
    """Show no progress. A `Progress`."""
    return nullcontext(lambda done, total: None)
