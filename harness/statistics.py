"""How sure a number is: confidence intervals by resampling the unit that was drawn independently."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

RESAMPLES = 10_000  # from seed to seed, the bounds then move by about 1 % of the interval's width
LEVEL = 0.95
AT_ONCE = 10_000_000  # numbers drawn at a time: memory stays below 100 MB
SEED = 20211116  # any fixed number: the same predictions have the same interval


class Interval(NamedTuple):
    """A confidence interval, bounds included, in the unit of its metric."""

    low: float
    high: float


def mean_interval(values: Sequence[float], *, groups: Sequence[Hashable] | None = None, resamples: int = RESAMPLES) -> Interval:
    """Return the 95 % percentile bootstrap interval of the mean of `values`, resampling whole groups (each value by itself for None).

    Expressions about the same image are right or wrong together, so the images are drawn, not the expressions (cluster bootstrap). Groups
    with the same sum and size are interchangeable: how often each kind is drawn is multinomial, which is the same bootstrap, much faster.
    """
    import numpy as np  # imported here: who reads a record needs an Interval, and no NumPy

    numbers: dict[Hashable, int] = {}
    group_of = np.array([numbers.setdefault(group, len(numbers)) for group in (range(len(values)) if groups is None else groups)])
    each = np.stack([np.bincount(group_of, weights=values), np.bincount(group_of)], axis=1)
    kinds, how_many = np.unique(each, axis=0, return_counts=True)
    draws = np.random.Generator(np.random.PCG64(SEED))
    means = np.empty(resamples)
    at_once = max(1, AT_ONCE // len(kinds))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        sums = draws.multinomial(len(each), how_many / len(each), size=rows) @ kinds
        means[start : start + rows] = sums[:, 0] / sums[:, 1]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
