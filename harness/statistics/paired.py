"""A metric of two runs on the same samples: its change, the interval, the units that flipped."""

from dataclasses import dataclass
from functools import cached_property
from math import floor, inf, log2, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.statistics.interval import Interval
from harness.statistics.intervals import change_interval
from harness.statistics.sums import Floats, Resampled, Statistic, Sums, Swappable

ROUNDING = 1e-9  # differences this close are equal: sums in another order
POWER = 0.84  # standard errors: a drop this much beyond the bound is proven 4 times in 5


@dataclass(frozen=True)
class Pair:
    """A metric before and after, on the same units and clusters."""

    before: Statistic
    after: Statistic

    @cached_property
    def clusters(self) -> tuple[Resampled, Resampled]:
        """The clusters of both runs."""
        return self.before.resampled(), self.after.resampled()

    @cached_property
    def changed(self) -> NDArray[np.bool_]:
        """Which clusters contribute something else, [C]."""
        before, after = self.clusters
        return before.changed_in(after)

    @cached_property
    def changes(self) -> Floats:
        """How much each cluster adds to the change of the metric, in points, [C]."""
        before, after = self.clusters
        return before.changes_in(after)

    @cached_property
    def swappable(self) -> Swappable:
        """Both runs as sums of clusters that may be swapped."""
        before, after = self.clusters
        return before.swappable_with(after)

    @cached_property
    def values(self) -> tuple[float, float]:
        """The metric of both runs."""
        before, after = (side.of(np.ones((1, side.clusters)))[0] for side in self.clusters)
        return float(before), float(after)

    @property
    def difference(self) -> float:
        """The change of the metric, in points."""
        before, after = self.values
        return after - before


class Flips(NamedTuple):
    """The numbers of units that score lower and higher than before (right to wrong, and back)."""

    worse: int
    better: int


class Comparison(NamedTuple):
    """A metric's change, its 95 % interval and the flips.

    `churn` is the standard deviation, under swapping, of those changes that have a counterpart in
    the other direction; `unit` is what one more wrong unit takes from the metric, on average. The
    interval and `churn` are NaN where the metric has no derivative: BLEU without a match. The
    metric cannot drop by more than `before`, its value, nor in more clusters than it has.
    """

    difference: float
    interval: Interval
    flips: Flips
    churn: float
    unit: float
    before: float = inf
    clusters: float = inf


def compare(pair: Pair) -> Comparison:
    """Compare two runs on the same units.

    >>> from harness.statistics.means import mean_of
    >>> pair = Pair(mean_of([100.0, 100.0, 0.0, 0.0]), mean_of([0.0, 0.0, 0.0, 100.0]))
    >>> change = compare(pair)
    >>> change.difference, change.flips, change.unit
    (-25.0, Flips(worse=2, better=1), 25.0)
    """
    changes = pair.changes
    squares = ((changes[side] ** 2).sum() for side in (changes < 0, changes > 0))
    return Comparison(
        pair.difference,
        change_interval(pair.difference, changes, pair.changed),
        flips(pair.before, pair.after),
        churn=nan if np.isnan(changes).any() else float(np.sqrt(2 * min(squares))),
        unit=_unit(pair),
        before=pair.values[0],
        clusters=pair.clusters[0].clusters,
    )


def flips(before: Statistic, after: Statistic) -> Flips:
    """Count the units that score lower, and those that score higher.

    >>> from harness.statistics.means import mean_of
    >>> flips(mean_of([30.0, 60.0, 100.0]), mean_of([60.0, 30.0, 100.0]))
    Flips(worse=1, better=1)
    """
    change = after.each() - before.each()
    return Flips(int((change < -ROUNDING).sum()), int((change > ROUNDING).sum()))


def detectable_drop(comparison: Comparison, *, level: float, margin: float = 0.0) -> float:
    """Return the smallest drop, in points, that a test at this level can prove beyond a margin.

    NaN if unknown, infinite if no drop can be proven: none within 0 and the value of the metric, or
    in as many clusters as there are. Two bounds: with c clusters changed, all for the worse, p is
    2^-c, and it takes as many as bring p below the level; and where clusters changed in both
    directions, a drop has to stand out from that.

    >>> from harness.statistics.means import mean_of
    >>> change = compare(Pair(mean_of([100.0] * 200), mean_of([100.0] * 200)))
    >>> detectable_drop(change, level=0.05)
    2.5
    >>> detectable_drop(compare(Pair(*[mean_of([100.0] * 2)] * 2)), level=0.05)
    inf
    """
    fewest = floor(log2(1 / level)) + 1
    quantile = float(np.sqrt(2 * np.log(1 / level)))  # above the normal one, at any level
    drops = margin, fewest * comparison.unit, (quantile + POWER) * comparison.churn
    drop = float(np.max(drops))  # unlike `max`, NaN if one is
    if drop > comparison.before + ROUNDING or fewest > comparison.clusters:
        return inf
    return drop


def _unit(pair: Pair) -> float:
    """Return what one unit, wrong instead of right, takes from a metric on average."""
    values = pair.before.each()
    if not isinstance(pair.clusters[0], Sums) or not len(values):
        return 0.0
    return float(values.max() / len(values))
