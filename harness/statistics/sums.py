"""What a metric is resampled from: the contribution of each cluster, and a formula over them.

A cluster is drawn independently of the others: an image with all its questions, a group of
statements, a query. Clusters are drawn and swapped whole, because the units of one cluster tend to
be right or wrong together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness.statistics.interval import Interval

Floats = NDArray[np.float64]
Formula = Callable[[Floats], Floats]  # sums [R, k] -> metrics [R]


class Resampled(Protocol):
    """Clusters, and the metric that any weighting of them makes."""

    @property
    def clusters(self) -> int:
        """The number of clusters."""
        ...

    def of(self, weights: NDArray[np.float64]) -> Floats:
        """Return the metric [R] if cluster c counts `weights[r, c]` times; NaN if it has no unit.

        `weights` [R, C].
        """
        ...

    def changed_in(self, other: Self) -> NDArray[np.bool_]:
        """Return which clusters contribute something else in another run, [C]."""
        ...

    def changes_in(self, other: Self) -> Floats:
        """Return how much each cluster adds to the metric's change in another run, [C].

        Exact for a mean, to first order for other metrics.
        """
        ...

    def swappable_with(self, other: Self) -> "Swappable":
        """Return this run and another one as sums of clusters that may be swapped."""
        ...


class ResampledTogether(Protocol):
    """Several metrics of the same clusters."""

    @property
    def clusters(self) -> int:
        """The number of clusters."""
        ...

    def of_each(self, weights: NDArray[np.float64]) -> Floats:
        """Return each metric, [G, R], if cluster c counts `weights[r, c]` times."""
        ...


@runtime_checkable
class Statistic(Protocol):
    """What the units of a split contribute to one metric.

    A frozen dataclass of arrays and plain values, because it is stored beside the record.
    """

    kind: ClassVar[str]

    def each(self) -> Floats:
        """Return the score of every unit, in the unit of the metric; higher is better."""
        ...

    def resampled(self) -> Resampled:
        """Return the clusters of units."""
        ...


@runtime_checkable
class Related(Protocol):
    """A statistic that shares most of its work with others of the same units."""

    def resampled_with(self, others: Sequence[Statistic]) -> ResampledTogether | None:
        """Return the metrics of `others`, this one among them; None if they share nothing."""
        ...


@runtime_checkable
class OfLabels(Protocol):
    """A statistic that does not depend on predictions: all models have the same interval."""

    def kept_interval(self, compute: Callable[[], Interval]) -> Interval:
        """Return the interval that `compute` returns; calls it only if the interval is unknown."""
        ...


@dataclass(frozen=True)
class Sums:
    """A metric that is a function of sums: `rows` [C, k] are summands, `formula` makes the metric.

    >>> share = Sums(np.array([[1.0, 2.0], [3.0, 3.0]]), lambda sums: sums[:, 0] / sums[:, 1])
    >>> share.of(np.array([[1.0, 1.0], [2.0, 0.0]]))
    array([0.8, 0.5])
    """

    rows: Floats
    formula: Formula

    @property
    def clusters(self) -> int:
        """The number of clusters."""
        return len(self.rows)

    def of(self, weights: NDArray[np.float64]) -> Floats:
        """Return the metric [R] for `weights` [R, C], by one matrix product."""
        return self.formula(weights @ self.rows)

    def changed_in(self, other: "Sums") -> NDArray[np.bool_]:
        """Return which clusters have other summands in another run, [C]."""
        return (self.rows != other.rows).any(axis=1)

    def changes_in(self, other: "Sums") -> Floats:
        """Return how much each cluster adds to the metric's change in another run, [C].

        The derivatives are those of the two runs together, so that a cluster which did not change
        adds nothing.

        >>> from harness.statistics.means import mean_of
        >>> before, after = mean_of([100.0, 0.0, 0.0]), mean_of([0.0, 0.0, 0.0])
        >>> before.resampled().changes_in(after.resampled()).round(2)
        array([-33.33,   0.  ,   0.  ])
        """
        middle = (self.rows.sum(axis=0) + other.rows.sum(axis=0)) / 2
        return np.asarray((other.rows - self.rows) @ gradient(self.formula, middle))

    def swappable_with(self, other: "Sums") -> "Swappable":
        """Return both runs: they are sums already."""
        return Swappable(self, other)


class Swappable(NamedTuple):
    """A metric of two runs as functions of sums over the same clusters."""

    before: Sums
    after: Sums


def gradient(formula: Formula, totals: Floats) -> Floats:
    """Return the derivatives of a metric with respect to its sums, by central differences.

    >>> gradient(lambda sums: sums[:, 0] / sums[:, 1], np.array([1.0, 2.0])).round(6)
    array([ 0.5 , -0.25])
    """
    step = np.maximum(np.abs(totals), 1.0) * 1e-6
    around = totals + np.concatenate([np.diag(step), -np.diag(step)])
    values = formula(around)
    return np.asarray((values[: len(totals)] - values[len(totals) :]) / (2 * step))
