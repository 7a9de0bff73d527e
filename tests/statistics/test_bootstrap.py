"""Confidence intervals of metrics and of their changes."""

import math

import numpy as np
import pytest

from harness.metrics.attribute_ranks import MeanAveragePrecision
from harness.statistics.bootstrap import bca_interval
from harness.statistics.intervals import change_interval, metric_interval
from harness.statistics.means import Mean, MeanOfMeans, mean_of, mean_of_scores


def mean_interval(values, *, groups):
    return metric_interval(mean_of(values, clusters=groups))


def test_the_interval_of_independent_outcomes_is_the_binomial_one():
    values = [100.0] * 300 + [0.0] * 700
    half = 1.96 * 100 * math.sqrt(0.3 * 0.7 / 1000)
    for low, high in (mean_interval(values, groups=range(1000)), bca_interval(resampled(values))):
        assert low == pytest.approx(30 - half, abs=0.3)
        assert high == pytest.approx(30 + half, abs=0.3)


def resampled(values, groups=None):
    return mean_of(values, clusters=groups).resampled()


def test_outcomes_that_stand_and_fall_together_count_once():
    single = mean_interval([100.0] * 30 + [0.0] * 70, groups=range(100))
    tens = [number // 10 for number in range(1000)]
    tenfold = mean_interval([100.0] * 300 + [0.0] * 700, groups=tens)
    # Of single units little doubt is left; of ten at a time nearly as little.
    assert tenfold == pytest.approx(single, abs=0.2)
    assert bca_interval(resampled([100.0] * 300 + [0.0] * 700, tens)) == pytest.approx(
        bca_interval(resampled([100.0] * 30 + [0.0] * 70)), abs=1e-9
    )


def test_the_same_values_have_the_same_interval():
    values, groups = [100.0, 0.0, 0.0, 100.0, 0.0], "aabbc"
    assert mean_interval(values, groups=groups) == mean_interval(values, groups=groups)
    graded = resampled([30.0, 20.0, 90.0, 40.0, 0.0])
    assert bca_interval(graded) == bca_interval(graded)


def test_groups_need_not_be_neighbours():
    assert mean_interval([100.0, 0.0, 100.0], groups="aba") == mean_interval(
        [100.0, 100.0, 0.0], groups="aab"
    )


def test_the_interval_of_a_change_is_about_the_clusters_that_changed():
    before, after = mean_of([100.0, 0.0] * 50), mean_of([0.0, 100.0] * 50)
    clusters = before.resampled(), after.resampled()
    unchanged = np.zeros(100, dtype=bool)
    assert change_interval(0.0, np.zeros(100), unchanged) == (0.0, 0.0)
    low, high = change_interval(
        0.0, clusters[0].changes_in(clusters[1]), clusters[0].changed_in(clusters[1])
    )  # every unit changed by 100, half of them up
    assert low == pytest.approx(-1.96 * 10, abs=1.0) and high == pytest.approx(1.96 * 10, abs=1.0)


def test_a_metric_about_some_of_the_clusters_ignores_resamples_without_them():
    # Both units lie in the first of four clusters, so nothing is known of others.
    rare = Mean(np.array([100.0, 0.0]), np.zeros(2, dtype=np.int32), clusters=4)
    assert bca_interval(rare.resampled()) == (50.0, 50.0)
    low, high = metric_interval(rare)
    assert low < 15 and high > 85


@pytest.mark.parametrize(("n", "bound"), [(40, 91.24), (100, 96.30), (1000, 99.62)])
def test_no_error_at_all_leaves_room_for_unseen_ones(n, bound):
    assert metric_interval(mean_of([100.0] * n)) == pytest.approx((bound, 100.0), abs=0.005)
    assert metric_interval(mean_of([0.0] * n)) == pytest.approx((0.0, 100 - bound), abs=0.005)


def test_without_errors_a_cluster_counts_as_one_unit():
    alike = mean_interval([100.0] * 800, groups=[number // 8 for number in range(800)])
    assert alike == pytest.approx((96.30, 100.0), abs=0.005)


def test_a_mean_of_perfect_means_has_room_for_errors_too():
    perfect = MeanOfMeans((mean_of([100.0] * 40), mean_of([100.0] * 40)))
    assert metric_interval(perfect) == pytest.approx((91.24, 100.0), abs=0.005)


def test_the_interval_follows_from_the_kind_of_a_mean_and_not_from_its_values():
    # Two answers that a few people gave: a share, though neither is all right or all wrong. Wilson
    # of 60 % with 3.2 units: the design effect is halfway between 0.25, the least, and 1.
    low, high = metric_interval(mean_of([60.0, 60.0]))
    assert (low, high) == (pytest.approx(17.95, abs=0.005), pytest.approx(91.14, abs=0.005))
    # Scores of 0 and 100 are no outcomes: another image may have any score.
    assert metric_interval(mean_of_scores([0.0] * 40)) == (0.0, 0.0)
    assert metric_interval(mean_of_scores([100.0] * 40)) == (100.0, 100.0)
    assert metric_interval(MeanOfMeans((mean_of_scores([0.0] * 40),))) == (0.0, 0.0)


def test_a_share_beyond_100_is_refused_with_the_mean_to_use():
    with pytest.raises(ValueError, match="250 is not a share of 0 to 100; use mean_of_scores"):
        mean_of([100.0, 250.0])
    assert mean_of([100.0 + 1e-12]).values.tolist() == [100.0 + 1e-12]


def test_the_interval_of_a_percentage_ends_at_100():
    # Two images; the first ranks its positive box first, both together rank one in between.
    precision = MeanAveragePrecision(
        scores=np.array([[0.4], [0.3], [0.1], [0.2]]),
        labels=np.array([[1], [0], [1], [0]], dtype=np.int8),
        image=np.array([0, 0, 1, 1], dtype=np.int32),
        columns=np.array([0], dtype=np.int32),
    )
    assert precision.each().tolist() == [75.0]
    assert metric_interval(precision) == (pytest.approx(50.1), 100.0)
