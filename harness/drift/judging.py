"""Test the results of a check together, and judge every metric of them.

Of the level of a check, PART_FOR_ALL is spent on all results together: on their mean change, and on
how many of them are worse at 95 % confidence. The rest is shared by the results that changed in
enough clusters to reach their share (Tarone 1990), each tested once for all of its metrics.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.drift.settings import Gate
from harness.drift.verdicts import Due, Outcome, Refused, Tested, Verdict, is_worse, judge
from harness.statistics.multiple import p_of_count, sharing
from harness.statistics.paired import Comparison, Pair
from harness.statistics.swap_tally import Tails
from harness.statistics.swaps import SwapTest, p_of_all, smallest_p, swap_test

ALL_METRICS = "all metrics together"
ALL_RESULTS = "all results together"
PART_FOR_ALL = 0.2

Finding = Refused | Due | Comparison  # about one metric; a Comparison still has to be judged


class Findings(NamedTuple):
    """What is known of a result beside its baseline before the results of a check are tested.

    `pairs` are the metrics to be tested, those whose finding is a Comparison.
    """

    title: str
    findings: Sequence[tuple[str, Finding]]
    pairs: Mapping[str, Pair]


class Judgement(NamedTuple):
    """The outcome of each metric of each result, and of all results together if that is drift."""

    results: Sequence[Sequence[tuple[str, Outcome]]]
    together: Due | None


def judge_results(results: Sequence[Findings], gate: Gate) -> Judgement:
    """Test every result that changed, each at the level that all of them share."""
    level = gate.level / gate.sides
    tested = {number: result for number, result in enumerate(results) if result.pairs}
    most = (1 - PART_FOR_ALL) * level
    share = most / sharing([smallest_p(result.pairs) for result in tested.values()], level=most)
    tests = {
        # Each result has its own seed, so that the swaps of two results are independent.
        number: swap_test(
            result.pairs,
            level=share,
            seed=zlib.crc32(result.title.encode()),
            limits=_limits(result, gate),
        )
        for number, result in tested.items()
    }
    judged = [
        _judge_result(result, tests.get(number), share, gate)
        for number, result in enumerate(results)
    ]
    return Judgement(judged, _together(judged, tests, gate))


def _limits(result: Findings, gate: Gate) -> dict[str, float]:
    """Return by how much each metric has to drop for its interval to lie below the margin."""
    return {
        metric: gate.margin_of(metric) + finding.interval.high - finding.difference
        for metric, finding in result.findings
        if isinstance(finding, Comparison)
    }


def _judge_result(
    result: Findings, test: SwapTest | None, share: float, gate: Gate
) -> list[tuple[str, Outcome]]:
    """Judge all metrics of a result.

    Its p are scaled by as much as its `share` is smaller than the level, so that they compare with
    the level itself.
    """
    level = gate.level / gate.sides
    factor = level / share
    outcomes: list[tuple[str, Outcome]] = []
    for metric, finding in result.findings:
        if isinstance(finding, Comparison):
            assert test is not None
            p = _scaled(test.adjusted[metric], factor)
            outcomes.append((metric, Tested(finding, p, share)))
        else:
            outcomes.append((metric, finding))
    if test is not None and (p_of_mean := test.together.drop * factor) < level:
        dropped = _dropped(outcomes, gate)
        if len(dropped) > 1 and not _any_drifted(outcomes, gate):
            reason = f"{len(dropped)} metrics dropped beyond their margins (p {p_of_mean:.4f})"
            outcomes.append((ALL_METRICS, Due(Verdict.DRIFTED, reason)))
    return outcomes


def _together(
    judged: Sequence[Sequence[tuple[str, Outcome]]], tests: Mapping[int, SwapTest], gate: Gate
) -> Due | None:
    """Return the drift that all results show together, where no single one has drifted.

    Half of the part is spent on the mean change of all results, half on how many are worse.
    """
    if any(_any_drifted(outcomes, gate) for outcomes in judged):
        return None
    level = PART_FOR_ALL * gate.level / gate.sides / 2
    dropped = sum(bool(_dropped(outcomes, gate)) for outcomes in judged)
    if dropped > 1 and (p := p_of_all(list(tests.values()), level=level).drop) < level:
        reason = f"metrics of {dropped} results dropped beyond their margins (p {p:.4f})"
        return Due(Verdict.DRIFTED, reason)
    worse = sum(
        any(_is_worse(metric, outcome, gate) for metric, outcome in outcomes) for outcomes in judged
    )
    p = p_of_count(worse, [test.beyond for test in tests.values()])
    if worse > 1 and p < level:
        reason = f"{worse} results are worse, more than chance explains (p {p:.4f})"
        return Due(Verdict.DRIFTED, reason)
    return None


def _dropped(outcomes: Sequence[tuple[str, Outcome]], gate: Gate) -> list[str]:
    """Return the tested metrics that dropped beyond their margins."""
    return [
        metric
        for metric, outcome in outcomes
        if isinstance(outcome, Tested) and outcome.comparison.difference < -gate.margin_of(metric)
    ]


def _is_worse(metric: str, outcome: Outcome, gate: Gate) -> bool:
    return isinstance(outcome, Tested) and is_worse(outcome.comparison, gate.margin_of(metric))


def _any_drifted(outcomes: Sequence[tuple[str, Outcome]], gate: Gate) -> bool:
    return any(
        judge(outcome.comparison, outcome.p, gate=gate, margin=gate.margin_of(metric))
        == Verdict.DRIFTED
        if isinstance(outcome, Tested)
        else isinstance(outcome, Due) and outcome.verdict == Verdict.DRIFTED
        for metric, outcome in outcomes
    )


def _scaled(tails: Tails, factor: float) -> Tails:
    return Tails(min(1.0, factor * tails.drop), min(1.0, factor * tails.gain))
