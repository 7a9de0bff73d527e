"""Trials of what scoring needs: they go on while models are loaded and a first batch predicted.

    trials = Trials()
    trials.begin(task)                   # raises at once for what is absent
    report = trials.watch(report)
    report(32, 5000)                     # raises MissingError as soon as a trial has failed
    report(5000, 5000)                   # waits for the trials: scoring comes next

A run whose captions cannot be scored ends within seconds, and keeps what it predicted.
"""

from collections.abc import Callable
from threading import Thread

from harness.callbacks import Report
from harness.errors import MissingError
from harness.task import Task

KEPT = "what was predicted is kept, the same command continues"


class Trials:
    """The trials of one command. Their threads do not outlive it."""

    def __init__(self) -> None:
        self._threads: list[Thread] = []
        self._errors: list[BaseException] = []

    def begin(self, task: Task) -> None:
        """Check what scoring needs. Raises MissingError for all that is found at once."""
        if (trial := task.begin_trial()) is None:
            task.check_environment()
            return
        # An executor's thread would keep a command that has failed from ending.
        thread = Thread(target=self._run, args=(trial,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def raise_if_failed(self) -> None:
        """Raise MissingError, or whatever a trial raised, if one has failed by now."""
        for error in self._errors:
            if isinstance(error, MissingError):
                raise MissingError(*(f"{item}; {KEPT}" for item in error.items)) from error
            raise error

    def wait(self) -> None:
        """Wait until all trials have ended. Raises as `raise_if_failed`, which it calls."""
        for thread in self._threads:
            thread.join()
        self.raise_if_failed()

    def watch(self, report: Report) -> Report:
        """Return a report that also raises where a trial failed, and waits for all at the end."""

        def report_and_check(done: int, total: int) -> None:
            report(done, total)
            if done < total:
                self.raise_if_failed()
            else:
                self.wait()

        return report_and_check

    def _run(self, trial: Callable[[], None]) -> None:
        try:
            trial()
        except BaseException as error:
            self._errors.append(error)
