"""When a change of a metric is called drift: the outcomes of a comparison, and the rule.

Where the same predictions are due, any other one is drift. Otherwise a drop is drift if it is
significant over all results of the check and lies beyond the metric's margin; a drop whose own
interval lies below the margin without being significant is called worse, and not proven.
`docs/drift.md` gives the reasons, `docs/error-rates.md` the error rates.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, isnan

from harness.drift.settings import Gate
from harness.statistics.interval import Interval
from harness.statistics.paired import Comparison, detectable_drop
from harness.statistics.swap_tally import Tails

ROUNDING = 1e-6  # points: a sum in another order


class Verdict(StrEnum):
    """The verdict on a metric."""

    IDENTICAL = "identical"
    SAME = "same"
    IMPROVED = "improved"
    WORSE = "worse, not proven"
    DRIFTED = "drifted"
    NOT_COMPARABLE = "not comparable"
    MISSING = "missing"


@dataclass(frozen=True)
class Refused:
    """No comparison is possible."""

    reason: str


@dataclass(frozen=True)
class Missing:
    """No result belongs to this baseline."""

    reason: str = "has a baseline and no result"


@dataclass(frozen=True)
class Due:
    """The same predictions or the same score were due, so there is a verdict without a test."""

    verdict: Verdict
    reason: str = ""
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Tested:
    """The difference may be chance: a paired test.

    `p` is adjusted for all metrics of the result and for all results of the check; `share` is the
    level at which this result is tested.
    """

    comparison: Comparison
    p: Tails
    share: float
    reason: str = ""


Outcome = Refused | Missing | Due | Tested


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
    gate: Gate

    @property
    def verdict(self) -> Verdict:
        """The verdict on this metric."""
        match self.outcome:
            case Refused():
                return Verdict.NOT_COMPARABLE
            case Missing():
                return Verdict.MISSING
            case Due(verdict=verdict):
                return verdict
            case Tested(comparison=comparison, p=p):
                return judge(comparison, p, gate=self.gate, margin=self.margin)

    @property
    def failing(self) -> bool:
        """Whether the verdict fails the check."""
        match self.verdict:
            case Verdict.DRIFTED | Verdict.NOT_COMPARABLE:
                return True
            case Verdict.MISSING:
                return not self.gate.allow_missing
            case Verdict.WORSE:
                return self.gate.fail_on_worse == "any" or self.gate.require == "no-worse"
            case _:
                return self.gate.require == "no-worse" and self.no_worse is False

    @property
    def margin(self) -> float:
        """The largest drop that passes, in points."""
        return self.gate.margin_of(self.metric)

    @property
    def reason(self) -> str:
        """The reason for a verdict that no test gave, else empty."""
        return self.outcome.reason

    @property
    def comparison(self) -> Comparison | None:
        """The comparison unit by unit, None if there was none."""
        return None if isinstance(self.outcome, Refused | Missing) else self.outcome.comparison

    @property
    def difference(self) -> float | None:
        """The change of the metric, None if a side lacks it."""
        if self.comparison is not None:
            return self.comparison.difference
        return None if self.baseline is None or self.now is None else self.now - self.baseline

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the difference, None without a comparison or a derivative."""
        if self.comparison is None or isnan(self.comparison.interval.low):
            return None
        return self.comparison.interval

    @property
    def p(self) -> float | None:
        """The adjusted p of the change in its own direction, None without a test."""
        if not isinstance(self.outcome, Tested):
            return None
        return self.outcome.p.gain if (self.difference or 0) > 0 else self.outcome.p.drop

    @property
    def no_worse(self) -> bool | None:
        """Whether the interval excludes a drop beyond the margin, None without a comparison."""
        if self.comparison is None:
            return None
        return self.comparison.interval.low > -self.margin  # not where it is unknown: NaN

    @property
    def detectable(self) -> float | None:
        """The smallest drop that the test could prove, in points.

        None if unknown or untested, and if the test could not prove any drop.
        """
        if not isinstance(self.outcome, Tested):
            return None
        drop = detectable_drop(
            self.outcome.comparison, level=self.outcome.share, margin=self.margin
        )
        return drop if isfinite(drop) else None


def judge(comparison: Comparison, p: Tails, *, gate: Gate, margin: float) -> Verdict:
    """Return the verdict on a tested metric.

    >>> from harness.statistics.paired import Flips
    >>> drop = Comparison(-1.0, Interval(-1.5, -0.5), Flips(60, 20), churn=0.3, unit=0.01)
    >>> for p in (0.01, 0.06):
    ...     print(judge(drop, Tails(p, 1.0), gate=Gate(), margin=0.1))
    drifted
    worse, not proven
    """
    if is_unchanged(comparison):
        return Verdict.IDENTICAL
    level = gate.level / gate.sides
    if p.drop < level and comparison.difference < -margin:
        return Verdict.DRIFTED
    if p.gain < level and comparison.difference > margin:
        return Verdict.IMPROVED
    return Verdict.WORSE if is_worse(comparison, margin) else Verdict.SAME


def is_worse(comparison: Comparison, margin: float) -> bool:
    """Return whether the interval of a change lies below the margin."""
    return comparison.interval.high < -margin


def is_unchanged(comparison: Comparison) -> bool:
    """Return whether no unit's outcome changed."""
    return not any(comparison.flips) and abs(comparison.difference) <= ROUNDING
