"""95 % confidence intervals of a metric, and of its change between two runs on the same samples.

Shares (means of units that are right, wrong or partly right) have Wilson's interval on the
effective sample size (Wilson 1927; Korn and Graubard 1998): it keeps its level near 100 %, where
resampling sees no error to draw. Other functions of sums have the BCa bootstrap (Efron 1987),
rankings the percentile one. The interval of a change is the normal one of the summed changes of
clusters. It counts two imaginary clusters, one in each direction, that change by as much as the
changed ones do on average (Agresti and Min 2005), so that four losses and no gain prove nothing.
"""

from collections.abc import Mapping
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from harness.statistics import bootstrap
from harness.statistics.interval import LEVEL, Interval
from harness.statistics.means import Mean, MeanOfMeans
from harness.statistics.sums import Floats, OfLabels, Related, Statistic, Sums, gradient

NORMAL = NormalDist()
QUANTILE = NORMAL.inv_cdf((1 + LEVEL) / 2)  # 1.96
IMAGINARY = 2  # clusters that changed in opposite directions (Agresti and Min 2005)
WEIGHT_OF_WORST_CASE = 2.0  # clusters with an error that the worst case counts as
LEAST_DESIGN_EFFECT = 0.25  # of scores that vary less than shares do


def metric_interval(statistic: Statistic) -> Interval:
    """Return the 95 % interval of a metric.

    All of 40 samples are right, which leaves room for an error that was not seen:

    >>> from harness.statistics.means import mean_of
    >>> low, high = metric_interval(mean_of([100.0] * 40))
    >>> round(low, 2), high
    (91.24, 100.0)
    """
    if isinstance(statistic, Mean | MeanOfMeans) and statistic.is_share:
        return _wilson(statistic)
    if isinstance(statistic, OfLabels):
        return statistic.kept_interval(partial(_bootstrapped, statistic))
    return _bootstrapped(statistic)


def metric_intervals(statistics: Mapping[str, Statistic]) -> dict[str, Interval]:
    """Return the interval of each metric, those of one ranking by the same resamples.

    The numbers are those of `metric_interval`.

    >>> from harness.statistics.means import mean_of
    >>> accuracy = mean_of([100.0] * 40)
    >>> metric_intervals({"accuracy": accuracy}) == {"accuracy": metric_interval(accuracy)}
    True
    """
    intervals: dict[str, Interval] = {}
    for name, statistic in statistics.items():
        if name in intervals:
            continue
        alike = [other for other in statistics if statistics[other].kind == statistic.kind]
        if len(alike) > 1 and isinstance(statistic, Related):
            together = statistic.resampled_with([statistics[other] for other in alike])
            if together is not None:
                of_each = bootstrap.ranking_intervals(together)
                intervals |= dict(zip(alike, of_each, strict=True))
                continue
        intervals[name] = metric_interval(statistic)
    return {name: intervals[name] for name in statistics}


def change_interval(difference: float, changes: Floats, changed: NDArray[np.bool_]) -> Interval:
    """Return the 95 % interval of a metric's change.

    `changes` are what each cluster adds to it, [C]; `changed` says which ones have other outcomes.

    Four of a hundred samples are lost and none is gained (McNemar's p is 0.125):

    >>> lost = np.arange(100) < 4
    >>> low, high = change_interval(-4.0, np.where(lost, -1.0, 0.0), lost)
    >>> round(low, 1), round(high, 1)
    (-8.8, 0.8)
    """
    if not changed.any():
        return Interval(difference, difference)
    squares = changes**2
    spread = QUANTILE * float(np.sqrt(squares.sum() + IMAGINARY * squares[changed].mean()))
    return Interval(difference - spread, difference + spread)


def influences(clusters: Sums) -> Floats:
    """Return how much each cluster adds to a metric, [C]: the derivative by the cluster's weight.

    >>> from harness.statistics.means import mean_of
    >>> influences(mean_of([100.0, 0.0]).resampled())
    array([ 25., -25.])
    """
    by_cluster = clusters.rows @ gradient(clusters.formula, clusters.rows.sum(axis=0))
    return np.asarray(by_cluster - by_cluster.mean())


def _bootstrapped(statistic: Statistic) -> Interval:
    clusters = statistic.resampled()
    if isinstance(clusters, Sums):
        return bootstrap.bca_interval(clusters)
    return bootstrap.ranking_interval(clusters)


def _wilson(statistic: Mean | MeanOfMeans) -> Interval:
    """Return Wilson's interval on the effective sample size: units divided by the design effect.

    >>> from harness.statistics.means import mean_of
    >>> eight_alike = mean_of([100.0, 0.0] * 8, clusters="aabbccddeeffgghh")
    >>> Interval(*(round(bound, 1) for bound in _wilson(eight_alike)))
    Interval(low=32.3, high=67.7)
    """
    clusters = statistic.resampled()
    share = float(clusters.of(np.ones((1, clusters.clusters)))[0]) / 100
    sizes = statistic.cluster_sizes()
    units = float(sizes.sum())
    effective = units / _design_effect(statistic, share, sizes)
    centre = share + QUANTILE**2 / (2 * effective)
    half = QUANTILE * np.sqrt(share * (1 - share) / effective + QUANTILE**2 / (4 * effective**2))
    scale = 1 + QUANTILE**2 / effective
    low, high = float((centre - half) / scale), float((centre + half) / scale)
    return Interval(0.0 if share <= 0 else 100 * low, 100.0 if share >= 1 else 100 * high)


def _design_effect(statistic: Mean | MeanOfMeans, share: float, sizes: Floats) -> float:
    """Return the variance over clusters divided by the variance of as many independent units.

    Few errors say little about it, so it is averaged with that of the worst case, in which all
    units of a cluster are right or wrong together. The observed effect weighs as much as there are
    clusters with an error, the worst case as much as WEIGHT_OF_WORST_CASE of them.
    """
    units, count = float(sizes.sum()), len(sizes)
    worst = float((sizes**2).sum()) / units
    independent = share * (1 - share) / units
    if independent == 0:
        return worst
    clusters = statistic.resampled()
    variance = float((influences(clusters) ** 2).sum()) / 100**2 * count / max(count - 1, 1)
    observed = max(variance / independent, LEAST_DESIGN_EFFECT)
    errors = statistic.clusters_with_errors()
    weight = WEIGHT_OF_WORST_CASE / (WEIGHT_OF_WORST_CASE + errors)
    return (1 - weight) * observed + weight * max(worst, observed)
