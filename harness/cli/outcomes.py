"""What `xvlm-eval run` prints of its runs: forecasts, results, and remarks on each result."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from harness.cli.console import say

if TYPE_CHECKING:
    from harness.records.record import ResultRecord
    from harness.running.forecast import Forecast
    from harness.running.run import Outcome


def print_forecasts(forecasts: "Iterable[Forecast]", format: str) -> int:
    """Print the work, memory and time that runs will take; return the exit code."""
    from harness import rendering
    from harness.running.forecast import table

    if rows := list(forecasts):
        forecast = table(rows)
        if format == "json":
            print(rendering.render_json({"plan": forecast.rows}))
        else:
            print(rendering.render([forecast], format))
    return 0


def print_outcomes(
    outcomes: "Iterable[Outcome]", format: str, *, log: "Callable[[ResultRecord], None]"
) -> int:
    """Announce and log each outcome as it comes, and print all results at the end.

    Returns the exit code.
    """
    from harness import rendering
    from harness.records.record import read_record
    from harness.tables import layouts

    rows: list[rendering.Row] = []
    try:
        for outcome in outcomes:
            record = read_record(outcome.record)
            rows += layouts.record_rows(record, outcome.record)
            _announce(outcome, record, format)
            log(record)
    finally:  # an error leaves the results before it valid
        if rows and format == "json":
            print(rendering.render_json({"results": rows}))
        elif rows:
            table = rendering.Table("Results", rows, layouts.RECORD_COLUMNS)
            print(rendering.render([table], format))
    return 0


def _announce(outcome: "Outcome", record: "ResultRecord", format: str) -> None:
    """Say why a result does not count in the paper's table, or which metrics it lacks."""
    from harness.formats.own.folder import is_own
    from harness.registry import official_counts
    from harness.tables.paper import read_paper

    title = f"{record.task} {record.split}"
    if (
        not record.embedded
        and not is_own(record.task)
        and record.subset is None
        and (reason := read_paper(official_counts()).objection(record))
    ):
        say(f"{title}: {reason}; such a result fills no row of the table")
    for caveat in outcome.caveats:
        say(f"{title}: {caveat}")
    if outcome.export and not record.metrics:
        say(f"{title}: the predictions are in {outcome.export}")
    for name, reason in record.not_run.items():
        if outcome.submission:
            show = say if format == "json" else partial(print, flush=True)
            show(
                f"{outcome.submission}: {reason}; then record its {name} with "
                "`xvlm-eval import-score`"
            )
        else:
            say(f"{title}: {name} was not computed: {reason}")
