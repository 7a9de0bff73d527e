"""Whether a measured number is the published one, within what two runs differ by."""

import math

from harness.records.record import ResultRecord
from harness.tables.paper import MetricKey, Paper

REPRODUCED, WITHIN, OFF = "reproduced", "within run-to-run noise", "off"
NOT_RUN, NEEDS_SERVER = "not run", "needs server"
QUANTILE = 1.96  # standard deviations: 95 % of two runs differ by less


def verdict(
    record: ResultRecord | None, key: MetricKey, published: float | None, paper: Paper
) -> str | None:
    """Return whether a measured number is the published one, None if none is published."""
    value = record.metrics.get(key.metric) if record else None
    if record is None or value is None:
        pending = record is not None and key.metric in pending_metrics(record, paper)
        return NEEDS_SERVER if pending else NOT_RUN
    if published is None:
        return None
    by_server = " (server)" if "receipt" in record.predictions else ""
    if abs(value - published) <= paper.tolerance:
        return REPRODUCED + by_server
    allowed = _rounding(published) + run_to_run_noise(record.n, churn=paper.churn)
    return (WITHIN if abs(value - published) <= allowed else OFF) + by_server


def pending_metrics(record: ResultRecord, paper: Paper) -> list[str]:
    """Return the metrics of a finished run that only a server can compute."""
    return list(record.not_run) if record.split in paper.needs_server.get(record.task, ()) else []


def run_to_run_noise(n: int, *, churn: float) -> float:
    """Return by how many points two runs on the same `n` samples may differ (95 %).

    `churn` percent of the samples have another outcome, better or worse by chance, worth 100 points
    each: a convention for metrics that are not shares of samples (CIDEr, BLEU, recalls of texts).
    Sampling error does not count: the paper and a reproduction score the same samples.

    >>> [round(run_to_run_noise(n, churn=0.2), 2) for n in (1_000, 5_000)]
    [0.28, 0.12]
    """
    return QUANTILE * 100 * math.sqrt(churn / 100 / n)


def _rounding(published: float) -> float:
    """Return half a unit of the last printed digit."""
    return float(10.0 ** -len(str(published).partition(".")[2]) / 2)
