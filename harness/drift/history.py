"""The trend of every metric over the results of several releases.

Each check between two releases may let a small drop pass; their sum shows as a trend.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from harness.drift.baselines import describe_other_measurement
from harness.drift.settings import Gate
from harness.drift.trend import p_of_fall, parts_of_clusters
from harness.drift.verdicts import ROUNDING
from harness.errors import UsageError
from harness.records.stored import StoredResult, find_sound_results
from harness.rendering import Row, Table, escape_markdown, render

COLUMNS = {
    "checkpoint": "checkpoint", "task": "task", "split": "split", "metric": "metric",
    "course": "course", "delta": "change", "p": "p of the trend", "verdict": "verdict",
}  # fmt: skip


@dataclass(frozen=True)
class Trend:
    """A metric over several results, the oldest first; None where a folder has none to compare.

    `p` is adjusted for all metrics that changed; None for one that did not, and with fewer than
    three comparable results. `falling`: a significant trend downwards,
    and a fall from the first to the last result beyond the margin.
    """

    checkpoint: str
    task: str
    split: str
    metric: str
    values: list[float | None]
    p: float | None
    falling: bool

    @property
    def change(self) -> float | None:
        """The change from the first result to the last, None if there is only one."""
        known = [value for value in self.values if value is not None]
        return known[-1] - known[0] if len(known) > 1 else None


@dataclass(frozen=True)
class History:
    """The trends of all metrics, over `folders`, the oldest first.

    `left_out` has a sentence about each older result that measured something else than the newest.
    """

    folders: list[str]
    trends: list[Trend]
    left_out: list[str]

    @property
    def failed(self) -> bool:
        """Whether a metric is falling."""
        return any(trend.falling for trend in self.trends)

    @property
    def summary(self) -> str:
        """The outcome in a sentence."""
        changed = sum(bool(trend.change) for trend in self.trends)
        falling = [_title(trend) for trend in self.trends if trend.falling]
        sentence = (
            f"{'FAILED' if falling else 'OK'}: over {len(self.folders)} results, {changed} of "
            f"{len(self.trends)} metrics changed, {len(falling)} fall steadily"
        )
        return f"{sentence} ({'; '.join(falling)})" if falling else sentence

    def as_json(self) -> dict[str, Any]:
        """Return everything in JSON's types."""
        trends = [{**asdict(trend), "change": trend.change} for trend in self.trends]
        content = {"failed": self.failed, "summary": self.summary}
        return {**content, "folders": self.folders, "left_out": self.left_out, "trends": trends}

    def as_junit(self) -> ElementTree.Element:
        """Return a suite of JUnit, one test per metric."""
        failures = sum(trend.falling for trend in self.trends)
        suite = ElementTree.Element(
            "testsuite",
            name="xvlm-eval check, history",
            tests=str(len(self.trends)),
            failures=str(failures),
            errors="0",
        )
        for trend in self.trends:
            classname = ".".join((trend.checkpoint, trend.task, trend.split))
            case = ElementTree.SubElement(suite, "testcase", classname=classname, name=trend.metric)
            if trend.falling:
                message = f"falls steadily: {_course(trend)}"
                ElementTree.SubElement(case, "failure", message=message)
        return suite


def read_history(folders: Sequence[Path], *, gate: Gate) -> History:
    """Return the trends over folders of results, the oldest first.

    Older results that `check` would refuse to compare with the newest are left out. Raises
    UsageError for fewer than three folders, MissingError where one does not exist, DataError for a
    damaged record.
    """
    if len(folders) < 3:
        raise UsageError(
            "a trend takes three results or more: name two older folders, --history A B"
        )
    by_folder = [
        {
            result.title: result
            for result in find_sound_results(folder)
            if result.record.subset is None
            and gate.compares(checkpoint=result.record.checkpoint["name"])
        }
        for folder in folders
    ]
    left_out = _leave_out_others(by_folder)
    trends = [
        _trend(title, metric, by_folder)
        for title, result in by_folder[-1].items()
        for metric in result.record.metrics
        if gate.compares(checkpoint=result.record.checkpoint["name"], metric=metric)
    ]
    tested = sum(trend.p is not None for trend in trends)
    judged = []
    for trend in trends:
        p = None if trend.p is None else min(1.0, tested * trend.p)
        drop = -(trend.change or 0.0)
        falling = p is not None and p < gate.level and drop > gate.margin_of(trend.metric)
        judged.append(Trend(**{**asdict(trend), "p": p, "falling": falling}))
    return History([str(folder) for folder in folders], judged, left_out)


def _leave_out_others(by_folder: Sequence[dict[str, StoredResult]]) -> list[str]:
    """Remove older results that measured something else than the newest, and name each of them."""
    *older, newest = by_folder
    left_out = []
    for title, result in newest.items():
        for results in older:
            if (other := results.get(title)) is None:
                continue
            difference = describe_other_measurement(other.record, result.record, title="the newest")
            if difference is not None:
                left_out.append(f"{other.path}: is left out of the history: {difference}")
                del results[title]
    return left_out


def describe_history(history: History, format: str) -> str:
    """Return the metrics that changed as a table, and the outcome in a sentence."""
    rows: list[Row] = [
        {
            "checkpoint": trend.checkpoint,
            "task": trend.task,
            "split": trend.split,
            "metric": trend.metric,
            "course": _course(trend),
            "delta": trend.change,
            "p": None if trend.p is None else "<0.0001" if trend.p < 0.0001 else f"{trend.p:.4f}",
            "verdict": "falling" if trend.falling else None,
        }
        for trend in history.trends
        if trend.change
    ]
    title = f"History, from {history.folders[0]} to {history.folders[-1]}"
    tables = [render([Table(title, rows, COLUMNS)], format)] if rows else []
    sentences = [*history.left_out, history.summary]
    if format == "md":
        sentences = list(map(escape_markdown, sentences))
    return "\n\n".join([*tables, *sentences])


def _trend(title: str, metric: str, by_folder: Sequence[dict[str, StoredResult]]) -> Trend:
    results = [results.get(title) for results in by_folder]
    last = results[-1]
    assert last is not None
    values = [None if result is None else result.record.metrics.get(metric) for result in results]
    known = [r for r in results if r is not None and metric in r.record.metrics]
    kept = [result for result in known if result.record.contributions]
    statistics = [result.sample_scores.statistics.get(metric) for result in kept]
    p = None
    if len(kept) == len(known) >= 3:
        parts = parts_of_clusters([each for each in statistics if each is not None])
        p = None if len(parts) < len(known) else p_of_fall(parts)
    if p == 1.0 and np.ptp([value for value in values if value is not None]) <= ROUNDING:
        p = None  # nothing changed
    record = last.record
    return Trend(record.checkpoint["name"], record.task, record.split, metric, values, p, False)


def _course(trend: Trend) -> str:
    return " > ".join("-" if value is None else f"{value:.2f}" for value in trend.values)


def _title(trend: Trend) -> str:
    return f"{trend.checkpoint} {trend.task} {trend.split} {trend.metric}"
