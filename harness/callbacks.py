"""What long work calls while it runs: how far it is, and what the user should know."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Report = Callable[[int, int], None]  # how much is done, of how much
Progress = Callable[
    [str], AbstractContextManager[Report]
]  # shows the progress of what it is given the name of
Warn = Callable[[str], None]


def no_progress(name: str) -> AbstractContextManager[Report]:
    """Show no progress."""
    return nullcontext(lambda done, total: None)
