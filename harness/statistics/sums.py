"""What a metric is resampled from: what each cluster of samples contributes, and how a number is made of clusters counted several times.

A cluster is what was drawn independently: an image with all of its questions, a group of statements, a query. Clusters are drawn and
swapped whole, since what is asked of one image is right or wrong together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Formula = Callable[[Floats], Floats]  # sums [R, k] -> numbers [R]


class Resampled(Protocol):
    """Clusters, and the number that they make."""

    @property
    def clusters(self) -> int:
        """How many there are."""
        ...

    def of(self, weights: NDArray[np.float64]) -> Floats:
        """Return the number [R] when cluster c counts `weights[r, c]` times, [R, C]; NaN where nothing is left to make it of."""
        ...

    def beside(self, other: Self) -> Self:
        """Return the clusters of both, one after another."""
        ...


@runtime_checkable
class Statistic(Protocol):
    """What the units of a split contribute to one metric. A frozen dataclass of arrays and plain values: it is stored with the record."""

    kind: ClassVar[str]

    def each(self) -> Floats:
        """Return what every unit got by itself, in the unit of the metric: more is better."""
        ...

    def resampled(self) -> Resampled:
        """Return the clusters and the number that they make."""
        ...


@dataclass(frozen=True)
class Sums:
    """A number made of sums over clusters: `rows` [C, k] are what each adds, `formula` makes the number."""

    rows: Floats
    formula: Formula

    @property
    def clusters(self) -> int:
        """How many there are."""
        return len(self.rows)

    def of(self, weights: NDArray[np.float64]) -> Floats:
        """Return the number [R] for `weights` [R, C]: all resamples are one matrix product."""
        return self.formula(weights @ self.rows)

    def beside(self, other: "Sums") -> "Sums":
        """Return the clusters of both, one after another."""
        return Sums(np.vstack([self.rows, other.rows]), self.formula)


class Merged(NamedTuple):
    """The distinct kinds of clusters, and how many there are of each [K]."""

    clusters: Resampled
    counts: NDArray[np.int64]


def merged(clusters: Resampled) -> Merged:
    """Merge clusters that add the same: how often each kind is drawn is multinomial, which is the same bootstrap, much faster."""
    if not isinstance(clusters, Sums):
        return Merged(clusters, np.ones(clusters.clusters, dtype=np.int64))
    rows, count = np.unique(clusters.rows, axis=0, return_counts=True)
    return Merged(Sums(rows, clusters.formula), count)


class MergedPairs(NamedTuple):
    """The distinct kinds of clusters of two runs, [K] in each, and how many there are of each kind, [K]."""

    before: Resampled
    after: Resampled
    counts: NDArray[np.int64]


def merged_pairs(before: Resampled, after: Resampled) -> MergedPairs:
    """Merge the clusters of two runs that add the same before and the same after."""
    if not isinstance(before, Sums) or not isinstance(after, Sums):
        return MergedPairs(before, after, np.ones(before.clusters, dtype=np.int64))
    rows, counts = np.unique(np.hstack([before.rows, after.rows]), axis=0, return_counts=True)
    width = before.rows.shape[1]
    return MergedPairs(
        Sums(rows[:, :width], before.formula), Sums(rows[:, width:], after.formula), counts
    )
