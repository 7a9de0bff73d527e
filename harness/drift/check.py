"""Compare every result of a folder with its baseline, metric by metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.drift.baselines import find_baseline
from harness.drift.environment import Difference, describe_inputs, fingerprint_diff
from harness.drift.samples import (
    PredictionChanges,
    SampleChange,
    changed_samples,
    compare_predictions,
)
from harness.drift.verdicts import (
    ROUNDING,
    Cell,
    Due,
    Outcome,
    Refused,
    Tested,
    Verdict,
    adjusted_ps,
    enough_draws,
    is_unchanged,
)
from harness.errors import DataError
from harness.records.stored import StoredResult, find_results
from harness.statistics.interval import Interval
from harness.statistics.paired import Comparison, Flips, compare

UNCHANGED = Comparison(0.0, Interval(0.0, 0.0), 1.0, Flips(0, 0))
MISSING = "has a baseline and no result"


@dataclass(frozen=True)
class ComparedResult:
    """A result beside its baseline.

    `exact`: the fingerprints are identical, so the same predictions are due; else `differences`
    are theirs. `inputs` says whether the model's inputs changed. `predictions` is None where they
    cannot be compared; `changes` are the changed samples, the most important first.
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
    """The outcome of a check; `missing` has a sentence about each baseline without a result."""

    compared: Sequence[ComparedResult]
    refused: Sequence[Cell]
    missing: Sequence[str]

    @property
    def cells(self) -> list[Cell]:
        """Every cell, refused results included."""
        return [*(cell for result in self.compared for cell in result.cells), *self.refused]

    @property
    def failed(self) -> bool:
        """Whether a metric drifted, a result could not be compared, or there was nothing to."""
        return not self.cells or any(cell.failing for cell in self.cells)


def check(
    results: Path, baseline: Path, *, checkpoint: str | None = None, require_all: bool = False
) -> CheckOutcome:
    """Compare each result of a folder with its baseline: of its own checkpoint, or of `checkpoint`.

    `require_all` counts a baseline without a result as a failure. Raises MissingError where one of
    the folders does not exist.
    """
    now, before = find_results(results), find_results(baseline)
    refused = [
        Cell("", "", "", "", None, None, Refused(reason))
        for reason in (*now.rejected, *before.rejected)
    ]
    pairs: list[tuple[StoredResult, StoredResult]] = []
    for result in now.results:
        try:
            pairs.append((find_baseline(result, before, checkpoint=checkpoint), result))
        except DataError as error:
            refused.append(_refused(result, str(error)))
    used = {base.path for base, _ in pairs}
    missing = [base for base in before.results if base.path not in used]
    if require_all:
        refused += [_refused(base, MISSING) for base in missing]
    draws = enough_draws(sum(len(result.record.metrics) for _, result in pairs))
    evidence = [_gather_evidence(base, result, draws=draws) for base, result in pairs]
    adjusted = adjusted_ps(
        finding
        for pair in evidence
        for finding in pair.findings.values()
        if isinstance(finding, Comparison)
    )
    return CheckOutcome(
        [_conclude(pair, adjusted) for pair in evidence],
        refused,
        [f"{base.title}: {MISSING}" for base in missing],
    )


Finding = Refused | Due | Comparison  # about one metric; a Comparison still has to be judged


class _Evidence(NamedTuple):
    """A result beside its baseline, before the ps of all results are adjusted."""

    base: StoredResult
    result: StoredResult
    differences: Sequence[Difference]
    predictions: PredictionChanges | None
    changes: Sequence[SampleChange]
    findings: Mapping[str, Finding]


def _gather_evidence(base: StoredResult, result: StoredResult, *, draws: int) -> _Evidence:
    """Compare a result with its baseline; what cannot be compared becomes a refusal."""
    differences = fingerprint_diff(base.record, result.record)
    try:
        predictions = compare_predictions(base, result)
        same_scores_due = (
            not predictions.any and base.record.task_version == result.record.task_version
        )
        findings: dict[str, Finding] = {
            metric: _compare_scores(base, result, metric)
            if same_scores_due
            else _compare_units(base, result, metric, draws=draws)
            for metric in {**base.record.metrics, **result.record.metrics}
        }
        if not differences:
            findings = _require_same_predictions(findings, predictions, result.record.n)
        changes = changed_samples(base, result, predictions) if predictions.any else []
    except DataError as error:
        return _Evidence(base, result, differences, None, (), {"": Refused(str(error))})
    return _Evidence(base, result, differences, predictions, changes, findings)


def _compare_scores(base: StoredResult, result: StoredResult, metric: str) -> Finding:
    """Compare a metric of the same predictions, which are due the same score."""
    before, after = base.record.metrics.get(metric), result.record.metrics.get(metric)
    if before is None or after is None:
        return _lacking(before)
    if abs(after - before) > ROUNDING:
        return Due(Verdict.DRIFTED, "the same predictions score differently")
    return UNCHANGED


def _compare_units(base: StoredResult, result: StoredResult, metric: str, *, draws: int) -> Finding:
    """Compare a metric unit by unit. Raises DataError if a side kept no sample scores."""
    statistics = [side.sample_scores.statistics.get(metric) for side in (base, result)]
    if metric not in base.record.metrics or metric not in result.record.metrics:
        return _lacking(base.record.metrics.get(metric))
    before, after = statistics
    if before is None or after is None or len(before.each()) != len(after.each()):
        return Refused("the scores of samples by this metric were not kept")
    return compare(before, after, draws=draws)


def _lacking(before: float | None) -> Refused:
    """Return the refusal of a metric that one side lacks; `before` is the baseline's."""
    return Refused(
        "the baseline does not have this metric"
        if before is None
        else "only the baseline has this metric"
    )


def _require_same_predictions(
    findings: Mapping[str, Finding], predictions: PredictionChanges, samples: int
) -> dict[str, Finding]:
    """Judge metrics of predictions that were due to be the same.

    Where the truths are hidden, the predictions themselves stand for a metric.
    """
    changed = len(predictions.changed)
    reason = "the last digits of predictions moved, and with them this metric"
    if changed:
        reason = f"{changed} of {samples} predictions changed, although nothing they depend on did"

    def judge(finding: Finding) -> Finding:
        if not isinstance(finding, Comparison):
            return finding
        if not changed and is_unchanged(finding):
            return Due(Verdict.IDENTICAL, comparison=finding)
        return Due(Verdict.DRIFTED, reason, finding)

    if not findings:
        return {"predictions": Due(Verdict.DRIFTED, reason) if changed else Due(Verdict.IDENTICAL)}
    return {metric: judge(finding) for metric, finding in findings.items()}


def _conclude(evidence: _Evidence, adjusted: Mapping[float, float]) -> ComparedResult:
    """Judge all metrics of a result, given the adjusted value of each p of the check."""
    base, result = evidence.base, evidence.result
    return ComparedResult(
        title=result.title,
        baseline=base.path,
        exact=not evidence.differences,
        differences=evidence.differences,
        inputs=describe_inputs(base.record, result.record),
        predictions=evidence.predictions,
        samples=result.record.n,
        changes=evidence.changes,
        cells=[
            _cell(
                result,
                metric,
                Tested(finding, adjusted[finding.p])
                if isinstance(finding, Comparison)
                else finding,
                baseline=base.record.metrics.get(metric),
                now=result.record.metrics.get(metric),
            )
            for metric, finding in evidence.findings.items()
        ],
    )


def _refused(result: StoredResult, reason: str) -> Cell:
    return _cell(result, "", Refused(reason))


def _cell(
    result: StoredResult,
    metric: str,
    outcome: Outcome,
    *,
    baseline: float | None = None,
    now: float | None = None,
) -> Cell:
    record = result.record
    return Cell(
        record.checkpoint["name"], record.task, record.split, metric, baseline, now, outcome
    )
