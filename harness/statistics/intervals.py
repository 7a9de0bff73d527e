"""95 % confidence intervals of a metric, and of its change between two runs on the same samples.

Shares and other means of bounded scores have Wilson's interval on the effective sample size (Wilson
1927; Korn and Graubard 1998): it keeps its level near 100 %, where resampling sees no error to
draw. Other functions of sums have the BCa bootstrap (Efron 1987), rankings the percentile one. The
interval of a change is the normal one of the summed changes of clusters, with two imaginary ones
that change by as much as those that did, one in each direction (Agresti and Min 2005), so that
four losses and no gain prove nothing.
"""

from statistics import NormalDist

import numpy as np

from harness.statistics import bootstrap
from harness.statistics.interval import LEVEL, Interval
from harness.statistics.means import Mean, MeanOfMeans
from harness.statistics.sums import Floats, Formula, Statistic, Sums

NORMAL = NormalDist()
QUANTILE = NORMAL.inv_cdf((1 + LEVEL) / 2)  # 1.96
NOTHING = 1e-9  # points: rounding
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
    clusters = statistic.resampled()
    if isinstance(statistic, Mean | MeanOfMeans) and _is_bounded(statistic):
        return _wilson(statistic)
    if isinstance(clusters, Sums):
        return bootstrap.bca_interval(clusters)
    return bootstrap.interval(statistic)


def change_interval(before: Statistic, after: Statistic) -> Interval:
    """Return the 95 % interval of a metric's change.

    Four of a hundred samples are lost and none is gained (McNemar's p is 0.125):

    >>> from harness.statistics.means import mean_of
    >>> low, high = change_interval(mean_of([100.0] * 100), mean_of([0.0] * 4 + [100.0] * 96))
    >>> round(low, 1), round(high, 1)
    (-8.8, 0.8)
    """
    old, new = before.resampled(), after.resampled()
    if not isinstance(old, Sums) or not isinstance(new, Sums):
        return bootstrap.paired_interval(before, after)
    changes = cluster_changes(old, new)
    change = float(new.of(np.ones((1, new.clusters)))[0] - old.of(np.ones((1, old.clusters)))[0])
    moved = changes[np.abs(changes) > NOTHING]
    if not len(moved):
        return Interval(change, change)
    spread = QUANTILE * float(np.sqrt((changes**2).sum() + 2 * (moved**2).mean()))
    return Interval(change - spread, change + spread)


def cluster_changes(before: Sums, after: Sums) -> Floats:
    """Return how much each cluster's change adds to that of a metric, [C], to first order.

    The derivatives are those of the two runs together, so that a cluster which did not change adds
    nothing.

    >>> from harness.statistics.means import mean_of
    >>> before, after = mean_of([100.0, 0.0, 0.0]), mean_of([0.0, 0.0, 0.0])
    >>> cluster_changes(before.resampled(), after.resampled()).round(2)
    array([-33.33,   0.  ,   0.  ])
    """
    middle = (before.rows.sum(axis=0) + after.rows.sum(axis=0)) / 2
    return np.asarray((after.rows - before.rows) @ _gradient(before.formula, middle))


def influences(clusters: Sums) -> Floats:
    """Return how much each cluster adds to a metric, [C]: its first derivative by the weight.

    >>> from harness.statistics.means import mean_of
    >>> influences(mean_of([100.0, 0.0]).resampled())
    array([ 25., -25.])
    """
    by_cluster = clusters.rows @ _gradient(clusters.formula, clusters.rows.sum(axis=0))
    return np.asarray(by_cluster - by_cluster.mean())


def _gradient(formula: Formula, totals: Floats) -> Floats:
    """Return the derivatives of a metric by the sums that it is made of, by central differences."""
    step = np.maximum(np.abs(totals), 1.0) * 1e-6
    around = totals + np.concatenate([np.diag(step), -np.diag(step)])
    values = formula(around)
    return np.asarray((values[: len(totals)] - values[len(totals) :]) / (2 * step))


def _is_bounded(statistic: Mean | MeanOfMeans) -> bool:
    values = statistic.each()
    return bool(((values >= 0) & (values <= 100)).all())


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

    The fewer errors there are, the less is known of it; so it is averaged with the worst one, all
    units of a cluster being right or wrong together, as if WEIGHT_OF_WORST_CASE clusters said so.
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
