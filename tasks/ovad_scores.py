"""Scores predicted for OVAD's attributes: checked, and doubted where clipping costs their order."""

import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.files.parsing import is_number
from harness.metrics.attributes import average_precisions
from harness.task import Prediction, SampleId

CLIPPED_BY = 5.0  # points of mAP that clipped scores may lose without a word


def scores_of_prediction(prediction: Prediction, box: SampleId, count: int) -> Sequence[float]:
    """Return the predicted scores of a box. Raises DataError for anything but `count` numbers."""
    if (
        isinstance(prediction, list)
        and len(prediction) == count
        and all(map(is_number, prediction))
    ):
        return prediction
    raise DataError(
        f"the prediction for box {box} should be {count} numbers, but is {reprlib.repr(prediction)}"
    )


def caveats_of(
    scores: NDArray[np.floating[Any]], labels: NDArray[np.int8], scored: float | None
) -> list[str]:
    """Return a caveat if scores that are clipped to 0..1, as logits are, would rank far better.

    None is the `scored` mAP of boxes without any positive label, as a few may be.
    """
    outside = int(((scores < 0) | (scores > 1)).sum())
    if not outside or scored is None:
        return []
    order = [np.unique(column, return_inverse=True)[1] for column in scores.T]
    ranked = 100 * float(np.nanmean(average_precisions(np.stack(order, 1) / len(scores), labels)))
    if ranked < scored + CLIPPED_BY:
        return []
    return [
        f"{outside:,} of {scores.size:,} scores lie outside of 0..1 and count as 0 or 1, as in "
        f"OVAD's evaluator; by their order, map would be {ranked:.2f} instead of {scored:.2f}"
    ]
