"""When a change of a metric is called drift: the outcomes of a comparison, and the rule.

With an identical fingerprint the same predictions are due, and any other one is drift. Otherwise
the metric is tested, and three conditions have to hold together: the drop is significant over all
metrics of the check, lies beyond the metric's margin, and its interval excludes no change.
`docs/drift.md` gives the reasons and the error rates.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.statistics.interval import LEVEL, Interval
from harness.statistics.paired import Comparison, holm

# In points. A smaller drop is never called drift, however significant: the paper's tables have one
# decimal.
MARGIN = 0.1
MARGINS = {"cider": 0.5, "bleu1": 0.2, "bleu2": 0.2, "bleu3": 0.2, "bleu4": 0.2}
ROUNDING = 1e-6  # points: a sum in another order
FEWEST_DRAWS = 2_000


class Verdict(StrEnum):
    """The verdict on a metric."""

    IDENTICAL = "identical"
    SAME = "same"
    IMPROVED = "improved"
    DRIFTED = "drifted"
    NOT_COMPARABLE = "not comparable"


FAILING = (Verdict.DRIFTED, Verdict.NOT_COMPARABLE)


@dataclass(frozen=True)
class Refused:
    """No comparison is possible."""

    reason: str


@dataclass(frozen=True)
class Due:
    """The same predictions or the same score were due, so there is a verdict without a test.

    `comparison` describes the difference, where units were compared; its p has no meaning here.
    """

    verdict: Verdict
    reason: str = ""
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Tested:
    """The difference may be chance: a paired test, and its p adjusted for all tests of a check."""

    comparison: Comparison
    adjusted_p: float


Outcome = Refused | Due | Tested


@dataclass(frozen=True)
class Cell:
    """One metric of one result beside its baseline; an empty `metric` stands for all of them."""

    checkpoint: str
    task: str
    split: str
    metric: str
    baseline: float | None
    now: float | None
    outcome: Outcome

    @property
    def verdict(self) -> Verdict:
        """The verdict on this metric."""
        match self.outcome:
            case Refused():
                return Verdict.NOT_COMPARABLE
            case Due(verdict=verdict):
                return verdict
            case Tested(comparison=comparison, adjusted_p=p):
                return judge(self.metric, comparison, p)

    @property
    def failing(self) -> bool:
        """Whether the verdict fails the check."""
        return self.verdict in FAILING

    @property
    def reason(self) -> str:
        """The reason for a verdict that no test gave, else empty."""
        return "" if isinstance(self.outcome, Tested) else self.outcome.reason

    @property
    def comparison(self) -> Comparison | None:
        """The comparison unit by unit, None if there was none."""
        return None if isinstance(self.outcome, Refused) else self.outcome.comparison

    @property
    def difference(self) -> float | None:
        """The change of the metric, None if a side lacks it."""
        if self.comparison is not None:
            return self.comparison.difference
        return None if self.baseline is None or self.now is None else self.now - self.baseline

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the difference, None without a comparison."""
        return None if self.comparison is None else self.comparison.interval

    @property
    def p(self) -> float | None:
        """The two-sided p adjusted for all tests of the check, None without a test."""
        return self.outcome.adjusted_p if isinstance(self.outcome, Tested) else None

    @property
    def no_worse(self) -> bool | None:
        """Whether the interval excludes a drop beyond the margin, None without a comparison."""
        return None if self.interval is None else self.interval.low > -margin(self.metric)


def judge(metric: str, comparison: Comparison, adjusted_p: float) -> Verdict:
    """Return the verdict on a tested metric.

    >>> from harness.statistics.paired import Flips
    >>> drop = Comparison(-1.0, Interval(-1.5, -0.5), p=0.001, flips=Flips(60, 20))
    >>> judge("accuracy", drop, 0.01).value, judge("accuracy", drop, 0.06).value
    ('drifted', 'same')
    """
    if is_unchanged(comparison):
        return Verdict.IDENTICAL
    low, high = comparison.interval
    significant = adjusted_p < 1 - LEVEL and not low <= 0 <= high
    if significant and abs(comparison.difference) > margin(metric):
        return Verdict.DRIFTED if comparison.difference < 0 else Verdict.IMPROVED
    return Verdict.SAME


def is_unchanged(comparison: Comparison) -> bool:
    """Return whether no unit's outcome changed."""
    return not any(comparison.flips) and abs(comparison.difference) <= ROUNDING


def adjusted_ps(comparisons: Iterable[Comparison]) -> Mapping[float, float]:
    """Return each p of a check's tests with its adjusted value (Holm); equal ps are adjusted alike.

    >>> from harness.statistics.paired import Flips
    >>> tests = [Comparison(-1.0, Interval(-2, 0), p, Flips(9, 1)) for p in (0.01, 0.5, 0.01)]
    >>> adjusted_ps(tests)
    {0.01: 0.03, 0.5: 0.5}
    """
    ps = [comparison.p for comparison in comparisons]
    return dict(zip(ps, holm(ps), strict=True))


def enough_draws(cells: int) -> int:
    """Return the number of random swaps at which the smallest possible p among `cells` is drift.

    >>> enough_draws(1), enough_draws(71)
    (2000, 2840)
    """
    return max(FEWEST_DRAWS, round(2 * cells / (1 - LEVEL)))


def margin(metric: str) -> float:
    """Return the margin of a metric, in points."""
    return MARGINS.get(metric, MARGIN)
