"""The same numbers from an independent implementation."""

import numpy as np
import pytest

from harness.statistics.bootstrap import bca_interval
from harness.statistics.intervals import change_interval, metric_interval
from harness.statistics.means import mean_of, mean_of_scores
from harness.statistics.paired import Pair
from harness.statistics.swaps import swap_test

DRAWS = np.random.Generator(np.random.PCG64(5))


@pytest.fixture(scope="module")
def stats():
    """Scipy's statistics, imported only by the test process that compares with them."""
    from scipy import stats

    return stats


def p_of_drop(before, after):
    test = swap_test({"metric": Pair(before, after)}, level=0.05, seed=3)
    return test.adjusted["metric"].drop


@pytest.mark.parametrize(
    ("worse", "better"), [(1, 0), (4, 4), (0, 9), (9, 3), (31, 12), (140, 100), (900, 1000)]
)
def test_swaps_of_right_or_wrong_units_are_the_binomial_test(stats, worse, better):
    before = mean_of([100.0] * worse + [0.0] * better)
    after = mean_of([0.0] * worse + [100.0] * better)
    expected = stats.binomtest(worse, worse + better, 0.5, alternative="greater").pvalue
    exact = worse + better <= 14
    assert p_of_drop(before, after) == pytest.approx(expected, abs=1e-12 if exact else 0.015)


def test_wilsons_interval_is_that_of_single_units(stats):
    for right in (0, 3, 39, 40):
        theirs = stats.binomtest(right, 40).proportion_ci(method="wilson")
        ours = metric_interval(mean_of([100.0] * right + [0.0] * (40 - right)))
        # Of few errors little is known; single units cannot be right or wrong together.
        assert ours == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=0.3)


def test_the_interval_of_a_graded_metric_is_the_bca_bootstrap(stats):
    values = DRAWS.gamma(2.0, 50.0, size=150)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert metric_interval(mean_of_scores(values)) == pytest.approx(
        (theirs.low, theirs.high), abs=0.04 * width
    )


def test_the_interval_of_clusters_is_the_bootstrap_of_their_sums(stats):
    sizes = DRAWS.integers(1, 6, size=120)
    clusters = np.repeat(np.arange(120), sizes)
    values = 100.0 * (DRAWS.random(len(clusters)) < DRAWS.beta(8, 2, size=120)[clusters])
    sums = np.bincount(clusters, weights=values)

    def ratio(sums, sizes, axis):
        return sums.sum(axis=axis) / sizes.sum(axis=axis)

    theirs = stats.bootstrap(
        (sums, sizes),
        ratio,
        n_resamples=10_000,
        paired=True,
        method="BCa",
        vectorized=True,
        rng=np.random.default_rng(1),
    ).confidence_interval
    width = theirs.high - theirs.low
    statistic = mean_of(values, clusters=clusters.tolist())
    assert bca_interval(statistic.resampled()) == pytest.approx(
        (theirs.low, theirs.high), abs=0.06 * width
    )
    # Far from 0 and 100 %, and with many errors, Wilson's interval is much the same.
    assert metric_interval(statistic) == pytest.approx((theirs.low, theirs.high), abs=0.12 * width)


def test_the_interval_of_a_change_is_the_paired_bootstrap(stats):
    before, after = DRAWS.gamma(2.0, 50.0, size=150), DRAWS.gamma(2.0, 52.0, size=150)
    theirs = stats.bootstrap(
        (after - before,), np.mean, n_resamples=10_000, rng=np.random.default_rng(1)
    )
    low, high = theirs.confidence_interval
    difference, changes = (after - before).mean(), (after - before) / 150
    ours = change_interval(difference, changes, np.ones(150, dtype=bool))
    assert ours == pytest.approx((low, high), abs=0.05 * (high - low))


def test_swaps_are_the_permutation_test_of_pairs(stats):
    before, after = DRAWS.gamma(2.0, 50.0, size=11), DRAWS.gamma(2.0, 40.0, size=11)
    exact = stats.permutation_test(
        (before, after),
        lambda x, y, axis: (y - x).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        alternative="less",
    ).pvalue
    assert p_of_drop(mean_of_scores(before), mean_of_scores(after)) == pytest.approx(
        exact, abs=1e-12
    )
