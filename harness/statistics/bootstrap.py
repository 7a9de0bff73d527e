"""Confidence intervals by the bootstrap: clusters are drawn with replacement, again and again (Efron 1979; percentile interval)."""

from collections.abc import Iterator

import numpy as np

from harness.statistics.interval import LEVEL, Interval
from harness.statistics.sums import Floats, Merged, Resampled, Statistic, Sums, merged, merged_pairs

RESAMPLES = 10_000  # from seed to seed, the bounds then move by about 1 % of the interval's width
FEWER = 1_000  # where a number is no sum and has to be made anew each time: the bounds move by about 4 % of the width
AT_ONCE = 10_000_000  # numbers drawn at a time: memory stays below 200 MB
SEED = 20211116  # any fixed number: the same predictions have the same interval


def interval(statistic: Statistic, *, resamples: int | None = None) -> Interval:
    """Return the 95 % interval of a metric. `resamples` is RESAMPLES for sums, FEWER for everything else, unless it is given."""
    clusters = statistic.resampled()
    kinds = merged(clusters)
    drawn = [kinds.clusters.of(weights) for weights in drawn_weights(kinds, _enough(clusters, resamples))]
    return _percentiles(np.concatenate(drawn))


def paired_interval(before: Statistic, after: Statistic, *, resamples: int | None = None) -> Interval:
    """Return the 95 % interval of how much a metric changed: each draw takes the same clusters from both runs."""
    first, second = before.resampled(), after.resampled()
    kinds = merged_pairs(first, second)
    changes = []
    for weights in drawn_weights(kinds, _enough(first, resamples)):
        none = np.zeros_like(weights)
        changes.append(kinds.clusters.of(np.hstack([none, weights])) - kinds.clusters.of(np.hstack([weights, none])))
    return _percentiles(np.concatenate(changes))


def drawn_weights(kinds: Merged, resamples: int) -> Iterator[Floats]:
    """Yield how often each kind is drawn, [R, K], in as many pieces as memory asks for."""
    draws, total = np.random.Generator(np.random.PCG64(SEED)), int(kinds.counts.sum())
    for rows in in_pieces(resamples, width=kinds.clusters.clusters):
        yield draws.multinomial(total, kinds.counts / total, size=rows).astype(np.float64)


def in_pieces(rows: int, *, width: int) -> Iterator[int]:
    """Yield how many rows of this width to draw at a time."""
    at_once = max(1, AT_ONCE // max(1, width))
    for start in range(0, rows, at_once):
        yield min(at_once, rows - start)


def _enough(clusters: Resampled, resamples: int | None) -> int:
    return resamples or (RESAMPLES if isinstance(clusters, Sums) else FEWER)


def _percentiles(numbers: Floats) -> Interval:
    """Return the bounds; a resample that has none of the units that the metric is about says nothing and does not count."""
    low, high = np.nanquantile(numbers, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
