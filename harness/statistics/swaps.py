"""Test two runs on the same samples by swapping them: all metrics of a result together.

Null hypothesis: which of the two runs a cluster's outcome comes from is a coin toss. One toss
decides for all metrics of a result, as they are about the same clusters, so that metrics which say
nearly the same do not pay twice (Westfall and Young 1993, step-down maxT). The p of a drop is the
share of swaps with a drop as large as the observed one. All swaps of few changed clusters are
enumerated; otherwise swaps are drawn until p lies clearly on one side of the level.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.statistics.paired import Pair
from harness.statistics.sums import Floats
from harness.statistics.swap_draws import Family, Generator, families
from harness.statistics.swap_tally import ROUNDING, Tails, Tally, is_close

ENUMERATED = 14  # changed clusters: all 2^14 swaps are computed sooner than enough are drawn
FIRST_DRAWS = 20_000
MOST_DRAWS = 1_280_000  # a p of 0.005 is then known to 1.2 % of its size
MOST_DRAWS_OF_ALL = 160_000  # a p of 0.01 is then known to 2.5 % of its size
MOST_TOSSES = 1_000_000_000  # of all clusters of a result: some ten seconds


NEVER = Tails(1.0, 1.0)


@dataclass
class NullScores:
    """Scores of random swaps, drawn as far as they are needed."""

    draw: Callable[[int], Floats]
    values: Floats = field(default_factory=lambda: np.zeros(0))

    def first(self, count: int) -> Floats:
        """Return the first `count` scores; more of them begin with the same ones."""
        if count > len(self.values):
            more = self.draw(count - len(self.values))
            self.values = np.concatenate([self.values, more])
        return self.values[:count]


@dataclass(frozen=True)
class SwapTest:
    """The test of one result.

    `alone`: the p of each metric by itself. `adjusted`: its p over all metrics of the result.
    `beyond`: the share of swaps in which a metric falls by more than its limit.
    `together`: the same of the mean over metrics, each in standard deviations under swapping, which
    is one more metric of the family; `score` is its observed value in standard deviations, and
    `null` are its values in random swaps.
    """

    alone: Mapping[str, Tails]
    adjusted: Mapping[str, Tails]
    beyond: float
    together: Tails
    score: float
    null: NullScores


def smallest_p(pairs: Mapping[str, Pair]) -> float:
    """Return the smallest p that a test of two runs can give, 1 if no outcome changed.

    With c changed clusters it is 2^-c, reached if all of them change in one direction. It depends
    on which clusters changed and not on how, so it may decide which tests share a level (Tarone
    1990).

    >>> from harness.statistics.means import mean_of
    >>> smallest_p({"accuracy": Pair(mean_of([100.0, 0.0]), mean_of([0.0, 100.0]))})
    0.25
    """
    return 2.0 ** -max((family.changed for family in families(pairs)), default=0)


def swap_test(
    pairs: Mapping[str, Pair], *, level: float, seed: int, limits: Mapping[str, float] | None = None
) -> SwapTest:
    """Test all metrics of a result, drawing until no p of a drop is close to `level`.

    `limits` are the drops, in points, that `beyond` counts; without any it is 0.

    Metrics with the same clusters are swapped together. If a result has metrics with different
    clusters, each such group is tested by itself and its p multiplied by the number of groups.

    >>> from harness.statistics.means import mean_of
    >>> pairs = {"accuracy": Pair(mean_of([100.0] * 6), mean_of([0.0] * 6))}
    >>> swap_test(pairs, level=0.05, seed=0).adjusted["accuracy"].drop
    0.015625
    """
    groups = families(pairs)
    parts = [
        _test(
            family,
            level / len(groups),
            np.random.Generator(np.random.PCG64([seed, number])),
            limits or {},
        )
        for number, family in enumerate(groups)
    ]
    alone, adjusted = dict.fromkeys(pairs, NEVER), dict.fromkeys(pairs, NEVER)
    for part in parts:
        alone |= part.alone
        adjusted |= {name: _times(len(parts), tails) for name, tails in part.adjusted.items()}
    together = [NEVER, *(_times(len(parts), part.together) for part in parts)]
    drops, gains = zip(*together, strict=True)
    beyond = min(1.0, sum(part.beyond for part in parts))
    return SwapTest(alone, adjusted, beyond, Tails(min(drops), min(gains)), *_combined(parts))


def p_of_all(tests: Sequence[SwapTest], *, level: float) -> Tails:
    """Return the p of all tests together, which swap independently: of their mean score.

    Swaps are drawn until the p of a drop is not close to `level`. Five results lost four of four
    changed samples each, which no one of them proves:

    >>> from harness.statistics.means import mean_of
    >>> pairs = {"accuracy": Pair(mean_of([100.0] * 4), mean_of([0.0] * 4))}
    >>> tests = [swap_test(pairs, level=0.05, seed=seed) for seed in range(5)]
    >>> p_of_all(tests, level=0.05).drop < 0.001
    True
    """
    score, null = _combined(tests)
    draws = FIRST_DRAWS
    while draws < MOST_DRAWS_OF_ALL and is_close(
        _tails(null.first(draws), score).drop, level, draws
    ):
        draws *= 2
    return _tails(null.first(draws), score)


def _combined(tests: Sequence[SwapTest]) -> tuple[float, NullScores]:
    """Return the mean score of several tests in its standard deviations, and its null values."""
    if len(tests) == 1:
        return tests[0].score, tests[0].null
    if not tests:
        return 0.0, NullScores(np.zeros)
    first = np.mean([test.null.first(FIRST_DRAWS) for test in tests], axis=0)
    spread = float(first.std()) or 1.0
    size = 0

    def draw(count: int) -> Floats:
        nonlocal size
        size += count
        scores = [test.null.first(size)[size - count :] for test in tests]
        return np.asarray(np.mean(scores, axis=0) / spread)

    return float(np.mean([test.score for test in tests])) / spread, NullScores(draw)


def _times(count: int, tails: Tails) -> Tails:
    return Tails(min(1.0, count * tails.drop), min(1.0, count * tails.gain))


def _tails(null: Floats, observed: float) -> Tails:
    """Return the p of an observed value among drawn ones, itself counted as one of them."""
    slack = ROUNDING * max(1.0, abs(observed))
    drops, gains = (null <= observed + slack).sum(), (null >= observed - slack).sum()
    return Tails(float(drops + 1) / (len(null) + 1), float(gains + 1) / (len(null) + 1))


def _test(
    family: Family, level: float, generator: Generator, limits: Mapping[str, float]
) -> SwapTest:
    """Test metrics over the same clusters."""
    if family.changed <= ENUMERATED:
        changes = family.enumerated()
        tally = Tally(family, null=changes)
        scores = tally.standardised(changes)[:, -1]
        return _result(
            family,
            tally,
            NullScores(lambda count: scores[generator.integers(len(scores), size=count)]),
            beyond=_beyond(changes, family.names, limits),
            exact=True,
        )
    changes = np.concatenate(list(family.drawn(FIRST_DRAWS, generator)))
    tally = Tally(family, null=changes)
    most = min(MOST_DRAWS, MOST_TOSSES // len(family.counts))
    while tally.draws < most and tally.is_close_to(level):
        for more in family.drawn(min(tally.draws, most - tally.draws), generator):
            tally.add(more)

    def draw(count: int) -> Floats:
        parts = [tally.standardised(part)[:, -1] for part in family.drawn(count, generator)]
        return np.concatenate(parts)

    first = tally.standardised(changes)[:, -1]
    beyond = _beyond(changes, family.names, limits)
    return _result(family, tally, NullScores(draw, first), beyond=beyond, exact=False)


def _result(
    family: Family, tally: Tally, null: NullScores, *, beyond: float, exact: bool
) -> SwapTest:
    alone, adjusted = tally.alone(exact=exact), tally.adjusted(exact=exact)
    return SwapTest(
        dict(zip(family.names, alone, strict=False)),  # without the mean, which comes last
        dict(zip(family.names, adjusted, strict=False)),
        beyond,
        adjusted[-1],
        tally.score,
        null,
    )


def _beyond(changes: Floats, names: Sequence[str], limits: Mapping[str, float]) -> float:
    """Return the share of swaps, with the changes [R, M], in which a drop exceeds its limit."""
    lowest = np.array([-limits.get(name, np.inf) for name in names])
    return float((changes < lowest - ROUNDING).any(axis=1).mean())
