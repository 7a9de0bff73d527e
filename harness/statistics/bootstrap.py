"""Confidence intervals by the bootstrap: clusters are drawn with replacement, again and again (Efron 1979; percentile interval)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from harness.statistics.interval import LEVEL, Interval
from harness.statistics.sums import Floats, Resampled, Statistic, Sums, merged, merged_pairs

RESAMPLES = 10_000  # from seed to seed, the bounds then move by about 1 % of the interval's width
FEWER = 1_000  # at least as many, where one takes long: the bounds move by about 4 % of the width
DRAWN = 10_000_000  # numbers drawn for an interval: seconds, whatever the size of the benchmark
AT_ONCE = 10_000_000  # numbers drawn at a time: memory stays below 200 MB
SEED = 20211116  # any fixed number: the same predictions have the same interval


def interval(statistic: Statistic, *, resamples: int | None = None) -> Interval:
    """Return the 95 % interval of a metric, from RESAMPLES resamples, or fewer where there are many kinds of clusters."""
    kinds, counts = merged(statistic.resampled())
    drawn = [
        kinds.of(weights) for weights in _drawn(counts, resamples or _affordable(kinds, counts))
    ]
    return _percentiles(
        np.concatenate(drawn), None if isinstance(kinds, Sums) else _observed(kinds)
    )


def paired_interval(
    before: Statistic, after: Statistic, *, resamples: int | None = None
) -> Interval:
    """Return the 95 % interval of how much a metric changed: each draw takes the same clusters from both runs."""
    old, new, counts = merged_pairs(before.resampled(), after.resampled())
    drawn = [
        new.of(weights) - old.of(weights)
        for weights in _drawn(counts, resamples or _affordable(old, counts))
    ]
    return _percentiles(
        np.concatenate(drawn), None if isinstance(new, Sums) else _observed(new) - _observed(old)
    )


def in_pieces(rows: int, *, width: int) -> Iterator[int]:
    """Yield how many rows of this width to draw at a time."""
    at_once = max(1, AT_ONCE // max(1, width))
    for start in range(0, rows, at_once):
        yield min(at_once, rows - start)


def _drawn(counts: NDArray[np.int64], resamples: int) -> Iterator[Floats]:
    """Yield how often each kind is drawn, [R, K], in as many pieces as memory asks for."""
    draws, total = np.random.Generator(np.random.PCG64(SEED)), int(counts.sum())
    for rows in in_pieces(resamples, width=len(counts)):
        yield draws.multinomial(total, counts / total, size=rows).astype(np.float64)


def _affordable(kinds: Resampled, counts: NDArray[np.int64]) -> int:
    """Return how many resamples to draw: of numbers that are no sums and have to be made anew each time, FEWER."""
    affordable = DRAWN // len(counts) if isinstance(kinds, Sums) else FEWER
    return min(RESAMPLES, max(FEWER, affordable))


def _observed(clusters: Resampled) -> float:
    return float(clusters.of(np.ones((1, clusters.clusters)))[0])


def _percentiles(drawn: Floats, observed: float | None) -> Interval:
    """Return the bounds, moved to where the mean of the resamples is the `observed` value, if that is given.

    A number made by ranking is higher in a resample: what is drawn twice stands beside itself. A resample that has none of the units that
    the metric is about says nothing and does not count.
    """
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    bias = 0.0 if observed is None else float(np.nanmean(drawn)) - observed
    return Interval(float(low) - bias, float(high) - bias)
