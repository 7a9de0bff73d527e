"""Count the swaps with a change as large as the observed one, metric by metric."""

from typing import NamedTuple

import numpy as np

from harness.statistics.sums import Floats
from harness.statistics.swap_draws import Family

SURE = 4.0  # standard errors between p and the level, before drawing ends
ROUNDING = 1e-9  # differences this close are equal: sums in another order
SIGNS = (-1.0, 1.0)  # of a drop and of a gain: they make either one a large value


class Tails(NamedTuple):
    """The p of a drop as large as the observed one, and the p of such a gain."""

    drop: float
    gain: float


class Tally:
    """Counts the swaps with a change as large as the observed one.

    Metrics are compared in standard deviations under swapping; their mean is one more, the last.
    Step-down: the largest observed change is compared with the largest of all, the next one with
    that of the others.
    """

    def __init__(self, family: Family, *, null: Floats) -> None:
        """Begin with the swaps that made the changes `null` [R, M]."""
        spread = null.std(axis=0)
        self._moving = spread > ROUNDING
        self._spread, self._spread_of_mean = np.where(self._moving, spread, 1.0), 1.0
        self._spread_of_mean = float(self.standardised(null)[:, -1].std()) or 1.0
        self._observed = self.standardised(family.observed())[0]
        self._alone, self._adjusted = np.zeros((2, 2, len(self._observed)))
        self.draws = 0
        self.add(null)

    @property
    def score(self) -> float:
        """The observed mean of all metrics, in standard deviations."""
        return float(self._observed[-1])

    def standardised(self, changes: Floats) -> Floats:
        """Return changes [R, M] in standard deviations, and their mean, [R, M + 1]."""
        scores = np.where(self._moving, changes / self._spread, 0.0)
        mean = scores.sum(axis=1, keepdims=True) / max(1, self._moving.sum()) / self._spread_of_mean
        return np.hstack([scores, mean])

    def add(self, changes: Floats) -> None:
        """Count the swaps that make these changes [R, M]."""
        self.draws += len(changes)
        scores = self.standardised(changes)
        for side, sign in enumerate(SIGNS):
            drawn, observed = sign * scores, sign * self._observed
            reached = observed - ROUNDING * np.maximum(1.0, np.abs(observed))
            self._alone[side] += (drawn >= reached).sum(axis=0)
            order = np.argsort(-observed, kind="stable")
            largest = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
            self._adjusted[side, order] += (largest >= reached[order]).sum(axis=0)

    def is_close_to(self, level: float) -> bool:
        """Return whether more draws could move the p of a drop to the other side of the level."""
        return is_close(self._adjusted[0] / self.draws, level, self.draws)

    def alone(self, *, exact: bool) -> list[Tails]:
        """Return the p of each metric by itself, then that of the mean.

        The observed outcome counts as one more swap if swaps are drawn, not if they are `exact`.
        """
        return self._tails(self._shares(self._alone, exact=exact))

    def adjusted(self, *, exact: bool) -> list[Tails]:
        """Return the same over all metrics."""
        adjusted = self._shares(self._adjusted, exact=exact)
        for side, sign in enumerate(SIGNS):  # no later metric is surer than an earlier one
            order = np.argsort(-sign * self._observed, kind="stable")
            adjusted[side, order] = np.maximum.accumulate(adjusted[side, order])
        return self._tails(adjusted)

    def _shares(self, counts: Floats, *, exact: bool) -> Floats:
        more = 0 if exact else 1
        return np.asarray((counts + more) / (self.draws + more))

    def _tails(self, p: Floats) -> list[Tails]:
        return [Tails(*map(float, column)) for column in p.T]


def is_close(p: Floats | float, level: float, draws: int) -> bool:
    """Return whether more draws could move a p to the other side of the level.

    >>> is_close(0.06, level=0.05, draws=1_000), is_close(0.06, level=0.05, draws=100_000)
    (True, False)
    """
    error = np.sqrt(level * (1 - level) / draws)
    return bool((np.abs(p - level) < SURE * error).any())
