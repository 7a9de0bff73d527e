"""Bootstrap confidence intervals over clusters (Efron 1979): BCa, and percentiles of rankings."""

from collections.abc import Iterator
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.statistics.interval import LEVEL, Interval
from harness.statistics.sums import Floats, Resampled, ResampledTogether, Sums

RESAMPLES = 10_000  # from seed to seed, the bounds move by about 1 % of the interval's width
FEWEST = 1_000  # of metrics that take long to compute: the bounds move by about 4 % of the width
DRAWS = 10_000_000  # numbers drawn for one interval: seconds, whatever the size of the benchmark
DRAWS_AT_ONCE = 10_000_000  # numbers drawn at a time: memory stays below 200 MB
NORMAL = NormalDist()
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
SEED = 20211116  # arbitrary and fixed: the same predictions have the same interval


def bca_interval(clusters: Sums) -> Interval:
    """Return the bias-corrected and accelerated 95 % interval of a function of sums (Efron 1987).

    Equal outcomes leave nothing to chance:

    >>> from harness.statistics.means import mean_of
    >>> bca_interval(mean_of([50.0, 50.0, 50.0]).resampled())
    Interval(low=50.0, high=50.0)
    """
    rows, counts = np.unique(clusters.rows, axis=0, return_counts=True)
    resamples = min(RESAMPLES, max(FEWEST, DRAWS // len(rows)))
    metrics = _resampled(Sums(rows, clusters.formula), counts, resamples)
    observed = _observed(clusters)
    below = float((metrics < observed).mean() + (metrics == observed).mean() / 2)
    bias = NORMAL.inv_cdf(min(max(below, 1 / len(metrics)), 1 - 1 / len(metrics)))
    acceleration = _acceleration(clusters)
    shares = []
    for share in TAILS:
        shifted = bias + NORMAL.inv_cdf(share)
        shares.append(NORMAL.cdf(bias + shifted / (1 - acceleration * shifted)))
    low, high = np.quantile(metrics, shares)
    return Interval(float(low), float(high))


def ranking_interval(clusters: Resampled) -> Interval:
    """Return the percentile interval of a metric of a ranking, less the bias of its resamples.

    A unit that is drawn twice ranks next to itself, which raises the metrics of resamples.

    >>> from harness.statistics.means import mean_of
    >>> ranking_interval(mean_of([0.0, 100.0] * 50).resampled())
    Interval(low=39.86, high=59.86)
    """
    metrics = _resampled(clusters, np.ones(clusters.clusters, dtype=np.int64), FEWEST)
    return _percentiles(metrics, _observed(clusters))


def ranking_intervals(clusters: ResampledTogether) -> list[Interval]:
    """Return the interval of each of several metrics of one ranking, as `ranking_interval` does.

    One set of resamples serves all of them.

    >>> from types import SimpleNamespace
    >>> one = SimpleNamespace(clusters=2, of_each=lambda weights: weights[:, :1].T * 0 + 50.0)
    >>> [tuple(interval) for interval in ranking_intervals(one)]
    [(50.0, 50.0)]
    """
    ones = np.ones(clusters.clusters, dtype=np.int64)
    chunks = [clusters.of_each(weights) for weights in _weights(ones, FEWEST)]
    observed = clusters.of_each(np.ones((1, clusters.clusters)))[:, 0]
    return [
        _percentiles(metrics[~np.isnan(metrics)], float(metric))
        for metrics, metric in zip(np.concatenate(chunks, axis=1), observed, strict=True)
    ]


def _percentiles(metrics: Floats, observed: float) -> Interval:
    """Return the percentile interval less the bias, within 0 to 100 where all resamples are."""
    bias = float(metrics.mean()) - observed
    low, high = (float(bound) - bias for bound in np.quantile(metrics, TAILS))
    if metrics.min() >= 0 and metrics.max() <= 100:
        return Interval(max(0.0, low), min(100.0, high))
    return Interval(low, high)


def _resampled(clusters: Resampled, counts: NDArray[np.int64], resamples: int) -> Floats:
    """Return the metric [R] of resamples from `counts[k]` clusters of each kind k.

    Clusters with equal summands are of one kind: how often it is drawn is multinomial, which is the
    same bootstrap and much faster. A resample without any unit of the metric does not count.
    """
    metrics = np.concatenate([clusters.of(weights) for weights in _weights(counts, resamples)])
    return metrics[~np.isnan(metrics)]


def _weights(counts: NDArray[np.int64], resamples: int) -> Iterator[Floats]:
    """Yield how often each kind of cluster is drawn, [R, K], in chunks that fit into memory."""
    at_once = max(1, DRAWS_AT_ONCE // len(counts))
    if resamples <= at_once:
        yield _draws_at_once(tuple(counts.tolist()), resamples).astype(np.float64)
        return
    generator = np.random.Generator(np.random.PCG64(SEED))
    for start in range(0, resamples, at_once):
        yield _draw(generator, counts, min(at_once, resamples - start)).astype(np.float64)


@lru_cache(maxsize=2)
def _draws_at_once(counts: tuple[int, ...], resamples: int) -> NDArray[np.unsignedinteger[Any]]:
    """Return all draws, which metrics of the same clusters share, in the smallest type.

    At most DRAWS_AT_ONCE numbers: 10 MB each where no cluster is drawn more than 255 times.
    """
    draws = _draw(np.random.Generator(np.random.PCG64(SEED)), np.array(counts), resamples)
    return draws.astype(np.min_scalar_type(int(draws.max(initial=0))))


def _draw(
    generator: np.random.Generator, counts: NDArray[np.int64], resamples: int
) -> NDArray[np.int64]:
    total = int(counts.sum())
    return generator.multinomial(total, counts / total, size=resamples)


def _acceleration(clusters: Sums) -> float:
    """Return the skewness of the jackknife's deviations, divided by 6 (Efron 1987)."""
    left_out = clusters.formula(clusters.rows.sum(axis=0) - clusters.rows)
    deviations = np.nan_to_num(left_out.mean() - left_out)
    squares = float((deviations**2).sum())
    return float((deviations**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0


def _observed(clusters: Resampled) -> float:
    return float(clusters.of(np.ones((1, clusters.clusters)))[0])
