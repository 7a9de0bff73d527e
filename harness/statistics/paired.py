"""Tests of two runs on the same samples: exact McNemar, randomisation by clusters, and Holm.

Both tests ask: if the run that a cluster's outcome comes from did not matter, how often would
swapping the runs at random make a difference as large as the observed one? For units that are right
or wrong and a cluster each, this is counted exactly (McNemar 1947, exact binomial); otherwise swaps
are drawn (approximate randomisation, Noreen 1989). Unlike the share of bootstrap resamples beyond
zero, both hold their level however few samples changed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.statistics.bootstrap import SEED, paired_interval
from harness.statistics.interval import Interval
from harness.statistics.means import Mean
from harness.statistics.sums import Floats, Statistic, merged_pairs

SWAPS_AT_ONCE = 100  # random swaps of all clusters between two tests for an early end
ENOUGH = 50  # differences as large as the observed one: p is known to 14 %, and far from small
ROUNDING = 1e-9  # differences this close are equal: sums in another order


class Flips(NamedTuple):
    """The numbers of units that score lower and higher than before (right to wrong, and back)."""

    worse: int
    better: int


class Comparison(NamedTuple):
    """A metric's change, its paired 95 % interval, the two-sided p of no change, and the flips."""

    difference: float
    interval: Interval
    p: float
    flips: Flips


def compare(before: Statistic, after: Statistic, *, draws: int) -> Comparison:
    """Compare two runs on the same units, by `draws` random swaps where no exact test applies.

    >>> from harness.statistics.means import mean_of
    >>> runs = mean_of([100.0, 100.0, 0.0, 0.0]), mean_of([0.0, 0.0, 0.0, 100.0])
    >>> change = compare(*runs, draws=2000)
    >>> change.difference, change.p, change.flips
    (-25.0, 1.0, Flips(worse=2, better=1))
    """
    old, new = (
        float(clusters.of(np.ones((1, clusters.clusters)))[0])
        for clusters in (before.resampled(), after.resampled())
    )
    p = p_of_no_change(before, after, draws=draws)
    return Comparison(new - old, paired_interval(before, after), p, flips(before, after))


def p_of_no_change(before: Statistic, after: Statistic, *, draws: int) -> float:
    """Return McNemar's two-sided p for right-or-wrong units, a cluster each, else randomisation's.

    >>> from harness.statistics.means import mean_of
    >>> p_of_no_change(mean_of([100.0] * 5), mean_of([0.0] * 5), draws=2000)
    0.0625
    """
    if isinstance(before, Mean) and isinstance(after, Mean) and before.binary and after.binary:
        return mcnemar(*flips(before, after))
    return randomisation(before, after, draws=draws)


def flips(before: Statistic, after: Statistic) -> Flips:
    """Count the units that score lower, and those that score higher.

    >>> from harness.statistics.means import mean_of
    >>> flips(mean_of([30.0, 60.0, 100.0]), mean_of([60.0, 30.0, 100.0]))
    Flips(worse=1, better=1)
    """
    change = after.each() - before.each()
    return Flips(int((change < -ROUNDING).sum()), int((change > ROUNDING).sum()))


def mcnemar(worse: int, better: int) -> float:
    """Return the exact two-sided p of a split of the changed units at least as unequal as this.

    Five of five went the same way, as 2 of 2^5 fair coin tosses do:

    >>> mcnemar(5, 0)
    0.0625
    """
    changed, fewer = worse + better, min(worse, better)
    tail, ways = 0, 1
    for count in range(fewer + 1):
        tail, ways = tail + ways, ways * (changed - count) // (count + 1)
    return min(1.0, 2 * tail / 2**changed)


def randomisation(
    before: Statistic, after: Statistic, *, draws: int, enough: int = ENOUGH
) -> float:
    """Return the two-sided p of approximate randomisation, at least 1 / (draws + 1).

    Ends early after `enough` swaps with as large a difference: the share of those is as good an
    estimate of p (Besag & Clifford 1991).

    >>> from harness.statistics.means import mean_of
    >>> randomisation(mean_of([30.0, 60.0]), mean_of([30.0, 60.0]), draws=2000)
    1.0
    """
    old, new, counts = merged_pairs(before.resampled(), after.resampled())
    both = old.concatenated(new)

    def difference(swapped: Floats) -> Floats:
        kept = counts - swapped
        return both.of(np.hstack([swapped, kept])) - both.of(np.hstack([kept, swapped]))

    observed = abs(float(difference(np.zeros((1, len(counts))))[0]))
    if observed <= ROUNDING:
        return 1.0
    generator = np.random.Generator(np.random.PCG64(SEED))
    drawn = as_large = 0
    while drawn < draws:
        size = (min(SWAPS_AT_ONCE, draws - drawn), len(counts))
        swapped = generator.binomial(counts, 0.5, size=size).astype(np.float64)
        extreme = np.cumsum(np.abs(difference(swapped)) >= observed - ROUNDING)
        if as_large + extreme[-1] >= enough:
            return enough / (drawn + int(np.searchsorted(extreme, enough - as_large)) + 1)
        drawn, as_large = drawn + len(extreme), as_large + int(extreme[-1])
    return (as_large + 1) / (draws + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Return each p adjusted for all of them (Holm 1979), in their order.

    Calling those below a level significant bounds the chance of any false alarm by that level.

    >>> holm([0.01, 0.5, 0.03])
    [0.03, 0.5, 0.06]
    """
    adjusted, highest = [0.0] * len(ps), 0.0
    for number, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        highest = max(highest, min(1.0, ps[index] * (len(ps) - number)))
        adjusted[index] = highest
    return adjusted
