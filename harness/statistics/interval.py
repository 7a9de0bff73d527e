"""The type of a confidence interval, apart from the code that needs NumPy."""

from typing import NamedTuple

LEVEL = 0.95


class Interval(NamedTuple):
    """A 95 % confidence interval, bounds included, in the unit of its metric."""

    low: float
    high: float
