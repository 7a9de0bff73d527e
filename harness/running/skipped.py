"""Samples that were skipped because one of their images cannot be read: stored, and scored wrong.

`run --on-error skip` goes on without them. The prediction file holds the reason in place of a
prediction, `{"skipped": reason}`, and the record lists them all.
"""

from collections.abc import Mapping, Sequence

from harness.task import Prediction, Sample, SampleId, Task

KEY = "skipped"


def skipped(reason: str) -> Prediction:
    """Return what is stored instead of a prediction."""
    return {KEY: reason}


def reasons(predictions: Mapping[SampleId, Prediction]) -> dict[str, str]:
    """Return the reason of each skipped sample, by its id as text (a key in JSON is a string)."""
    return {
        str(id): prediction[KEY] for id, prediction in predictions.items() if is_skipped(prediction)
    }


def with_fallbacks(
    task: Task, samples: Sequence[Sample], predictions: Mapping[SampleId, Prediction]
) -> Mapping[SampleId, Prediction]:
    """Return the predictions, with the task's fallback prediction for each skipped sample."""
    if not any(map(is_skipped, predictions.values())):
        return predictions
    by_id = {sample.id: sample for sample in samples}
    return {
        id: task.fallback_prediction(by_id[id]) if is_skipped(prediction) else prediction
        for id, prediction in predictions.items()
    }


def is_skipped(prediction: Prediction) -> bool:
    """Return whether the reason for skipping a sample stands in place of its prediction."""
    return (
        isinstance(prediction, dict)
        and prediction.keys() == {KEY}
        and isinstance(prediction[KEY], str)
    )
