"""Show how far a run is: a bar on a terminal, a plain line now and then in a log."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

STEPS = 10  # plain lines per run


class Progress:
    """The progress over samples, on the error stream; a `callbacks.Progress` returns it."""

    def __init__(self, label: str, stream: TextIO | None, *, say: Callable[[str], None]) -> None:
        """Draw a bar on `stream` if that is a terminal, else `say` up to STEPS lines."""
        self._label, self._say = label, say
        self._bar = _bar(stream) if stream and stream.isatty() else None
        self._row = self._bar.add_task(label, total=None) if self._bar else None
        self._step = -1  # of the last line

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` samples are predicted. A `harness.callbacks.Report`."""
        if self._bar and self._row is not None:
            self._bar.update(self._row, completed=done, total=total)
            return
        step = STEPS * done // max(total, 1)
        if step > self._step:
            before = f" ({done} were predicted before)" if self._step < 0 and done else ""
            self._step = step
            self._say(f"{self._label}: {done} of {total}{before}")


def _bar(stream: TextIO) -> "Bar":
    # Imported here: a log needs no rich.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Bar(*columns, console=Console(file=stream))
