"""Compare every result of a folder with its baseline, metric by metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from harness.drift.baselines import find_baseline
from harness.drift.contradictions import contradictions_between, describe_other_units
from harness.drift.environment import (
    Difference,
    fingerprint_diff,
    listed_diff,
    same_model_and_data,
)
from harness.drift.inputs import describe_cause, describe_inputs
from harness.drift.judging import ALL_RESULTS, Finding, Findings, judge_results
from harness.drift.samples import (
    SCORE_DIGITS,
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
    Verdict,
    is_unchanged,
)
from harness.errors import DataError, UsageError
from harness.records.integrity import contradictions
from harness.records.stored import StoredResult, find_all_results
from harness.statistics.interval import Interval
from harness.statistics.paired import Comparison, Flips, Pair, compare

UNCHANGED = Comparison(0.0, Interval(0.0, 0.0), Flips(0, 0), churn=0.0, unit=0.0)


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
    results: Path | Sequence[Path],
    baseline: Path | Sequence[Path],
    *,
    gate: Gate | None = None,
    checkpoint: str | None = None,
    refused: Sequence[str] = (),
) -> CheckOutcome:
    """Compare each result of a folder with its baseline: of its own checkpoint, or of `checkpoint`.

    Both sides may be several folders. `refused` are reasons to refuse that the caller found. Raises
    MissingError where one of the folders does not exist, UsageError where it is on both sides.
    """
    baselines = {folder.resolve() for folder in listed(baseline)}
    for folder in listed(results):
        if folder.resolve() in baselines:
            raise UsageError(f"{folder}: is the baseline itself; compare other results with it")
    gate = gate or Gate()
    now, before = find_all_results(listed(results)), find_all_results(listed(baseline))
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
    judgement = judge_results(
        [Findings(pair.result.title, pair.findings, pair.pairs) for pair in evidence], gate
    )
    if judgement.together is not None:
        others.append(Cell("", "", "", ALL_RESULTS, None, None, judgement.together, gate))
    compared = [
        _compared(pair, outcomes, gate)
        for pair, outcomes in zip(evidence, judgement.results, strict=True)
    ]
    return CheckOutcome(gate, compared, others)


def listed(folders: Path | Sequence[Path]) -> list[Path]:
    """Return one or several folders as a list."""
    return [folders] if isinstance(folders, Path) else list(folders)


class _Evidence(NamedTuple):
    """A result beside its baseline, before it is known how many results share the level."""

    base: StoredResult
    result: StoredResult
    differences: Sequence[Difference]
    predictions: PredictionChanges | None
    changes: Sequence[SampleChange]
    findings: Sequence[tuple[str, Finding]]
    pairs: Mapping[str, Pair] = MappingProxyType({})


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
        found = {
            metric: _compare_scores(base, result, metric)
            if same_score_due
            else _pair_units(base, result, metric)
            for metric in metrics
        }
        changes = changed_samples(base, result, predictions) if predictions.any else []
    except DataError as error:
        return _Evidence(base, result, differences, None, (), [("", Refused(str(error)))])
    pairs = {metric: pair for metric, pair in found.items() if isinstance(pair, Pair)}
    findings: list[tuple[str, Finding]] = [
        (metric, compare(finding) if isinstance(finding, Pair) else finding)
        for metric, finding in found.items()
    ]
    if not differences:
        cause = describe_cause(base, result)
        findings = _require_same_predictions(findings, predictions, result.record.n, cause)
    elif too_many := _too_many_changes(base, result, predictions, gate):
        findings.append(("predictions", too_many))
    tested = {metric for metric, finding in findings if isinstance(finding, Comparison)}
    pairs = {metric: pair for metric, pair in pairs.items() if metric in tested}
    return _Evidence(base, result, differences, predictions, changes, findings, pairs)


def _compare_scores(base: StoredResult, result: StoredResult, metric: str) -> Refused | Due:
    """Compare a metric of the same predictions, which are due the same score."""
    before, after = base.record.metrics.get(metric), result.record.metrics.get(metric)
    if before is None or after is None:
        return _lacking(before)
    if abs(after - before) > ROUNDING:
        return Due(Verdict.DRIFTED, "the same predictions score differently")
    return Due(Verdict.IDENTICAL, comparison=UNCHANGED)


def _pair_units(base: StoredResult, result: StoredResult, metric: str) -> Refused | Pair:
    """Pair the units of a metric. Raises DataError if a side kept no sample scores."""
    before, after = (side.sample_scores.statistics.get(metric) for side in (base, result))
    if metric not in base.record.metrics or metric not in result.record.metrics:
        return _lacking(base.record.metrics.get(metric))
    if before is None or after is None:
        return Refused("the scores of samples by this metric were not kept")
    if reason := describe_other_units(before, after):
        return Refused(reason)
    return Pair(before, after)


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
    """Return the drift of a model whose outcomes change on the same data, however it scores."""
    if gate.max_changed is None or not same_model_and_data(base.record, result.record):
        return None
    changed = _count_changed_outcomes(base, result, predictions)
    share = 100 * changed / max(result.record.n, 1)
    if share <= gate.max_changed:
        return None
    return Due(
        Verdict.DRIFTED,
        f"{changed} of {result.record.n} outcomes changed ({share:.1f} %), "
        f"with the same weights, data and protocol at most {gate.max_changed:g} % may",
    )


def _count_changed_outcomes(
    base: StoredResult, result: StoredResult, predictions: PredictionChanges
) -> int:
    """Return how many samples score differently, or where truths are hidden are predicted so.

    A box or a logit moves with every other precision; whether it still hits does not. Samples that
    have no score, since all of them are ranked together, count as unchanged.
    """
    old, new = (side.sample_scores.by_sample for side in (base, result))
    if measures := [name for name in old if name in new]:
        change = np.abs(new[measures[0]] - old[measures[0]])
        return int((change > SCORE_DIGITS).sum())
    return 0 if result.sample_scores.statistics else len(predictions.changed)


def _compared(
    evidence: _Evidence, outcomes: Sequence[tuple[str, Outcome]], gate: Gate
) -> ComparedResult:
    base, result = evidence.base, evidence.result
    return ComparedResult(
        title=result.title,
        baseline=base.path,
        exact=not evidence.differences,
        differences=listed_diff(base.record, result.record),
        inputs=describe_inputs(base, result),
        predictions=evidence.predictions,
        samples=result.record.n,
        changes=evidence.changes,
        cells=[_cell(result, metric, outcome, gate, base) for metric, outcome in outcomes],
    )


def _cell(
    result: StoredResult,
    metric: str,
    outcome: Outcome,
    gate: Gate,
    base: StoredResult | None = None,
) -> Cell:
    record = result.record
    return Cell(
        result.checkpoint,
        record.task,
        record.split,
        metric,
        None if base is None else base.record.metrics.get(metric),
        None if base is None else record.metrics.get(metric),
        outcome,
        gate,
    )
