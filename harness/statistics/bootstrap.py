"""Confidence intervals by the percentile bootstrap over clusters (Efron 1979)."""

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from harness.statistics.interval import LEVEL, Interval
from harness.statistics.sums import Floats, Resampled, Statistic, Sums, merged, merged_pairs

RESAMPLES = 10_000  # from seed to seed, the bounds move by about 1 % of the interval's width
FEWEST = 1_000  # of metrics that take long to compute: the bounds move by about 4 % of the width
DRAWS = 10_000_000  # numbers drawn for one interval: seconds, whatever the size of the benchmark
DRAWS_AT_ONCE = 10_000_000  # numbers drawn at a time: memory stays below 200 MB
NORMAL = NormalDist()
SEED = 20211116  # arbitrary and fixed: the same predictions have the same interval


def interval(statistic: Statistic, *, resamples: int | None = None) -> Interval:
    """Return the 95 % interval of a metric from RESAMPLES resamples, fewer for slow metrics.

    Equal outcomes leave nothing to chance:

    >>> from harness.statistics.means import mean_of
    >>> interval(mean_of([50.0, 50.0, 50.0]))
    Interval(low=50.0, high=50.0)
    """
    kinds, counts = merged(statistic.resampled())
    metrics = [
        kinds.of(weights) for weights in _weights(counts, resamples or _affordable(kinds, counts))
    ]
    return _percentiles(
        np.concatenate(metrics), None if isinstance(kinds, Sums) else _observed(kinds)
    )


def bca_interval(clusters: Sums) -> Interval:
    """Return the bias-corrected and accelerated 95 % interval of a function of sums (Efron 1987).

    >>> from harness.statistics.means import mean_of
    >>> bca_interval(mean_of([50.0, 50.0, 50.0]).resampled())
    Interval(low=50.0, high=50.0)
    """
    kinds, counts = merged(clusters)
    observed = _observed(clusters)
    metrics = np.concatenate(
        [kinds.of(weights) for weights in _weights(counts, _affordable(kinds, counts))]
    )
    metrics = metrics[~np.isnan(metrics)]
    below = float((metrics < observed).mean() + (metrics == observed).mean() / 2)
    if not 0 < below < 1:
        return Interval(observed, observed)
    left_out = clusters.formula(clusters.rows.sum(axis=0) - clusters.rows)
    deviations = left_out.mean() - left_out
    squares = float((deviations**2).sum())
    acceleration = float((deviations**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0
    bias = NORMAL.inv_cdf(below)
    bounds = []
    for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        shifted = bias + NORMAL.inv_cdf(share)
        bounds.append(NORMAL.cdf(bias + shifted / (1 - acceleration * shifted)))
    low, high = np.quantile(metrics, bounds)
    return Interval(float(low), float(high))


def paired_interval(
    before: Statistic, after: Statistic, *, resamples: int | None = None
) -> Interval:
    """Return the 95 % interval of a metric's change; a resample draws the same clusters of both.

    >>> from harness.statistics.means import mean_of
    >>> paired_interval(mean_of([10.0, 60.0]), mean_of([20.0, 70.0]))
    Interval(low=10.0, high=10.0)
    """
    old, new, counts = merged_pairs(before.resampled(), after.resampled())
    changes = [
        new.of(weights) - old.of(weights)
        for weights in _weights(counts, resamples or _affordable(old, counts))
    ]
    return _percentiles(
        np.concatenate(changes), None if isinstance(new, Sums) else _observed(new) - _observed(old)
    )


def _weights(counts: NDArray[np.int64], resamples: int) -> Iterator[Floats]:
    """Yield how often each kind of cluster is drawn, [R, K], in chunks that fit into memory."""
    generator, total = np.random.Generator(np.random.PCG64(SEED)), int(counts.sum())
    for size in _chunk_sizes(resamples, width=len(counts)):
        yield generator.multinomial(total, counts / total, size=size).astype(np.float64)


def _chunk_sizes(rows: int, *, width: int) -> Iterator[int]:
    """Yield the sizes of chunks of `rows` rows, at most DRAWS_AT_ONCE numbers each."""
    size = max(1, DRAWS_AT_ONCE // max(1, width))
    for start in range(0, rows, size):
        yield min(size, rows - start)


def _affordable(kinds: Resampled, counts: NDArray[np.int64]) -> int:
    """Return the number of resamples: FEWEST of metrics that are no function of sums."""
    affordable = DRAWS // len(counts) if isinstance(kinds, Sums) else FEWEST
    return min(RESAMPLES, max(FEWEST, affordable))


def _observed(clusters: Resampled) -> float:
    return float(clusters.of(np.ones((1, clusters.clusters)))[0])


def _percentiles(metrics: Floats, observed: float | None) -> Interval:
    """Return the percentiles of resampled metrics, less their bias from the `observed` value.

    A metric of a ranking is biased upward in resamples: a unit drawn twice ranks next to itself.
    A resample without any unit of the metric is NaN and does not count.
    """
    low, high = np.nanquantile(metrics, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    bias = 0.0 if observed is None else float(np.nanmean(metrics)) - observed
    return Interval(float(low) - bias, float(high) - bias)
