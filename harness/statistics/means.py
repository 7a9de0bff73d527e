"""Metrics that are a mean over units, or the mean of several such means."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.sums import Floats, Sums

ROUNDING = 1e-9  # beyond 0 to 100, of a share that was computed


@dataclass(frozen=True)
class Mean:
    """The mean of `values` [n] in percent; unit i belongs to cluster `cluster[i]` of `clusters`.

    A share: each unit is right (100), wrong (0) or partly right.
    """

    kind: ClassVar[str] = "mean"
    is_share: ClassVar[bool] = True
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
class MeanOfScores(Mean):
    """The mean of graded scores of any range, as CIDEr's.

    Beside a record it is stored as any `Mean`: the test of a change is the same.
    """

    is_share: ClassVar[bool] = False


@dataclass(frozen=True)
class MeanOfMeans:
    """The mean of several means over the same clusters.

    >>> parts = mean_of([100.0, 0.0], clusters="ab"), mean_of([100.0] * 3, clusters="aab")
    >>> MeanOfMeans(parts).resampled().of(np.ones((1, 2)))
    array([75.])
    """

    kind: ClassVar[str] = "mean of means"
    parts: tuple[Mean, ...]

    @property
    def is_share(self) -> bool:
        """Whether all parts are shares."""
        return all(part.is_share for part in self.parts)

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
    """Return the share of what is right, from 0 (wrong) to 100 (right) for each unit.

    `clusters` names the cluster of each one, None makes n clusters. Raises ValueError for a value
    beyond 0 to 100, which is not a share: `mean_of_scores` takes it.

    >>> mean_of([100.0, 0.0, 100.0], clusters=["a", "b", "a"]).rows()
    array([[200.,   2.],
           [  0.,   1.]])
    """
    numbers = np.asarray(values, dtype=np.float64)
    beyond = numbers[(numbers < -ROUNDING) | (numbers > 100 + ROUNDING)]
    if len(beyond):
        raise ValueError(f"{beyond[0]:g} is not a share of 0 to 100; use mean_of_scores for scores")
    return Mean(numbers, *_numbered(clusters, len(numbers)))


def mean_of_scores(
    values: ArrayLike, *, clusters: Sequence[Hashable] | None = None
) -> MeanOfScores:
    """Return the mean of graded scores, which may have any range; `clusters` as for `mean_of`.

    >>> mean_of_scores([250.0, 0.0]).each()
    array([250.,   0.])
    """
    numbers = np.asarray(values, dtype=np.float64)
    return MeanOfScores(numbers, *_numbered(clusters, len(numbers)))


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


def _numbered(clusters: Sequence[Hashable] | None, units: int) -> tuple[NDArray[np.int32], int]:
    """Return the number of each unit's cluster, [n], and the number of clusters."""
    if clusters is None:
        return np.arange(units, dtype=np.int32), units
    index: dict[Hashable, int] = {}
    cluster = np.array([index.setdefault(name, len(index)) for name in clusters], dtype=np.int32)
    return cluster, len(index)


def _is_mostly_right(sums: Floats, counts: Floats) -> bool:
    return bool(sums.sum() > 50 * counts.sum())


def _ratio(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return sums[:, 0] / sums[:, 1]


def _mean_of_ratios(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return (sums[:, 0::2] / sums[:, 1::2]).mean(axis=1)
