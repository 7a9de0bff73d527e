"""Two runs on the same samples: tests, and what they must not be fooled by."""

import pytest

from harness.statistics.means import MeanOfMeans, mean_of
from harness.statistics.paired import compare, flips, holm, mcnemar, randomisation

DRAWS = 4_000


@pytest.mark.parametrize(
    ("worse", "better", "p"),
    [
        # Bentur et al. 2009, in Fagerland, Lydersen & Laake 2013 (exact conditional: 0.070).
        (7, 1, 0.0703125),
        # Armitage & Berry 1994, p. 127 (StatsDirect prints 0.0129).
        (12, 2, 0.0129395),
        (5, 0, 0.0625),
        (0, 0, 1.0),
        (3, 3, 1.0),
    ],
)
def test_mcnemar_is_the_exact_one(worse, better, p):
    assert mcnemar(worse, better) == pytest.approx(p, abs=1e-7)
    assert mcnemar(better, worse) == mcnemar(worse, better)


def test_mcnemar_of_many_changes_neither_overflows_nor_vanishes():
    assert 0 < mcnemar(12_400, 12_600) < 1
    assert 0 < mcnemar(1_000, 0) < 1e-300


def test_of_single_units_that_are_right_or_wrong_randomisation_is_mcnemar():
    before = mean_of([100.0] * 12 + [0.0] * 3 + [100.0] * 85)
    after = mean_of([0.0] * 12 + [100.0] * 3 + [100.0] * 85)
    assert compare(before, after, draws=DRAWS).p == mcnemar(12, 3)
    assert randomisation(before, after, draws=20_000, enough=20_000) == pytest.approx(
        mcnemar(12, 3), abs=0.004
    )


def test_a_large_p_is_told_from_fewer_swaps():
    before, after = [0.0, 100.0] * 50, [100.0, 0.0] * 49 + [0.0, 100.0]
    full = randomisation(mean_of(before), mean_of([0.0, *after[1:]]), draws=20_000, enough=20_000)
    assert full == pytest.approx(1.0, abs=0.1)
    assert randomisation(
        mean_of(before), mean_of([0.0, *after[1:]]), draws=20_000
    ) == pytest.approx(full, rel=0.3)


def test_units_that_change_together_count_as_one_change():
    groups = [number // 8 for number in range(80)]
    before, after = ([100.0] * 80, [0.0] * 40 + [100.0] * 40)
    alone = compare(mean_of(before), mean_of(after), draws=DRAWS)
    together = compare(
        mean_of(before, clusters=groups), mean_of(after, clusters=groups), draws=DRAWS
    )
    assert alone.p < 1e-11
    assert together.p == pytest.approx(2 / 2**5, abs=0.01)  # five images went wrong, whole
    assert alone.flips == together.flips == (40, 0)


def test_a_difference_is_told_with_its_direction():
    change = compare(
        mean_of([100.0, 100.0, 0.0, 0.0]), mean_of([0.0, 0.0, 0.0, 100.0]), draws=DRAWS
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
    change = compare(before, after, draws=DRAWS)
    # (50 + 75) / 2 instead of 100.
    assert change.difference == pytest.approx(75.0 - 100.0 + (50.0 - 100.0 + 25.0) / 2)
    # One cluster changed: swapping it always makes as large a difference.
    assert change.p == pytest.approx(1.0, abs=0.02)


def test_no_change_at_all_is_no_evidence_of_any():
    values = mean_of([30.0, 60.0, 100.0], clusters="aab")
    assert compare(values, values, draws=DRAWS) == (0.0, (0.0, 0.0), 1.0, (0, 0))


def test_holm_multiplies_by_how_many_are_left_and_never_falls():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2, 0.9]) == pytest.approx([0.4, 0.9])
    assert holm([]) == []
