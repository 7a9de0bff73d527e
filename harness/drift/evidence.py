"""Gather what can be said of a result beside its baseline, before all results are judged together.

What cannot be compared becomes a refusal.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from harness.drift.contradictions import contradictions_between, describe_other_units
from harness.drift.environment import Difference, fingerprint_diff, same_model_and_data
from harness.drift.inputs import describe_cause
from harness.drift.judging import Finding
from harness.drift.samples import (
    SCORE_DIGITS,
    PredictionChanges,
    SampleChange,
    changed_samples,
    compare_predictions,
)
from harness.drift.settings import Gate
from harness.drift.verdicts import ROUNDING, Due, Refused, Verdict, is_unchanged
from harness.errors import DataError
from harness.records.integrity import contradictions
from harness.records.stored import StoredResult
from harness.statistics.interval import Interval
from harness.statistics.means import Mean
from harness.statistics.paired import Comparison, Flips, Pair, compare
from harness.statistics.sums import Floats

UNCHANGED = Comparison(0.0, Interval(0.0, 0.0), Flips(0, 0), churn=0.0, unit=0.0)


class Evidence(NamedTuple):
    """A result beside its baseline, before it is known how many results share the level."""

    base: StoredResult
    result: StoredResult
    differences: Sequence[Difference]
    predictions: PredictionChanges | None
    changes: Sequence[SampleChange]
    findings: Sequence[tuple[str, Finding]]
    pairs: Mapping[str, Pair] = MappingProxyType({})


def gather_evidence(base: StoredResult, result: StoredResult, gate: Gate) -> Evidence:
    """Compare a result with its baseline; what cannot be compared becomes a refusal."""
    differences = fingerprint_diff(base.record, result.record)
    contradictory = [
        *(f"the baseline: {reason}" for reason in contradictions(base)),
        *contradictions(result),
        *contradictions_between(base, result),
    ]
    if contradictory:
        refusals = [("", Refused(reason)) for reason in contradictory]
        return Evidence(base, result, differences, None, (), refusals)
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
        by_metric = {
            metric: _compare_scores(base, result, metric)
            if same_score_due
            else _pair_units(base, result, metric)
            for metric in metrics
        }
        changes = changed_samples(base, result, predictions) if predictions.any else []
    except DataError as error:
        return Evidence(base, result, differences, None, (), [("", Refused(str(error)))])
    pairs = {metric: pair for metric, pair in by_metric.items() if isinstance(pair, Pair)}
    findings: list[tuple[str, Finding]] = [
        (metric, compare(finding) if isinstance(finding, Pair) else finding)
        for metric, finding in by_metric.items()
    ]
    if not differences:
        cause = describe_cause(base, result)
        findings = _require_same_predictions(findings, predictions, result.record.n, cause)
    elif too_many := _too_many_changes(base, result, predictions, gate):
        findings.append(("predictions", too_many))
    elif not (base.record.metrics or result.record.metrics or predictions.changed):
        findings.append(("predictions", Due(Verdict.IDENTICAL)))  # the truths are hidden
    tested = {metric for metric, finding in findings if isinstance(finding, Comparison)}
    pairs = {metric: pair for metric, pair in pairs.items() if metric in tested}
    return Evidence(base, result, differences, predictions, changes, findings, pairs)


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
    """Return the drift of a result with more changed outcomes than the gate allows, if it is one.

    Only the same weights, data and protocol are due to have few, whatever the score.
    """
    if gate.max_changed is None or not same_model_and_data(base.record, result.record):
        return None
    most = max(_changed_outcomes(base, result, predictions), key=lambda changes: changes.share)
    if most.share <= gate.max_changed:
        return None
    return Due(
        Verdict.DRIFTED,
        f"{most.changed} of {most.units} outcomes{most.of} changed ({most.share:.1f} %); "
        f"with the same weights, data and protocol at most {gate.max_changed:g} % may",
    )


class _Changes(NamedTuple):
    """How many units have another outcome, of how many; `of` names their metric, if it has to."""

    changed: int
    units: int
    of: str = ""

    @property
    def share(self) -> float:
        return 100 * self.changed / max(self.units, 1)


def _changed_outcomes(
    base: StoredResult, result: StoredResult, predictions: PredictionChanges
) -> Iterator[_Changes]:
    """Yield how many samples score differently; where truths are hidden, how many predictions do.

    Where a metric has more units than there are samples (the texts of a gallery of images), those
    of the first such metric count too. Another precision moves every box and logit, but few
    outcomes. Samples that have no score of their own, because all of them are ranked together,
    count as unchanged.
    """
    before, after = base.sample_scores, result.sample_scores
    n = result.record.n
    if measures := [name for name in before.by_sample if name in after.by_sample]:
        old, new = (side.by_sample[measures[0]] for side in (before, after))
        yield _Changes(_count_changed(old, new), n)
    else:
        yield _Changes(0 if after.statistics else len(predictions.changed), n)
    for name, statistic in after.statistics.items():
        if isinstance(statistic, Mean) and name in before.statistics:
            old, new = before.statistics[name].each(), statistic.each()
            if len(old) == len(new) > n:
                yield _Changes(_count_changed(old, new), len(new), f" of {name}")
                return


def _count_changed(old: Floats, new: Floats) -> int:
    return int((np.abs(new - old) > SCORE_DIGITS).sum())
