"""Intervals of shares hold the true value about as often as they say.

`python -m tests.statistics.coverage` measures more of them; its table is in `docs/error-rates.md`.
"""

from math import comb

import numpy as np
import pytest

from harness.statistics.intervals import metric_interval
from harness.statistics.means import mean_of
from tests.statistics.coverage import covered_shares


def exact_coverage(units, share):
    """The chance, over the binomial distribution, that the interval holds the true share."""
    covered = 0.0
    for right in range(units + 1):
        chance = comb(units, right) * share**right * (1 - share) ** (units - right)
        low, high = metric_interval(mean_of([100.0] * right + [0.0] * (units - right)))
        covered += chance * (low <= 100 * share <= high)
    return covered


@pytest.mark.parametrize(
    ("units", "share", "least"),
    # The percentile bootstrap covers 0.80, 0.33, 0.63, 0.26 of these.
    [(40, 0.96, 0.95), (40, 0.99, 0.92), (100, 0.99, 0.91), (100, 0.997, 0.95), (100, 0.5, 0.94)],
)
def test_single_units_near_the_top_are_covered(units, share, least):
    assert least <= exact_coverage(units, share) <= 1.0


def test_correlated_units_near_the_top_are_covered():
    """As RefCOCO+ testB: 90 images with eight expressions each (the bootstrap covers 0.57)."""
    generator = np.random.Generator(np.random.PCG64(3))
    covered = covered_shares(generator, units=720, share=0.997, in_cluster=8, times=150)
    assert covered >= 0.9


def test_a_test_set_in_the_middle_is_not_covered_too_often():
    generator = np.random.Generator(np.random.PCG64(4))
    covered = covered_shares(generator, units=800, share=0.7, in_cluster=8, times=300)
    assert 0.91 <= covered <= 0.985
