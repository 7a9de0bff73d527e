"""The baseline of a result, and the samples that gained or lost since then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.data.result_sources import ResultSource
from harness.drift.samples import SampleChange, changed_samples, compare_predictions
from harness.records.stored import StoredResult
from harness.running.stored.samples import StoredSample, StoredSamples
from harness.task import SampleId

GAIN, LOSS, CHANGED = FLIPS = ("gain", "loss", "changed")


@dataclass(frozen=True)
class Changes:
    """The samples that changed since a baseline, by id, the most important first.

    `before` are all samples of the baseline.
    """

    by_id: Mapping[SampleId, SampleChange]
    before: StoredSamples

    def sample_before(self, id: SampleId) -> StoredSample:
        """Return a sample as the baseline has it."""
        return self.before[self.before.index(id)]


def matching(result: StoredResult, baseline: Sequence[StoredResult]) -> StoredResult | None:
    """Return the baseline's result of the same checkpoint, task, split and subset.

    A baseline that is a single record counts for every result of its task and split.
    """
    record = result.record
    same = [
        other
        for other in baseline
        if (other.record.task, other.record.split) == (record.task, record.split)
        and other.record.subset == record.subset
    ]
    named = [other for other in same if other.title == result.title]
    return next(iter(named), same[0] if len(baseline) == 1 and same else None)


def changes_since(before: StoredResult, after: StoredResult, source: ResultSource) -> Changes:
    """Return what changed since the result `before`.

    Raises HarnessError where the two cannot be compared.
    """
    predictions = compare_predictions(before, after)
    changed = changed_samples(before, after, predictions)
    return Changes({change.id: change for change in changed}, StoredSamples(before, source))


def flip(change: SampleChange) -> str:
    """Return whether a change is a `gain` or a `loss` of score, or `changed` without effect."""
    if change.before is None or change.after is None:
        return CHANGED
    return GAIN if change.after > change.before else LOSS
