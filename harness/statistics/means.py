"""Metrics that are a mean over units, or the mean of several such means."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.sums import Floats, Sums


@dataclass(frozen=True)
class Mean:
    """The mean of `values` [n] in percent; unit i belongs to cluster `cluster[i]` of `clusters`."""

    kind: ClassVar[str] = "mean"
    values: Floats
    cluster: NDArray[np.int32]
    clusters: int

    def each(self) -> Floats:
        """Return the value of each unit."""
        return self.values

    def resampled(self) -> Sums:
        """Return the sum and the count of each cluster."""
        return Sums(self.rows(), _ratio)

    def rows(self) -> Floats:
        """Return the sum and the count of each cluster, [C, 2]."""
        sums = np.bincount(self.cluster, weights=self.values, minlength=self.clusters)
        return np.stack([sums, np.bincount(self.cluster, minlength=self.clusters)], axis=1)

    def cluster_sizes(self) -> Floats:
        """Return the number of units of each cluster that has any."""
        sizes = self.rows()[:, 1]
        return sizes[sizes > 0]

    def clusters_with_errors(self) -> int:
        """Return how many clusters hold the rarer outcome: an error, or a hit if errors prevail."""
        sums, counts = self.rows().T
        return int(
            (sums < 100 * counts - 1e-9).sum()
            if _is_mostly_right(sums, counts)
            else (sums > 1e-9).sum()
        )


@dataclass(frozen=True)
class MeanOfMeans:
    """The mean of several means over the same clusters.

    >>> parts = mean_of([100.0, 0.0], clusters="ab"), mean_of([100.0] * 3, clusters="aab")
    >>> MeanOfMeans(parts).resampled().of(np.ones((1, 2)))
    array([75.])
    """

    kind: ClassVar[str] = "mean of means"
    parts: tuple[Mean, ...]

    def each(self) -> Floats:
        """Return the values of all parts, one part after another."""
        return np.concatenate([part.values for part in self.parts])

    def resampled(self) -> Sums:
        """Return the sum and the count of each part in each cluster."""
        return Sums(np.hstack([part.rows() for part in self.parts]), _mean_of_ratios)

    def cluster_sizes(self) -> Floats:
        """Return one unit per cluster: a query of each part, as a rule."""
        return np.ones(self.parts[0].clusters)

    def clusters_with_errors(self) -> int:
        """Return how many clusters hold the rarer outcome in the part where it is rarest."""
        return min(part.clusters_with_errors() for part in self.parts)


def mean_of(values: ArrayLike, *, clusters: Sequence[Hashable] | None = None) -> Mean:
    """Return the mean of values in percent; `clusters` names each one's, None makes n clusters.

    >>> mean_of([100.0, 0.0, 100.0], clusters=["a", "b", "a"]).rows()
    array([[200.,   2.],
           [  0.,   1.]])
    """
    numbers = np.asarray(values, dtype=np.float64)
    if clusters is None:
        return Mean(numbers, np.arange(len(numbers), dtype=np.int32), len(numbers))
    index: dict[Hashable, int] = {}
    cluster = np.array([index.setdefault(name, len(index)) for name in clusters], dtype=np.int32)
    return Mean(numbers, cluster, len(index))


def means_of_parts(
    values: ArrayLike, *, clusters: Sequence[Hashable], parts: Mapping[str, Sequence[int]]
) -> dict[str, Mean]:
    """Return the mean of each part of the values, given by indices.

    All parts number the clusters alike, so that they can be swapped together; a cluster may have no
    unit in a part.

    >>> parts = means_of_parts([100.0, 0.0, 0.0], clusters="aab", parts={"x": [2], "y": [0, 1]})
    >>> parts["x"].rows()
    array([[0., 0.],
           [0., 1.]])
    """
    whole = mean_of(values, clusters=clusters)
    return {
        name: Mean(whole.values[list(indices)], whole.cluster[list(indices)], whole.clusters)
        for name, indices in parts.items()
    }


def _is_mostly_right(sums: Floats, counts: Floats) -> bool:
    return bool(sums.sum() > 50 * counts.sum())


def _ratio(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return sums[:, 0] / sums[:, 1]


def _mean_of_ratios(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return (sums[:, 0::2] / sums[:, 1::2]).mean(axis=1)
