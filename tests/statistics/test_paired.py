"""Two runs on the same samples: tests, and what they must not be fooled by."""

from math import comb

import numpy as np
import pytest

from harness.statistics.means import MeanOfMeans, mean_of
from harness.statistics.multiple import p_of_count, sharing
from harness.statistics.paired import Pair, compare, detectable_drop, flips
from harness.statistics.swaps import p_of_all, smallest_p, swap_test


def swapped(before, after, **options):
    """The p of a drop and of a gain of one metric."""
    options = {"level": 0.05, "seed": 1, **options}
    return swap_test({"metric": Pair(before, after)}, **options).adjusted["metric"]


def outcomes(worse, better, same=85):
    """Single units of two runs, of which so many get worse and better."""
    before = mean_of([100.0] * worse + [0.0] * better + [100.0] * same)
    return before, mean_of([0.0] * worse + [100.0] * better + [100.0] * same)


@pytest.mark.parametrize(
    ("worse", "better", "p"),
    [
        # Halves of two-sided ps: Bentur et al. 2009, in Fagerland, Lydersen & Laake 2013 (exact
        # conditional: 0.070); Armitage & Berry 1994, p. 127 (StatsDirect prints 0.0129).
        (7, 1, 0.0703125 / 2),
        (12, 2, 0.0129395 / 2),
        (5, 0, 0.0625 / 2),
        (0, 0, 1.0),
        (3, 3, 42 / 64),
    ],
)
def test_of_single_units_that_are_right_or_wrong_it_is_the_exact_test_of_mcnemar(worse, better, p):
    before, after = outcomes(worse, better)
    assert swapped(before, after).drop == pytest.approx(p, abs=1e-7)
    assert swapped(after, before).gain == pytest.approx(p, abs=1e-7)


def test_many_changes_neither_overflow_nor_vanish():
    assert swapped(*outcomes(1_240, 1_260)).drop == pytest.approx(0.66, abs=0.02)
    assert 0 < swapped(*outcomes(1_000, 0)).drop < 1e-4


@pytest.mark.parametrize("worse", [13, 14])  # of 26: p 0.58 and 0.42, far from the level
def test_a_large_p_is_known_from_fewer_swaps(worse):
    full = swapped(*outcomes(worse, 26 - worse), level=swapped(*outcomes(worse, 26 - worse)).drop)
    assert swapped(*outcomes(worse, 26 - worse)).drop == pytest.approx(full.drop, abs=0.02)


def test_the_noise_of_drawn_swaps_decides_nothing():
    """A p just below the level is below it for every seed."""
    before, after = outcomes(22, 10)  # 32 changed clusters are too many to enumerate
    exact = sum(comb(32, count) for count in range(22, 33)) / 2**32  # 0.025
    for seed in range(5):
        assert swapped(before, after, level=1.1 * exact, seed=seed).drop < 1.1 * exact
        assert swapped(before, after, level=0.9 * exact, seed=seed).drop > 0.9 * exact


def test_units_that_change_together_count_as_one_change():
    groups = [number // 8 for number in range(80)]
    before, after = ([100.0] * 80, [0.0] * 40 + [100.0] * 40)
    alone = mean_of(before), mean_of(after)
    together = mean_of(before, clusters=groups), mean_of(after, clusters=groups)
    assert swapped(*alone).drop < 1e-4
    assert swapped(*together).drop == 2**-5  # five images went wrong, whole
    assert compare(Pair(*alone)).flips == compare(Pair(*together)).flips == (40, 0)


def test_a_difference_is_told_with_its_direction():
    change = compare(
        Pair(mean_of([100.0, 100.0, 0.0, 0.0]), mean_of([0.0, 0.0, 0.0, 100.0])),
    )
    assert change.difference == -25.0
    assert change.flips == (2, 1)


def test_graded_outcomes_flip_by_getting_less_or_more():
    assert flips(mean_of([30.0, 60.0, 100.0]), mean_of([60.0, 30.0, 100.0])) == (1, 1)


def test_the_mean_of_two_means_is_swapped_by_the_clusters_of_both():
    def both(left, right):
        return MeanOfMeans((mean_of(left, clusters="ab"), mean_of(right, clusters="aabb")))

    before, after = (
        both([100.0, 100.0], [100.0] * 4),
        both([0.0, 100.0], [100.0, 0.0, 100.0, 100.0]),
    )
    # (50 + 75) / 2 instead of 100.
    assert compare(Pair(before, after)).difference == pytest.approx(62.5 - 100.0)
    # One cluster changed: swapping it makes as large a difference, the other way round.
    assert swapped(before, after) == (0.5, 1.0)


def test_no_change_at_all_is_no_evidence_of_any():
    values = mean_of([30.0, 60.0, 100.0], clusters="aab")
    change = compare(Pair(values, values))
    assert (change.difference, change.interval, change.flips) == (0.0, (0.0, 0.0), (0, 0))
    assert swapped(values, values) == (1.0, 1.0)


def test_metrics_that_say_the_same_do_not_pay_twice():
    before, after = outcomes(8, 0)
    pairs = {f"copy {number}": Pair(before, after) for number in range(9)}
    test = swap_test(pairs, level=0.05, seed=1)
    assert {tails.drop for tails in test.adjusted.values()} == {2**-8}


def test_metrics_of_different_samples_pay_by_their_largest_change():
    """Two metrics of other units each: the maximum of both is swapped (Westfall and Young)."""
    lost = [np.where(np.arange(100) // 4 == number, 0.0, 100.0) for number in (0, 1)]
    pairs = {name: Pair(mean_of([100.0] * 100), mean_of(lost[n])) for n, name in enumerate("ab")}
    adjusted = swap_test(pairs, level=0.05, seed=1).adjusted
    assert adjusted["a"].drop == adjusted["b"].drop == pytest.approx(1 - (1 - 2**-4) ** 2)


def test_a_metric_in_which_nothing_changed_costs_nothing():
    same = mean_of([100.0] * 93)
    pairs = {"dropped": Pair(*outcomes(8, 0)), "unchanged": Pair(same, same)}
    assert swap_test(pairs, level=0.05, seed=1).adjusted["dropped"].drop == 2**-8


def test_a_test_that_cannot_reach_the_level_does_not_share_it():
    assert smallest_p({"metric": Pair(*outcomes(3, 2))}) == 2**-5
    assert smallest_p({"metric": Pair(*outcomes(0, 0))}) == 1.0
    assert sharing([2**-5, *[2**-4] * 9], level=0.05) == 1  # 0.06 is above the level
    assert sharing([2**-5] * 4, level=0.05) == 2  # more than one could reach all of it
    assert sharing([2**-12] * 15 + [1.0] * 5, level=0.05) == 15
    assert sharing([], level=0.05) == 1


def test_results_that_prove_nothing_alone_do_so_together():
    tests = [
        swap_test({"metric": Pair(*outcomes(5, 1))}, level=0.005, seed=seed) for seed in range(10)
    ]
    assert all(test.adjusted["metric"].drop > 0.1 for test in tests)
    assert p_of_all(tests, level=0.005).drop < 0.0005
    even = [
        swap_test({"metric": Pair(*outcomes(3, 3))}, level=0.005, seed=seed) for seed in range(10)
    ]
    assert p_of_all(even, level=0.005).drop == pytest.approx(0.5, abs=0.1)


def test_how_often_several_results_are_worse_by_chance():
    assert p_of_count(2, [0.5, 0.5]) == 0.25
    assert p_of_count(1, [0.1, 0.2, 0.3]) == pytest.approx(1 - 0.9 * 0.8 * 0.7)
    assert p_of_count(0, [0.1]) == 1.0


def test_the_share_of_swaps_beyond_a_limit_is_counted():
    pairs = {"metric": Pair(*outcomes(4, 0, same=96))}
    # A drop of 4 points in one of 16 swaps, of 2 points or more in five of them.
    assert swap_test(pairs, level=0.05, seed=1, limits={"metric": 3.5}).beyond == 1 / 16
    assert swap_test(pairs, level=0.05, seed=1, limits={"metric": 1.5}).beyond == 5 / 16


def test_the_detectable_drop_grows_with_what_changes_anyway():
    quiet, restless = (compare(Pair(*outcomes(n, n, same=100 - 2 * n))) for n in (0, 20))
    assert detectable_drop(quiet, level=0.05) == 5.0  # five of five: 2 to the -5 is 0.03
    assert detectable_drop(quiet, level=0.003) == 9.0
    assert detectable_drop(quiet, level=0.25) == 3.0  # two of two have a p of 0.25, not below it
    assert detectable_drop(restless, level=0.05) > 15.0
