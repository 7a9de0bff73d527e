"""Test two runs on the same samples by swapping them: all metrics of a result together.

Null hypothesis: which of the two runs a cluster's outcome comes from is a coin toss. One toss
decides for all metrics of a result, as they are about the same clusters, so that metrics which say
nearly the same do not pay twice (Westfall and Young 1993, step-down maxT). The p of a drop is the
share of swaps with a drop as large as the observed one. All swaps of few changed clusters are
enumerated; otherwise swaps are drawn until p lies clearly on one side of the level.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.statistics.sums import Floats, Formula, Resampled, Statistic, Sums

ENUMERATED = 14  # changed clusters: all 2^14 swaps are computed sooner than enough are drawn
FIRST_DRAWS = 20_000
MOST_DRAWS = 1_280_000  # a p of 0.005 is then known to 1.2 % of its size
MOST_DRAWS_OF_RANKS = 20_000  # where each swap ranks all boxes anew
AT_ONCE = 4_000_000  # numbers drawn at a time: memory stays below 100 MB
SURE = 4.0  # standard errors between p and the level, before drawing ends
ROUNDING = 1e-9  # differences this close are equal: sums in another order


class Tails(NamedTuple):
    """The p of a drop as large as the observed one, and the p of such a gain."""

    drop: float
    gain: float


@dataclass(frozen=True)
class SwapTest:
    """The test of one result.

    `alone`: the p of each metric by itself. `adjusted`: its p over all metrics of the result.
    `together`: the same of the mean over metrics, each in standard deviations under swapping, which
    is one more metric of the family; `score` is its observed value in standard deviations, and
    `null` [FIRST_DRAWS] are its values in random swaps.
    """

    alone: Mapping[str, Tails]
    adjusted: Mapping[str, Tails]
    together: Tails
    score: float
    null: Floats


def smallest_p(before: Mapping[str, Statistic], after: Mapping[str, Statistic]) -> float:
    """Return the smallest p that a test of two runs can give, 1 if no outcome changed.

    With c changed clusters it is 2^-c, all changes being in one direction. It depends on which
    clusters changed and not on how, so that it may decide which tests a level is shared among
    (Tarone 1990).

    >>> from harness.statistics.means import mean_of
    >>> smallest_p({"accuracy": mean_of([100.0, 0.0])}, {"accuracy": mean_of([0.0, 100.0])})
    0.25
    """
    changed = (int(family.counts.sum()) for family in _families(before, after))
    return 2.0 ** -max(changed, default=0)


def swap_test(
    before: Mapping[str, Statistic], after: Mapping[str, Statistic], *, level: float, seed: int
) -> SwapTest:
    """Test all metrics of a result, drawing until no p of a drop is close to `level`.

    Metrics with the same clusters are swapped together. If a result has metrics with different
    clusters, each such group is tested by itself and its p multiplied by the number of groups.

    >>> from harness.statistics.means import mean_of
    >>> runs = {"accuracy": mean_of([100.0] * 6)}, {"accuracy": mean_of([0.0] * 6)}
    >>> swap_test(*runs, level=0.05, seed=0).adjusted["accuracy"].drop
    0.015625
    """
    parts = [
        _test(family, level=level, generator=np.random.Generator(np.random.PCG64([seed, number])))
        for number, family in enumerate(_families(before, after))
    ]
    if len(parts) == 1:
        (part,) = parts
        never = dict.fromkeys(before, Tails(1.0, 1.0))
        return replace(part, alone=never | dict(part.alone), adjusted=never | dict(part.adjusted))
    alone, adjusted = dict.fromkeys(before, Tails(1.0, 1.0)), dict.fromkeys(before, Tails(1.0, 1.0))
    for part in parts:
        alone |= part.alone
        adjusted |= {name: _times(len(parts), tails) for name, tails in part.adjusted.items()}
    together = Tails(
        min((part.together.drop for part in parts), default=1.0),
        min((part.together.gain for part in parts), default=1.0),
    )
    score, null = combined(parts)
    return SwapTest(alone, adjusted, _times(len(parts), together), score, null)


def combined(tests: Sequence[SwapTest]) -> tuple[float, Floats]:
    """Return the mean score of several tests in its standard deviations, and its null values."""
    if not tests:
        return 0.0, np.zeros(FIRST_DRAWS)
    null = np.mean([test.null for test in tests], axis=0)
    spread = float(null.std()) or 1.0
    return float(np.mean([test.score for test in tests])) / spread, null / spread


def p_of_all(tests: Sequence[SwapTest]) -> Tails:
    """Return the p of all tests together, which swap independently: of their mean score.

    Five results lost four of four changed samples each, which no one of them proves:

    >>> from harness.statistics.means import mean_of
    >>> runs = {"accuracy": mean_of([100.0] * 4)}, {"accuracy": mean_of([0.0] * 4)}
    >>> tests = [swap_test(*runs, level=0.05, seed=seed) for seed in range(5)]
    >>> p_of_all(tests).drop < 0.001
    True
    """
    score, null = combined(tests)
    return _tails(null, score)


def _times(count: int, tails: Tails) -> Tails:
    return Tails(min(1.0, count * tails.drop), min(1.0, count * tails.gain))


def _tails(null: Floats, observed: float) -> Tails:
    """Return the p of an observed value among drawn ones, itself counted as one of them."""
    slack = ROUNDING * max(1.0, abs(observed))
    drops, gains = (null <= observed + slack).sum(), (null >= observed - slack).sum()
    return Tails(float(drops + 1) / (len(null) + 1), float(gains + 1) / (len(null) + 1))


class _Family(Protocol):
    """Metrics with the same clusters: how they change if the runs of some clusters are swapped."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the metrics [M]."""
        ...

    @property
    def counts(self) -> NDArray[np.int64]:
        """The number of changed clusters of each kind [K]."""
        ...

    @property
    def most_draws(self) -> int:
        """The most swaps that are worth their time."""
        ...

    def changes(self, swapped: Floats) -> Floats:
        """Return the change of each metric [R, M] if `swapped[r, k]` clusters of kind k are."""
        ...


def _test(family: _Family, *, level: float, generator: np.random.Generator) -> SwapTest:
    observed = family.changes(np.zeros((1, len(family.counts))))
    if family.counts.sum() <= ENUMERATED:
        changes = family.changes(_all_swaps(family.counts))
        tally = _Tally(family.names, observed, null=changes)
        null = tally.standardised(changes)[:, -1]
        null = null[generator.integers(len(null), size=FIRST_DRAWS)]
        return tally.result(null, exact=True)
    changes = np.concatenate(list(_drawn(family, FIRST_DRAWS, generator)))
    tally = _Tally(family.names, observed, null=changes)
    while tally.draws < family.most_draws and tally.is_close_to(level):
        for more in _drawn(family, min(tally.draws, family.most_draws - tally.draws), generator):
            tally.add(more)
    return tally.result(tally.standardised(changes)[:, -1], exact=False)


class _Tally:
    """Counts the swaps with a change as large as the observed one.

    Metrics are compared in standard deviations under swapping; their mean is one more. Step-down:
    the largest observed change is compared with the largest of all, the next one with that of the
    others.
    """

    def __init__(self, names: Sequence[str], observed: Floats, *, null: Floats) -> None:
        """Begin with the swaps that made the changes `null` [R, M]; `observed` is [1, M]."""
        self._names = names
        spread = null.std(axis=0)
        self._moving = spread > ROUNDING
        self._spread, self._spread_of_mean = np.where(self._moving, spread, 1.0), 1.0
        self._spread_of_mean = float(self.standardised(null)[:, -1].std()) or 1.0
        self._observed = self.standardised(observed)[0]
        self._alone, self._adjusted = np.zeros((2, 2, len(self._observed)))
        self.draws = 0
        self.add(null)

    def standardised(self, changes: Floats) -> Floats:
        """Return changes [R, M] in standard deviations, and their mean, [R, M + 1]."""
        scores = np.where(self._moving, changes / self._spread, 0.0)
        mean = scores.sum(axis=1, keepdims=True) / max(1, self._moving.sum()) / self._spread_of_mean
        return np.hstack([scores, mean])

    def add(self, changes: Floats) -> None:
        """Count the swaps that make these changes [R, M]."""
        self.draws += len(changes)
        scores = self.standardised(changes)
        for side, sign in enumerate((-1.0, 1.0)):  # a drop, a gain
            drawn, observed = sign * scores, sign * self._observed
            reached = observed - ROUNDING * np.maximum(1.0, np.abs(observed))
            self._alone[side] += (drawn >= reached).sum(axis=0)
            order = np.argsort(-observed, kind="stable")
            largest = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
            self._adjusted[side, order] += (largest >= reached[order]).sum(axis=0)

    def is_close_to(self, level: float) -> bool:
        """Whether more draws could move the p of a drop to the other side of the level."""
        error = np.sqrt(level * (1 - level) / self.draws)
        return bool((np.abs(self._adjusted[0] / self.draws - level) < SURE * error).any())

    def result(self, null: Floats, *, exact: bool) -> SwapTest:
        """Return the test; of drawn swaps, the observed outcome counts as one more."""
        more = 0 if exact else 1
        alone, adjusted = (
            (counts + more) / (self.draws + more) for counts in (self._alone, self._adjusted)
        )
        for side, sign in enumerate((-1.0, 1.0)):  # no later metric is surer than an earlier one
            order = np.argsort(-sign * self._observed, kind="stable")
            adjusted[side, order] = np.maximum.accumulate(adjusted[side, order])
        return SwapTest(
            {name: Tails(*map(float, alone[:, m])) for m, name in enumerate(self._names)},
            {name: Tails(*map(float, adjusted[:, m])) for m, name in enumerate(self._names)},
            Tails(*map(float, adjusted[:, -1])),
            float(self._observed[-1]),
            null,
        )


def _drawn(family: _Family, draws: int, generator: np.random.Generator) -> Iterator[Floats]:
    at_once = max(1, AT_ONCE // len(family.counts))
    for start in range(0, draws, at_once):
        size = (min(at_once, draws - start), len(family.counts))
        yield family.changes(generator.binomial(family.counts, 0.5, size=size).astype(np.float64))


def _all_swaps(counts: NDArray[np.int64]) -> Floats:
    """Return how many clusters of each kind are swapped, [2^c, K], in every swap of c clusters."""
    kind = np.repeat(np.arange(len(counts)), counts)
    swaps = np.array(list(product((0.0, 1.0), repeat=len(kind))))
    return np.asarray(swaps @ np.eye(len(counts))[kind])


@dataclass(frozen=True)
class _SumSwaps:
    """Metrics made of sums: clusters with equal contributions to all metrics are of one kind."""

    names: Sequence[str]
    counts: NDArray[np.int64]
    before: Floats  # [S], the sums of all metrics, side by side
    after: Floats
    moved: Floats  # [K, S], after - before of a cluster of each kind
    columns: Sequence[slice]
    formulas: Sequence[Formula]
    most_draws: int = MOST_DRAWS

    def changes(self, swapped: Floats) -> Floats:
        moved = swapped @ self.moved
        new, old = self.after - moved, self.before + moved
        return np.stack(
            [
                formula(new[:, columns]) - formula(old[:, columns])
                for columns, formula in zip(self.columns, self.formulas, strict=True)
            ],
            axis=1,
        )


@dataclass(frozen=True)
class _RankSwaps:
    """Metrics made by ranking: each changed cluster is of a kind of its own."""

    names: Sequence[str]
    counts: NDArray[np.int64]
    changed: NDArray[np.int64]  # [K], their numbers
    clusters: int
    both: Sequence[Resampled]
    most_draws: int = MOST_DRAWS_OF_RANKS

    def changes(self, swapped: Floats) -> Floats:
        from_before = np.zeros((len(swapped), self.clusters))
        from_before[:, self.changed] = swapped
        new = np.hstack([from_before, 1 - from_before])
        old = np.hstack([1 - from_before, from_before])
        return np.stack([both.of(new) - both.of(old) for both in self.both], axis=1)


def _families(
    before: Mapping[str, Statistic], after: Mapping[str, Statistic]
) -> list[_Family]:
    """Group the metrics that changed by their clusters."""
    groups: dict[tuple[bool, int], list[tuple[str, Resampled, Resampled]]] = {}
    for name, statistic in before.items():
        old, new = statistic.resampled(), after[name].resampled()
        if old.changed_in(new).any():
            groups.setdefault((isinstance(old, Sums), old.clusters), []).append((name, old, new))
    return [
        _sum_swaps(metrics) if sums else _rank_swaps(metrics)
        for (sums, _), metrics in groups.items()
    ]


def _sum_swaps(metrics: Sequence[tuple[str, Resampled, Resampled]]) -> _SumSwaps:
    pairs = [(old, new) for _, old, new in metrics if isinstance(old, Sums) and isinstance(new, Sums)]
    before = np.hstack([old.rows for old, _ in pairs])
    after = np.hstack([new.rows for _, new in pairs])
    moved = after - before
    kinds, counts = np.unique(moved[moved.any(axis=1)], axis=0, return_counts=True)
    ends = np.cumsum([old.rows.shape[1] for old, _ in pairs])
    return _SumSwaps(
        [name for name, *_ in metrics],
        counts,
        before.sum(axis=0),
        after.sum(axis=0),
        kinds,
        [slice(end - old.rows.shape[1], end) for end, (old, _) in zip(ends, pairs, strict=True)],
        [old.formula for old, _ in pairs],
    )


def _rank_swaps(metrics: Sequence[tuple[str, Resampled, Resampled]]) -> _RankSwaps:
    changed = np.logical_or.reduce([old.changed_in(new) for _, old, new in metrics]).nonzero()[0]
    return _RankSwaps(
        [name for name, *_ in metrics],
        np.ones(len(changed), dtype=np.int64),
        changed,
        metrics[0][1].clusters,
        [old.concatenated(new) for _, old, new in metrics],
    )
