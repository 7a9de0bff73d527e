"""What surrounds a run while it is carried out."""

from dataclasses import dataclass

from harness.callbacks import Report, Warn
from harness.running.processes.distributed import ProcessGroup
from harness.running.source import WHEN_NEEDED, Source


@dataclass(frozen=True)
class Context:
    """By whom a run is carried out, whom it tells, and where it reads: nothing moves its numbers.

    group   the processes that share its samples
    report  called with the predictions that are there and those that will be
    warn    called with what its user should know
    source  of its samples and images
    """

    group: ProcessGroup
    report: Report
    warn: Warn
    source: Source = WHEN_NEEDED
