"""How much each image adds to the change of OVAD's mean average precision between two runs.

Each run's boxes are ranked by themselves, so a run whose scores are on another scale has not
changed. The ranks of both runs are then merged into one ranking; the derivative of its average
precision by the weight of a box of the run after, less that of the run before, is to first order
what a box adds to the change (as for the area under a curve in DeLong et al. 1988).
"""

import numpy as np
from numpy.typing import NDArray

from harness.metrics.attributes import UNKNOWN
from harness.statistics.sums import Floats

Scores = NDArray[np.float32]


def image_changes(
    scores: tuple[Scores, Scores],
    labels: NDArray[np.int8],
    image: NDArray[np.int32],
    *,
    images: int,
) -> Floats:
    """Return each image's part in the change of mean average precision, in points, [images].

    `scores` are those before and after, [boxes, attributes] each; `labels` [boxes, attributes]; box
    i belongs to image `image[i]`.

    The only box with the attribute falls to the second rank, in the second image:

    >>> before, after = (np.array([[a], [0.5]], dtype=np.float32) for a in (0.4, 0.6))
    >>> labels, image = np.array([[0], [1]], dtype=np.int8), np.array([0, 1], dtype=np.int32)
    >>> image_changes((before, after), labels, image, images=2).round(2)
    array([-25., -25.])
    """
    total, attributes = np.zeros(images), 0
    for column in range(labels.shape[1]):
        known = np.flatnonzero(labels[:, column] != UNKNOWN)
        positive = labels[known, column] == 1
        if not positive.any():
            continue
        attributes += 1
        before, after = (_ranks(side[known, column]) for side in scores)
        by_box = _derivatives(np.concatenate([before, after]), np.concatenate([positive, positive]))
        difference = by_box[len(known) :] - by_box[: len(known)]
        total += np.bincount(image[known], weights=difference, minlength=images)
    return 200 * total / max(attributes, 1)  # 2: the weights of each run are halved in the ranking


def _ranks(scores: Scores) -> NDArray[np.int64]:
    """Return twice the rank of each score, the highest last; equal scores have equal ranks."""
    ordered = np.sort(scores)
    return np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")


def _derivatives(ranks: NDArray[np.int64], positive: NDArray[np.bool_]) -> Floats:
    """Return the derivative of average precision by the weight of each box, all weights being 1."""
    listed = np.bincount(ranks)[::-1].cumsum()[::-1].astype(np.float64)  # boxes of a rank or above
    gained = np.bincount(ranks[positive], minlength=len(listed)).astype(np.float64)
    hits = gained[::-1].cumsum()[::-1]
    precision = np.divide(hits, listed, out=np.zeros_like(hits), where=listed > 0)
    by_hit = np.divide(gained, listed, out=np.zeros_like(hits), where=listed > 0).cumsum()
    by_listing = np.divide(gained * hits, listed**2, out=np.zeros_like(hits), where=listed > 0)
    average = (gained * precision).sum() / hits[0]
    gain = np.where(positive, precision[ranks] + by_hit[ranks] - average, 0.0)
    return np.asarray((gain - by_listing.cumsum()[ranks]) / hits[0])
