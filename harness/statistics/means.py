"""Metrics that are the mean over units, or the mean of a few such means."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.sums import Floats, Sums


@dataclass(frozen=True)
class Mean:
    """The mean of `values` [n], one a unit, in percent; unit i belongs to cluster `cluster[i]`, of which there are `clusters`."""

    kind: ClassVar[str] = "mean"
    values: Floats
    cluster: NDArray[np.int32]
    clusters: int

    @property
    def binary(self) -> bool:
        """Whether every unit is right or wrong, and stands by itself."""
        return self.clusters == len(self.values) and bool(np.isin(self.values, (0.0, 100.0)).all())

    def each(self) -> Floats:
        """Return the values."""
        return self.values

    def resampled(self) -> Sums:
        """Return sum and count of each cluster."""
        return Sums(self.rows(), _ratio)

    def rows(self) -> Floats:
        """Return sum and count of each cluster, [C, 2]."""
        sums = np.bincount(self.cluster, weights=self.values, minlength=self.clusters)
        return np.stack([sums, np.bincount(self.cluster, minlength=self.clusters)], axis=1)


@dataclass(frozen=True)
class MeanOfMeans:
    """The mean of several means, whose units belong to the same clusters."""

    kind: ClassVar[str] = "mean of means"
    parts: tuple[Mean, ...]

    def each(self) -> Floats:
        """Return the values of all parts."""
        return np.concatenate([part.values for part in self.parts])

    def resampled(self) -> Sums:
        """Return sum and count of each part in each cluster."""
        return Sums(np.hstack([part.rows() for part in self.parts]), _mean_of_ratios)


def mean_of(values: ArrayLike, *, clusters: Sequence[Hashable] | None = None) -> Mean:
    """Return the mean of values in percent, whose clusters have these names; each unit by itself for None."""
    found = np.asarray(values, dtype=np.float64)
    if clusters is None:
        return Mean(found, np.arange(len(found), dtype=np.int32), len(found))
    numbers: dict[Hashable, int] = {}
    cluster = np.array(
        [numbers.setdefault(name, len(numbers)) for name in clusters], dtype=np.int32
    )
    return Mean(found, cluster, len(numbers))


def _ratio(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return sums[:, 0] / sums[:, 1]


def _mean_of_ratios(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return (sums[:, 0::2] / sums[:, 1::2]).mean(axis=1)
