"""Average precision of an attribute in many resamples, counted three at a time.

A resample counts each box as often as its image was drawn. Precision at a threshold takes the sum
of these counts over all boxes above it: whole numbers, so that the sums of three resamples fit into
the bits of one.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics.attributes import UNKNOWN
from harness.statistics.sums import Floats

LANES, LANE_BITS = 3, 21  # resamples in a number of 64 bits, and the bits of each one's sum
SHIFTS = LANE_BITS * np.arange(LANES)


def packed_weights(weights: Floats, boxes: NDArray[np.integer[Any]]) -> NDArray[np.int64] | None:
    """Return whole `weights` [R, C] as numbers [R / 3, C] of three bit fields.

    `boxes` [C] are those of each image. None where the weights are not whole numbers, or the sum
    over all boxes exceeds a field.

    Two images of one box each, in four resamples; the second number holds the fourth:

    >>> weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    >>> packed = packed_weights(weights, np.array([1, 1]))
    >>> [(field >> shift & 3).tolist() for field in packed for shift in SHIFTS]
    [[1, 1], [2, 0], [0, 2], [1, 1], [0, 0], [0, 0]]
    """
    whole = weights.astype(np.int64)
    if (whole != weights).any() or (whole < 0).any() or (whole @ boxes >= 1 << LANE_BITS).any():
        return None
    padded = np.pad(whole, ((0, -len(whole) % LANES), (0, 0)))
    fields = padded.reshape(-1, LANES, len(boxes)) << SHIFTS[:, None]
    return np.asarray(fields.sum(axis=1))


class Ranking(NamedTuple):
    """The boxes of an attribute by falling score.

    Only thresholds that add a positive box count: the others gain no recall.

    images     [n] of each box, down to the last positive one
    positive   [P] the image of each positive box
    first      [T] the index of each threshold's first positive box
    ends       [T] how many boxes are listed at each threshold
    """

    images: NDArray[np.int32]
    positive: NDArray[np.int32]
    first: NDArray[np.integer[Any]]
    ends: NDArray[np.integer[Any]]


def ranking_of(
    scores: NDArray[np.floating[Any]], labels: NDArray[np.int8], image: NDArray[np.int32]
) -> Ranking:
    """Return the ranking of boxes by the scores of one attribute.

    The boxes of images 0, 1 and 2; the positive one, of image 2, comes second:

    >>> labels = np.array([0, 0, 1], dtype=np.int8)
    >>> ranking = ranking_of(np.array([0.9, 0.1, 0.5]), labels, np.array([0, 1, 2], dtype=np.int32))
    >>> ranking.images.tolist(), ranking.positive.tolist(), ranking.ends.tolist()
    ([0, 2], [2], [2])
    """
    known = np.flatnonzero(labels != UNKNOWN)
    order = known[np.argsort(-scores[known], kind="stable")]
    ranked = scores[order]
    positive = np.flatnonzero(labels[order] == 1)
    # Equal scores are one threshold.
    ends = np.searchsorted(-ranked, -ranked[positive], side="right")
    ends, first = np.unique(ends, return_index=True)
    last = ends[-1] if len(ends) else 0
    return Ranking(image[order[:last]], image[order[positive]], first, ends)


def precision_of(
    ranking: Ranking, weights: NDArray[np.float32], packed: NDArray[np.int64] | None
) -> Floats:
    """Return an attribute's average precision [R] for `weights` [C, R] of the images.

    `packed` are the same weights, None where they cannot be packed.

    The only positive box comes second; where the first image is not drawn, it comes first:

    >>> labels = np.array([0, 1], dtype=np.int8)
    >>> ranking = ranking_of(np.array([0.9, 0.5]), labels, np.array([0, 1], dtype=np.int32))
    >>> precision_of(ranking, np.array([[1, 0], [1, 2]], dtype=np.float32), None).tolist()
    [0.5, 1.0]
    """
    images, positive, first, ends = ranking
    if not len(positive):
        return np.full(weights.shape[1], np.nan)
    gained = weights[positive]
    if len(first) < len(positive):
        gained = np.add.reduceat(gained, first, axis=0)
    gained = gained.astype(np.float64)
    if packed is None:
        starts = np.concatenate([[0], ends[:-1]])
        listed = np.add.reduceat(weights[images], starts, axis=0).cumsum(axis=0, dtype=np.float64)
    else:
        sums = packed.take(images, axis=1).cumsum(axis=1)[:, ends - 1]
        fields = sums.T[:, :, None] >> SHIFTS & (1 << LANE_BITS) - 1
        listed = fields.reshape(len(ends), -1)[:, : weights.shape[1]].astype(np.float64)
    hits = gained.cumsum(axis=0)
    precision = np.divide(hits, listed, out=np.zeros_like(hits), where=listed > 0)
    return np.asarray((gained * precision).sum(axis=0) / hits[-1])
