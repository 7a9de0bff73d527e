"""A metric before and after on the same samples: its change, the interval of it, what flipped."""

from math import ceil, log2
from typing import NamedTuple

import numpy as np

from harness.statistics.interval import Interval
from harness.statistics.intervals import change_interval, cluster_changes
from harness.statistics.sums import Statistic, Sums

ROUNDING = 1e-9  # differences this close are equal: sums in another order
POWER = 0.84  # standard errors: a drop this much beyond the bound is proven 4 times in 5


class Flips(NamedTuple):
    """The numbers of units that score lower and higher than before (right to wrong, and back)."""

    worse: int
    better: int


class Comparison(NamedTuple):
    """A metric's change, its 95 % interval and the flips.

    `churn` is the standard deviation, under swapping, of those changes that have a counterpart in
    the other direction; `unit` is what one more wrong unit takes from the metric, on average.
    """

    difference: float
    interval: Interval
    flips: Flips
    churn: float
    unit: float


def compare(before: Statistic, after: Statistic) -> Comparison:
    """Compare two runs on the same units.

    >>> from harness.statistics.means import mean_of
    >>> runs = mean_of([100.0, 100.0, 0.0, 0.0]), mean_of([0.0, 0.0, 0.0, 100.0])
    >>> change = compare(*runs)
    >>> change.difference, change.flips, change.unit
    (-25.0, Flips(worse=2, better=1), 25.0)
    """
    old, new = before.resampled(), after.resampled()
    everything = np.ones((1, old.clusters))
    difference = float(new.of(everything)[0] - old.of(everything)[0])
    churn = unit = 0.0
    if isinstance(old, Sums) and isinstance(new, Sums):
        changes = cluster_changes(old, new)
        squares = ((changes[changes < 0] ** 2).sum(), (changes[changes > 0] ** 2).sum())
        churn = float(np.sqrt(2 * min(squares)))
        unit = _unit(before)
    interval = change_interval(before, after)
    return Comparison(difference, interval, flips(before, after), churn, unit)


def flips(before: Statistic, after: Statistic) -> Flips:
    """Count the units that score lower, and those that score higher.

    >>> from harness.statistics.means import mean_of
    >>> flips(mean_of([30.0, 60.0, 100.0]), mean_of([60.0, 30.0, 100.0]))
    Flips(worse=1, better=1)
    """
    change = after.each() - before.each()
    return Flips(int((change < -ROUNDING).sum()), int((change > ROUNDING).sum()))


def detectable_drop(comparison: Comparison, *, level: float) -> float:
    """Return the smallest drop, in points, that a test at this level can prove.

    Two bounds: with c clusters changed, all for the worse, p is 2^-c, so it takes log2(1 / level)
    of them; and where clusters changed in both directions, a drop has to stand out from that.

    >>> from harness.statistics.means import mean_of
    >>> change = compare(mean_of([100.0] * 200), mean_of([100.0] * 200))
    >>> detectable_drop(change, level=0.05)
    2.5
    """
    fewest = ceil(log2(1 / level))
    quantile = float(np.sqrt(2 * np.log(1 / level)))  # above the normal one, at any level
    return max(fewest * comparison.unit, (quantile + POWER) * comparison.churn)


def _unit(statistic: Statistic) -> float:
    """Return what one unit, wrong instead of right, takes from a metric on average."""
    values = statistic.each()
    return float(values.max() / len(values)) if len(values) else 0.0
