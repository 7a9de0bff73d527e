"""Confidence intervals by the cluster bootstrap."""

import math

import pytest

from harness.statistics.bootstrap import interval, paired_interval
from harness.statistics.means import mean_of


def mean_interval(values, *, groups):
    return interval(mean_of(values, clusters=groups))


def test_the_interval_of_independent_outcomes_is_the_binomial_one():
    values = [100.0] * 300 + [0.0] * 700
    low, high = mean_interval(values, groups=range(1000))
    half = 1.96 * 100 * math.sqrt(0.3 * 0.7 / 1000)
    assert low == pytest.approx(30 - half, abs=0.3)
    assert high == pytest.approx(30 + half, abs=0.3)


def test_outcomes_that_stand_and_fall_together_count_once():
    single = mean_interval([100.0] * 30 + [0.0] * 70, groups=range(100))
    tenfold = mean_interval(
        [100.0] * 300 + [0.0] * 700, groups=[number // 10 for number in range(1000)]
    )
    assert tenfold == pytest.approx(single, abs=1e-9)


def test_the_same_values_have_the_same_interval():
    values, groups = [100.0, 0.0, 0.0, 100.0, 0.0], "aabbc"
    assert mean_interval(values, groups=groups) == mean_interval(values, groups=groups)


def test_groups_need_not_be_neighbours():
    assert mean_interval([100.0, 0.0, 100.0], groups="aba") == mean_interval(
        [100.0, 100.0, 0.0], groups="aab"
    )


def test_the_interval_of_a_change_takes_the_same_clusters_from_both_runs():
    before, after = mean_of([100.0, 0.0] * 50), mean_of([0.0, 100.0] * 50)
    same = paired_interval(before, before)
    assert same == (0.0, 0.0)
    low, high = paired_interval(before, after)  # every unit changed by 100, half of them up
    assert low == pytest.approx(-1.96 * 10, abs=1.0) and high == pytest.approx(1.96 * 10, abs=1.0)


def test_a_metric_about_some_of_the_clusters_ignores_resamples_without_them():
    rare = mean_of([100.0, 0.0], clusters=["a", "a"])
    assert interval(rare) == (50.0, 50.0)
