"""The same numbers from an independent implementation."""

import numpy as np
import pytest
from scipy import stats

from harness.statistics.bootstrap import interval, paired_interval
from harness.statistics.means import mean_of
from harness.statistics.paired import mcnemar, randomisation

DRAWS = np.random.Generator(np.random.PCG64(5))


@pytest.mark.parametrize(
    ("worse", "better"), [(1, 0), (4, 4), (0, 9), (31, 12), (140, 100), (900, 1000)]
)
def test_mcnemar_is_the_binomial_test(worse, better):
    assert mcnemar(worse, better) == pytest.approx(
        stats.binomtest(worse, worse + better, 0.5).pvalue, rel=1e-9
    )


@pytest.mark.parametrize(
    "values", [DRAWS.choice([0.0, 100.0], size=300, p=[0.2, 0.8]), DRAWS.gamma(2.0, 50.0, size=150)]
)
def test_the_interval_of_a_mean_is_the_percentile_bootstrap(values):
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert interval(mean_of(values)) == pytest.approx((theirs.low, theirs.high), abs=0.04 * width)


def test_the_interval_of_clusters_is_the_bootstrap_of_their_sums():
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
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(1),
    ).confidence_interval
    width = theirs.high - theirs.low
    assert interval(mean_of(values, clusters=clusters.tolist())) == pytest.approx(
        (theirs.low, theirs.high), abs=0.04 * width
    )


def test_the_interval_of_a_change_is_the_paired_bootstrap():
    before, after = DRAWS.gamma(2.0, 50.0, size=150), DRAWS.gamma(2.0, 52.0, size=150)
    theirs = stats.bootstrap(
        (after - before,),
        np.mean,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    low, high = theirs.confidence_interval
    assert paired_interval(mean_of(before), mean_of(after)) == pytest.approx(
        (low, high), abs=0.04 * (high - low)
    )


def test_randomisation_is_the_permutation_test_of_pairs():
    before, after = DRAWS.gamma(2.0, 50.0, size=11), DRAWS.gamma(2.0, 80.0, size=11)
    exact = stats.permutation_test(
        (before, after),
        lambda x, y, axis: (y - x).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert randomisation(
        mean_of(before), mean_of(after), draws=20_000, enough=20_000
    ) == pytest.approx(exact, abs=0.01)
