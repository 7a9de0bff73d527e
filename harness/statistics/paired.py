"""Whether two runs on the same samples differ: exact McNemar, randomisation by clusters, and Holm over many metrics.

Both tests ask the same: if it did not matter which run a cluster's outcome is from, how often would swapping the two at random make a
difference as large as the observed one? For single units that are right or wrong this is counted exactly (McNemar 1947, exact binomial);
otherwise it is drawn (approximate randomisation: Noreen 1989). Unlike the share of bootstrap resamples beyond zero, it holds its level
however few samples changed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.statistics.bootstrap import SEED, paired_interval
from harness.statistics.interval import Interval
from harness.statistics.means import Mean
from harness.statistics.sums import Floats, Statistic, merged_pairs

AT_A_TIME = 100  # swaps of all clusters, between which we look whether enough is known
ENOUGH = 50  # differences as large as the observed one: p is then known to 14 %, and far from small
ROUNDING = 1e-9  # differences this close are equal: sums in another order


class Flips(NamedTuple):
    """How many units got less than before, and how many more. (Right to wrong, and wrong to right, where they are right or wrong.)"""

    worse: int
    better: int


class Comparison(NamedTuple):
    """A metric before and after: the difference, its paired 95 % interval, the two-sided p of no change, and the units that moved."""

    difference: float
    interval: Interval
    p: float
    flips: Flips


def compare(before: Statistic, after: Statistic, *, draws: int) -> Comparison:
    """Compare two runs on the same units; `draws` is how often clusters are swapped where the test is not exact."""
    value = [
        float(one.resampled().of(np.ones((1, one.resampled().clusters)))[0])
        for one in (before, after)
    ]
    p = p_of_no_change(before, after, draws=draws)
    return Comparison(value[1] - value[0], paired_interval(before, after), p, flips(before, after))


def p_of_no_change(before: Statistic, after: Statistic, *, draws: int) -> float:
    """Return the two-sided p: McNemar's where units are right or wrong and stand by themselves, that of randomisation otherwise."""
    if isinstance(before, Mean) and isinstance(after, Mean) and before.binary and after.binary:
        return mcnemar(*flips(before, after))
    return randomisation(before, after, draws=draws)


def flips(before: Statistic, after: Statistic) -> Flips:
    """Count the units that got less, and those that got more."""
    moved = after.each() - before.each()
    return Flips(int((moved < -ROUNDING).sum()), int((moved > ROUNDING).sum()))


def mcnemar(worse: int, better: int) -> float:
    """Return the exact two-sided p: of the units that changed, as unequal a split or more so, if each went either way by chance."""
    changed, fewer = worse + better, min(worse, better)
    tail, ways = 0, 1
    for count in range(fewer + 1):
        tail, ways = tail + ways, ways * (changed - count) // (count + 1)
    return min(1.0, 2 * tail / 2**changed)


def randomisation(
    before: Statistic, after: Statistic, *, draws: int, enough: int = ENOUGH
) -> float:
    """Return the two-sided p of approximate randomisation: never below 1 / (draws + 1).

    Ends early where so many swaps as are `enough` made as large a difference: their share is a p as good (Besag & Clifford 1991).
    """
    old, new, counts = merged_pairs(before.resampled(), after.resampled())
    both = old.beside(new)

    def difference(swapped: Floats) -> Floats:
        kept = counts - swapped
        return both.of(np.hstack([swapped, kept])) - both.of(np.hstack([kept, swapped]))

    observed = abs(float(difference(np.zeros((1, len(counts))))[0]))
    if observed <= ROUNDING:
        return 1.0
    generator = np.random.Generator(np.random.PCG64(SEED))
    drawn = as_large = 0
    while drawn < draws:
        swapped = generator.binomial(
            counts, 0.5, size=(min(AT_A_TIME, draws - drawn), len(counts))
        ).astype(np.float64)
        extreme = np.cumsum(np.abs(difference(swapped)) >= observed - ROUNDING)
        if as_large + extreme[-1] >= enough:
            return enough / (drawn + int(np.searchsorted(extreme, enough - as_large)) + 1)
        drawn, as_large = drawn + len(extreme), as_large + int(extreme[-1])
    return (as_large + 1) / (draws + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Return each p adjusted for all of them (Holm 1979): below a level, the chance of any false alarm stays below it."""
    adjusted, highest = [0.0] * len(ps), 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        highest = max(highest, min(1.0, ps[index] * (len(ps) - place)))
        adjusted[index] = highest
    return adjusted
