"""Compare every result of a folder with its baseline, metric by metric."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.drift.baselines import find_baseline
from harness.drift.contradictions import contradictions_between, describe_other_units
from harness.drift.environment import (
    Difference,
    fingerprint_diff,
    listed_diff,
    same_model_and_data,
)
from harness.drift.inputs import describe_cause, describe_inputs
from harness.drift.samples import (
    PredictionChanges,
    SampleChange,
    changed_samples,
    compare_predictions,
)
from harness.drift.settings import Gate
from harness.drift.verdicts import (
    ROUNDING,
    Cell,
    Due,
    Missing,
    Outcome,
    Refused,
    Tested,
    Verdict,
    is_unchanged,
)
from harness.errors import DataError, UsageError
from harness.records.integrity import contradictions
from harness.records.stored import StoredResult, find_results
from harness.statistics.interval import Interval
from harness.statistics.multiple import sharing
from harness.statistics.paired import Comparison, Flips, compare
from harness.statistics.sums import Statistic
from harness.statistics.swaps import SwapTest, Tails, p_of_all, smallest_p, swap_test

UNCHANGED = Comparison(0.0, Interval(0.0, 0.0), Flips(0, 0), churn=0.0, unit=0.0)
ALL_METRICS = "all metrics together"
ALL_RESULTS = "all results together"
# Of the level of a check, the part for all results together; the rest is shared by the results.
PART_FOR_ALL = 0.2


@dataclass(frozen=True)
class ComparedResult:
    """A result beside its baseline.

    `exact`: the fingerprints are identical, so the same predictions are due, by whatever code;
    `differences` are those of the two environments. `inputs` says whether the model's inputs
    changed. `predictions` is None where they cannot be compared; `changes` are the changed samples,
    the most important first.
    """

    title: str
    baseline: Path
    exact: bool
    differences: Sequence[Difference]
    inputs: str
    predictions: PredictionChanges | None
    samples: int
    changes: Sequence[SampleChange]
    cells: Sequence[Cell]


@dataclass(frozen=True)
class CheckOutcome:
    """The outcome of a check; `others` are cells about no pair of results.

    These are results that were refused, baselines without a result, and all results together.
    """

    gate: Gate
    compared: Sequence[ComparedResult]
    others: Sequence[Cell]

    @property
    def cells(self) -> list[Cell]:
        """Every cell."""
        return [*(cell for result in self.compared for cell in result.cells), *self.others]

    @property
    def failed(self) -> bool:
        """Whether a cell fails, or there is none."""
        return not self.cells or any(cell.failing for cell in self.cells)


def check(
    results: Path,
    baseline: Path,
    *,
    gate: Gate | None = None,
    checkpoint: str | None = None,
    refused: Sequence[str] = (),
) -> CheckOutcome:
    """Compare each result of a folder with its baseline: of its own checkpoint, or of `checkpoint`.

    `refused` are reasons to refuse that the caller found. Raises MissingError where one of the
    folders does not exist, UsageError where they are the same.
    """
    if results.resolve() == baseline.resolve():
        raise UsageError(f"{results}: is the baseline itself; compare other results with it")
    gate = gate or Gate()
    now, before = find_results(results), find_results(baseline)
    others = [
        Cell("", "", "", "", None, None, Refused(reason), gate)
        for reason in (*now.rejected, *before.rejected, *refused)
    ]
    pairs: list[tuple[StoredResult, StoredResult]] = []
    for result in now.results:
        if gate.compares(checkpoint=result.record.checkpoint["name"]):
            try:
                pairs.append((find_baseline(result, before, checkpoint=checkpoint), result))
            except DataError as error:
                others.append(_cell(result, "", Refused(str(error)), gate))
    used = {base.path for base, _ in pairs}
    others += [
        _cell(base, "", Missing(), gate)
        for base in before.results
        if base.path not in used and gate.compares(checkpoint=base.record.checkpoint["name"])
    ]
    evidence = [_gather_evidence(base, result, gate) for base, result in pairs]
    tests, share = _test_all(evidence, gate)
    others += _together(list(tests.values()), gate)
    compared = [
        _conclude(pair, tests.get(number), share, gate) for number, pair in enumerate(evidence)
    ]
    return CheckOutcome(gate, compared, others)


Finding = Refused | Due | Comparison  # about one metric; a Comparison still has to be judged
Statistics = Mapping[str, Statistic]


class _Evidence(NamedTuple):
    """A result beside its baseline, before it is known how many results share the level.

    `statistics` are those of the metrics to be tested, before and after.
    """

    base: StoredResult
    result: StoredResult
    differences: Sequence[Difference]
    predictions: PredictionChanges | None
    changes: Sequence[SampleChange]
    findings: Sequence[tuple[str, Finding]]
    statistics: tuple[Statistics, Statistics] = ({}, {})


def _gather_evidence(base: StoredResult, result: StoredResult, gate: Gate) -> _Evidence:
    """Compare a result with its baseline; what cannot be compared becomes a refusal."""
    differences = fingerprint_diff(base.record, result.record)
    contradictory = [
        *(f"the baseline: {reason}" for reason in contradictions(base)),
        *contradictions(result),
        *contradictions_between(base, result),
    ]
    if contradictory:
        refusals = [("", Refused(reason)) for reason in contradictory]
        return _Evidence(base, result, differences, None, (), refusals)
    try:
        predictions = compare_predictions(base, result)
        metrics = [
            metric
            for metric in {**base.record.metrics, **result.record.metrics}
            if gate.compares(checkpoint=result.record.checkpoint["name"], metric=metric)
        ]
        same_score_due = (
            not predictions.any and base.record.task_version == result.record.task_version
        )
        compare_metric = _compare_scores if same_score_due else _compare_units
        findings = [(metric, compare_metric(base, result, metric)) for metric in metrics]
        changes = changed_samples(base, result, predictions) if predictions.any else []
    except DataError as error:
        return _Evidence(base, result, differences, None, (), [("", Refused(str(error)))])
    if not differences:
        cause = describe_cause(base, result)
        findings = _require_same_predictions(findings, predictions, result.record.n, cause)
    elif too_many := _too_many_changes(base, result, predictions, gate):
        findings.append(("predictions", too_many))
    tested = [metric for metric, finding in findings if isinstance(finding, Comparison)]
    sides = [
        {metric: side.sample_scores.statistics[metric] for metric in tested}
        for side in (base, result)
        if tested
    ]
    statistics = (sides[0], sides[1]) if tested else ({}, {})
    return _Evidence(base, result, differences, predictions, changes, findings, statistics)


def _compare_scores(base: StoredResult, result: StoredResult, metric: str) -> Finding:
    """Compare a metric of the same predictions, which are due the same score."""
    before, after = base.record.metrics.get(metric), result.record.metrics.get(metric)
    if before is None or after is None:
        return _lacking(before)
    if abs(after - before) > ROUNDING:
        return Due(Verdict.DRIFTED, "the same predictions score differently")
    return Due(Verdict.IDENTICAL, comparison=UNCHANGED)


def _compare_units(base: StoredResult, result: StoredResult, metric: str) -> Finding:
    """Compare a metric unit by unit. Raises DataError if a side kept no sample scores."""
    before, after = (side.sample_scores.statistics.get(metric) for side in (base, result))
    if metric not in base.record.metrics or metric not in result.record.metrics:
        return _lacking(base.record.metrics.get(metric))
    if before is None or after is None:
        return Refused("the scores of samples by this metric were not kept")
    if reason := describe_other_units(before, after):
        return Refused(reason)
    return compare(before, after)


def _lacking(before: float | None) -> Refused:
    """Return the refusal of a metric that one side lacks; `before` is the baseline's."""
    return Refused(
        "the baseline does not have this metric"
        if before is None
        else "only the baseline has this metric"
    )


def _require_same_predictions(
    findings: Sequence[tuple[str, Finding]],
    predictions: PredictionChanges,
    samples: int,
    cause: str,
) -> list[tuple[str, Finding]]:
    """Judge metrics of predictions that were due to be the same.

    Where the truths are hidden, the predictions themselves stand for a metric.
    """
    changed = len(predictions.changed)
    reason = "the last digits of predictions moved, and with them this metric"
    if changed:
        reason = f"{changed} of {samples} predictions changed, {cause}"

    def judge(finding: Finding) -> Finding:
        if not isinstance(finding, Comparison):
            return finding
        if not changed and is_unchanged(finding):
            return Due(Verdict.IDENTICAL, comparison=finding)
        return Due(Verdict.DRIFTED, reason, finding)

    if not findings:
        verdict = Due(Verdict.DRIFTED, reason) if changed else Due(Verdict.IDENTICAL)
        return [("predictions", verdict)]
    return [(metric, judge(finding)) for metric, finding in findings]


def _too_many_changes(
    base: StoredResult, result: StoredResult, predictions: PredictionChanges, gate: Gate
) -> Due | None:
    """Return the drift of a model that predicts otherwise on the same data, however it scores."""
    share = 100 * len(predictions.changed) / max(result.record.n, 1)
    if gate.max_changed is None or share <= gate.max_changed:
        return None
    if not same_model_and_data(base.record, result.record):
        return None
    return Due(
        Verdict.DRIFTED,
        f"{len(predictions.changed)} of {result.record.n} predictions changed ({share:.1f} %), "
        f"with the same weights, data and protocol at most {gate.max_changed:g} % may",
    )


def _test_all(evidence: Sequence[_Evidence], gate: Gate) -> tuple[dict[int, SwapTest], float]:
    """Test every result that changed, each at the level that all of them share."""
    tested = {number: pair for number, pair in enumerate(evidence) if pair.statistics[0]}
    level = (1 - PART_FOR_ALL) * gate.level / gate.sides
    smallest = [smallest_p(*pair.statistics) for pair in tested.values()]
    share = level / sharing(smallest, level=level)
    tests = {
        number: swap_test(*pair.statistics, level=share, seed=_seed(pair.result))
        for number, pair in tested.items()
    }
    return tests, share


def _seed(result: StoredResult) -> int:
    """Return a seed of its own for each result: what is swapped in one says nothing of another."""
    return zlib.crc32(result.title.encode())


def _together(tests: Sequence[SwapTest], gate: Gate) -> list[Cell]:
    """Return a drift of all results together, if no one of them but all show a drop."""
    p = p_of_all(tests)
    if len(tests) < 2 or p.drop >= PART_FOR_ALL * gate.level / gate.sides:
        return []
    reason = f"{len(tests)} results that changed dropped together (p {p.drop:.4f})"
    return [Cell("", "", "", ALL_RESULTS, None, None, Due(Verdict.DRIFTED, reason), gate)]


def _conclude(
    evidence: _Evidence, test: SwapTest | None, share: float, gate: Gate
) -> ComparedResult:
    """Judge all metrics of a result."""
    base, result = evidence.base, evidence.result
    factor = gate.level / gate.sides / share
    cells = []
    for metric, finding in evidence.findings:
        outcome: Outcome
        if isinstance(finding, Comparison):
            assert test is not None
            outcome = Tested(finding, _scaled(test.adjusted[metric], factor), share)
        else:
            outcome = finding
        cells.append(_cell(result, metric, outcome, gate, base))
    if test is not None and test.together.drop * factor < gate.level / gate.sides:
        drifting = any(cell.verdict == Verdict.DRIFTED for cell in cells)
        moved = sum((cell.difference or 0) < -cell.margin for cell in cells)
        if not drifting and moved > 1:
            p = test.together.drop * factor
            reason = f"{moved} metrics dropped beyond their margins together (p {p:.4f})"
            cells.append(_cell(result, ALL_METRICS, Due(Verdict.DRIFTED, reason), gate))
    return ComparedResult(
        title=result.title,
        baseline=base.path,
        exact=not evidence.differences,
        differences=listed_diff(base.record, result.record),
        inputs=describe_inputs(base, result),
        predictions=evidence.predictions,
        samples=result.record.n,
        changes=evidence.changes,
        cells=cells,
    )


def _scaled(tails: Tails, factor: float) -> Tails:
    return Tails(min(1.0, factor * tails.drop), min(1.0, factor * tails.gain))


def _cell(
    result: StoredResult,
    metric: str,
    outcome: Outcome,
    gate: Gate,
    base: StoredResult | None = None,
) -> Cell:
    record = result.record
    return Cell(
        record.checkpoint["name"],
        record.task,
        record.split,
        metric,
        None if base is None else base.record.metrics.get(metric),
        None if base is None else record.metrics.get(metric),
        outcome,
        gate,
    )
