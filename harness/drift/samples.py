"""The samples that two runs of a task predict differently, the most important first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.errors import DataError
from harness.records.stored import StoredResult

# Numbers this close, absolutely or relative to their size, are one prediction: float32 has seven
# digits, and batches, processors and any rewriting of the code change the order of a sum, which
# moves the last of them.
LAST_DIGITS = 1e-5
SCORE_DIGITS = 100 * LAST_DIGITS  # the same for a sample's score, which goes up to 100


class PredictionChanges(NamedTuple):
    """The indices of samples with another prediction, and with other last digits of it only."""

    changed: Sequence[int]
    last_digits: Sequence[int]

    @property
    def any(self) -> bool:
        """Whether the predictions differ at all."""
        return bool(self.changed or self.last_digits)


def compare_predictions(before: StoredResult, after: StoredResult) -> PredictionChanges:
    """Return the samples whose predictions differ between two runs.

    Without stored predictions of both, any difference counts as another prediction. Raises
    DataError if a run kept no sample scores, or if the samples differ.
    """
    if before.record.predictions.get("sha256") == after.record.predictions.get("sha256"):
        return PredictionChanges([], [])
    old, new = before.sample_scores, after.sample_scores
    if list(old.ids) != list(new.ids):
        raise DataError(f"{after.path}: is about other samples than {before.path}")
    changed: list[int] = []
    last_digits: list[int] = []
    for index in (old.digests != new.digests).nonzero()[0].tolist():
        id = old.ids[index]
        close = (
            before.predictions is not None
            and after.predictions is not None
            and equal_but_last_digits(before.predictions[id], after.predictions[id])
        )
        (last_digits if close else changed).append(index)
    return PredictionChanges(changed, last_digits)


def equal_but_last_digits(before: Any, after: Any) -> bool:
    """Return whether two predictions are equal, floats within LAST_DIGITS of one another.

    An answer without logits, as earlier releases wrote for NLVR2, equals the same one with logits.
    """
    if isinstance(before, bool) != isinstance(after, bool):
        before, after = _without_logits(before), _without_logits(after)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(
            equal_but_last_digits(before[name], after[name]) for name in before
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(equal_but_last_digits, before, after))
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=LAST_DIGITS, abs_tol=LAST_DIGITS)
    return type(before) is type(after) and bool(before == after)


def _without_logits(prediction: Any) -> Any:
    if isinstance(prediction, Mapping) and prediction.keys() == {"answer", "logits"}:
        return prediction["answer"]
    return prediction


@dataclass(frozen=True)
class SampleChange:
    """A sample that is predicted or scored differently.

    `measure` is the first one that changed, with its values; empty and None if none did. A
    prediction that was not kept is None.
    """

    id: int | str
    measure: str
    before: float | None
    after: float | None
    predicted_before: Any
    predicted_after: Any


def changed_samples(
    before: StoredResult, after: StoredResult, predictions: PredictionChanges
) -> list[SampleChange]:
    """Return the samples that are predicted or scored differently, the most important first.

    Losses come before gains, larger ones first, by a task's first measure; then by its second (such
    as the IoU) where the first is unchanged; changes without effect come last. Raises DataError if
    a run kept no sample scores.
    """
    repredicted = set(predictions.changed)
    old, new = before.sample_scores.by_sample, after.sample_scores.by_sample
    predicted_before, predicted_after = before.predictions or {}, after.predictions or {}
    measures = [name for name in old if name in new]
    changes: list[tuple[tuple[float, ...], SampleChange]] = []
    for index, id in enumerate(before.sample_scores.ids):
        values = [(name, float(old[name][index]), float(new[name][index])) for name in measures]
        moved = [rank for rank, (_, was, now) in enumerate(values) if abs(now - was) > SCORE_DIGITS]
        if not moved and index not in repredicted:
            continue
        rank = moved[0] if moved else len(measures)
        measure, was, now = values[rank] if moved else ("", None, None)
        change = SampleChange(
            id, measure, was, now, predicted_before.get(id), predicted_after.get(id)
        )
        changes.append((_sorting_key(change, rank), change))
    return [change for _, change in sorted(changes, key=lambda entry: entry[0])]


def _sorting_key(change: SampleChange, rank: int) -> tuple[float, ...]:
    """Return a key by rank of the measure, then losses before gains, then the largest first."""
    if change.before is None or change.after is None:
        return (rank, 0, -_distance(change.predicted_before, change.predicted_after))
    difference = change.after - change.before
    return (rank, difference > 0, -abs(difference))


def _distance(before: Any, after: Any) -> float:
    """Return the largest difference of two predictions' numbers, infinite for other kinds."""
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        return max((_distance(before[name], after[name]) for name in before), default=0.0)
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return max(map(_distance, before, after), default=0.0)
    if (
        isinstance(before, float | int)
        and isinstance(after, float | int)
        and not isinstance(before, bool)
    ):
        return abs(after - before)
    return 0.0 if before == after else float("inf")


def format_prediction(prediction: Any, other: Any = None) -> str:
    """Return a prediction as text; of more than four numbers, the one farthest from `other`'s."""
    if prediction is None:
        return "(not kept)"
    if isinstance(prediction, Mapping):
        others = other if isinstance(other, Mapping) else {}
        return "; ".join(
            f"{name} {format_prediction(value, others.get(name))}"
            for name, value in prediction.items()
        )
    if isinstance(prediction, list) and len(prediction) > 4:
        if not isinstance(other, list) or len(other) != len(prediction):
            return f"{len(prediction)} numbers"
        distances = list(map(_distance, prediction, other))
        index = distances.index(max(distances))
        return f"[{index}] {format_prediction(prediction[index])}"
    if isinstance(prediction, list):
        return ", ".join(map(format_prediction, prediction))
    return f"{prediction:.6g}" if isinstance(prediction, float) else str(prediction)
