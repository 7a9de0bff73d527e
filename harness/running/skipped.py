"""Samples that could not be predicted, because an image of theirs cannot be read: kept as such, and scored as wrong.

`run --on-error skip` goes on without them. What stands in the prediction file for such a sample is why it was skipped; the record lists
all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.task import Prediction, Sample, SampleId, Task

KEY = "skipped"


def skipped(reason: str) -> Prediction:
    """Return what is kept instead of a prediction."""
    return {KEY: reason}


def reasons(predictions: Mapping[SampleId, Prediction]) -> dict[str, str]:
    """Return why samples were skipped, by their ids as text (JSON knows no others)."""
    return {
        str(id): prediction[KEY]
        for id, prediction in predictions.items()
        if _is_skipped(prediction)
    }


def as_scored(
    task: Task, samples: Sequence[Sample], predictions: Mapping[SampleId, Prediction]
) -> Mapping[SampleId, Prediction]:
    """Return the predictions with wrong ones instead of those that were skipped."""
    if not reasons(predictions):
        return predictions
    return {
        s.id: task.fallback_prediction(s) if _is_skipped(predictions[s.id]) else predictions[s.id]
        for s in samples
    }


def _is_skipped(prediction: Any) -> bool:
    return (
        isinstance(prediction, dict)
        and prediction.keys() == {KEY}
        and isinstance(prediction[KEY], str)
    )
