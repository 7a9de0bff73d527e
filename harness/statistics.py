"""How sure a number is: confidence intervals by resampling the unit that was drawn independently."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

RESAMPLES = 10_000  # from seed to seed, the bounds then move by about 1 % of the interval's width
LEVEL = 0.95
SEED = 20211116  # any fixed number: the same predictions have the same interval


class Interval(NamedTuple):
    """A confidence interval, bounds included, in the unit of its metric."""

    low: float
    high: float


def mean_interval(values: Sequence[float], *, groups: Sequence[Hashable], resamples: int = RESAMPLES) -> Interval:
    """Return the 95 % percentile bootstrap interval of the mean of `values`, resampling whole groups.

    Expressions about the same image are right or wrong together, so the images are drawn, not the expressions (cluster bootstrap).
    """
    import numpy as np  # imported here: who reads a record needs an Interval, and no NumPy

    numbers: dict[Hashable, int] = {}
    group_of = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    sums = np.bincount(group_of, weights=values)
    counts = np.bincount(group_of)
    draws = np.random.Generator(np.random.PCG64(SEED))
    means = np.empty(resamples)
    for number in range(resamples):
        drawn = draws.integers(len(counts), size=len(counts))
        means[number] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
