"""The type of a confidence interval. Who reads a record needs it, and no NumPy."""

from typing import NamedTuple

LEVEL = 0.95


class Interval(NamedTuple):
    """A 95 % confidence interval, bounds included, in the unit of its metric."""

    low: float
    high: float
