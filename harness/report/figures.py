"""The figures of a result: the charts that its record and its samples have numbers for."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from harness.records.record import ResultRecord
from harness.report import charts
from harness.running.stored.samples import StoredSamples

Floats = NDArray[np.floating[Any]]
RECALL = re.compile(r"(.+)_r(\d+)$")
BINS = 20
MOST_BARS = 40
CONFIDENCE_BINS = 10
PROBED = 20  # samples that show whether a task has such numbers
DIRECTIONS = {"i2t": "image to text", "t2i": "text to image"}


class Figure(NamedTuple):
    """A chart with its caption."""

    caption: str
    chart: Markup


def metric_figure(record: ResultRecord, published: Mapping[str, float]) -> Figure | None:
    """Return the metrics with their intervals, beside the published numbers."""
    rows = [
        charts.Measured(name, value, record.intervals.get(name), published.get(name))
        for name, value in record.metrics.items()
    ]
    if not rows:
        return None
    diamonds = "; diamonds: published" if any(row.published is not None for row in rows) else ""
    return Figure(f"Metrics with their 95 % intervals{diamonds}", charts.intervals(rows))


def figures(record: ResultRecord, samples: StoredSamples) -> list[Figure]:
    """Return the other charts of a result."""
    drawn = _recalls(record)
    if "iou" in samples.measures:
        edges = np.linspace(0, 100, BINS + 1)
        counts, _ = np.histogram(samples.scores("iou"), edges)
        series = [charts.Series("samples", counts.tolist(), "bar")]
        caption = "IoU of the predicted and the true box, in percent: number of samples"
        drawn.append(Figure(caption, charts.histogram(edges.tolist(), series)))
    return [*drawn, *_of_samples(samples), *_breakdowns(record)]


def _recalls(record: ResultRecord) -> list[Figure]:
    curves: dict[str, dict[int, float]] = {}
    for name, value in record.metrics.items():
        if match := RECALL.match(name):
            direction = DIRECTIONS.get(match[1], match[1])
            curves.setdefault(direction, {})[int(match[2])] = value
    return [Figure("Recall at k", charts.recall(curves))] if curves else []


def _breakdowns(record: ResultRecord) -> list[Figure]:
    found = []
    for kind, values in record.breakdown.items():
        if not values:
            continue
        shown = dict(list(values.items())[:MOST_BARS])
        title = f"Breakdown: {kind.replace('_', ' ')}"
        if len(shown) < len(values):
            title += f" (the first {len(shown)} of {len(values)})"
        found.append(Figure(title, charts.bars(shown)))
    return found


def _of_samples(samples: StoredSamples) -> list[Figure]:
    """Return the charts of pair scores and of confidences, read from all samples once."""
    if not len(samples) or not samples.kept or not samples.annotated:
        return []
    first = [sample.view for sample in samples[:PROBED]]  # one of them may have been skipped
    if all(view.confidence is None and not view.pairs for view in first):
        return []
    matched: dict[str, list[Floats]] = {}
    unmatched: dict[str, list[Floats]] = {}
    answers: list[tuple[float, bool]] = []
    for sample in samples:
        for pair in sample.view.pairs:
            matched.setdefault(pair.name, []).append(pair.matched)
            unmatched.setdefault(pair.name, []).append(pair.unmatched)
        if sample.view.confidence is not None and sample.wrong is not None:
            answers.append((sample.view.confidence, not sample.wrong))
    histograms = [
        _pair_histogram(name, np.concatenate(matched[name]), np.concatenate(unmatched[name]))
        for name in matched
        if sum(map(len, [*matched[name], *unmatched[name]]))
    ]
    return [*histograms, *_reliability(answers)]


def _pair_histogram(name: str, matched: Floats, unmatched: Floats) -> Figure:
    values = np.concatenate([matched, unmatched])
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, max(high, low + 1e-6 * max(1.0, abs(low))), 2 * BINS + 1)
    series = [
        charts.Series(title, np.histogram(part, edges)[0].tolist(), style)
        for title, part, style in (
            ("other pairs", unmatched, "bar0"),
            ("matching", matched, "bar1"),
        )
    ]
    caption = f"{name.capitalize()} of matching and of other pairs, each to its highest bar"
    return Figure(caption, charts.histogram(edges.tolist(), series))


def _reliability(answers: Sequence[tuple[float, bool]]) -> list[Figure]:
    if not answers:
        return []
    confidences, right = (
        np.array(column, dtype=np.float64) for column in zip(*answers, strict=True)
    )
    low = 0.5 if confidences.min() >= 0.5 else 0.0
    numbers = np.minimum((confidences - low) / (1 - low) * CONFIDENCE_BINS, CONFIDENCE_BINS - 1)
    bins = [
        charts.Bin(
            float(confidences[chosen].mean()), float(right[chosen].mean()), int(chosen.sum())
        )
        for number in range(CONFIDENCE_BINS)
        if (chosen := numbers.astype(int) == number).any()
    ]
    error = sum(part.samples * abs(part.confidence - part.accuracy) for part in bins) / len(answers)
    caption = f"Reliability of the answers; expected calibration error {100 * error:.1f} points"
    return [Figure(caption, charts.reliability(bins))]
