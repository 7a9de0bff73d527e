"""What a metric is resampled from: the contribution of each cluster, and a formula over them.

A cluster is drawn independently of the others: an image with all its questions, a group of
statements, a query. Clusters are drawn and swapped whole, because the units of one cluster tend to
be right or wrong together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

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

    def concatenated(self, other: Self) -> Self:
        """Return the clusters of both, those of `other` last."""
        ...

    def changed_in(self, other: Self) -> NDArray[np.bool_]:
        """Return which clusters contribute something else in another run, [C]."""
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

    def concatenated(self, other: "Sums") -> "Sums":
        """Return the clusters of both, those of `other` last."""
        return Sums(np.vstack([self.rows, other.rows]), self.formula)

    def changed_in(self, other: "Sums") -> NDArray[np.bool_]:
        """Return which clusters have other summands in another run, [C]."""
        return (self.rows != other.rows).any(axis=1)


class Merged(NamedTuple):
    """The distinct kinds of clusters [K], and the number of clusters of each kind."""

    clusters: Resampled
    counts: NDArray[np.int64]


def merged(clusters: Resampled) -> Merged:
    """Merge clusters with equal summands.

    The number of draws of each kind is multinomial, so the bootstrap is the same and much faster.

    >>> rows = np.array([[1.0], [0.0], [1.0]])
    >>> merged(Sums(rows, lambda sums: sums[:, 0])).counts
    array([1, 2])
    """
    if not isinstance(clusters, Sums):
        return Merged(clusters, np.ones(clusters.clusters, dtype=np.int64))
    rows, counts = np.unique(clusters.rows, axis=0, return_counts=True)
    return Merged(Sums(rows, clusters.formula), counts)


class MergedPairs(NamedTuple):
    """The distinct kinds of clusters of two runs [K], and the number of clusters of each kind."""

    before: Resampled
    after: Resampled
    counts: NDArray[np.int64]


def merged_pairs(before: Resampled, after: Resampled) -> MergedPairs:
    """Merge clusters with equal summands before and equal summands after.

    >>> before, after = (Sums(np.array(rows), np.ravel) for rows in ([[1], [0], [1]], [[1]] * 3))
    >>> merged_pairs(before, after).counts
    array([1, 2])
    """
    if not isinstance(before, Sums) or not isinstance(after, Sums):
        return MergedPairs(before, after, np.ones(before.clusters, dtype=np.int64))
    rows, counts = np.unique(np.hstack([before.rows, after.rows]), axis=0, return_counts=True)
    width = before.rows.shape[1]
    return MergedPairs(
        Sums(rows[:, :width], before.formula), Sums(rows[:, width:], after.formula), counts
    )
