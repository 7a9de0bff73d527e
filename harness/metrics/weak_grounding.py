"""Weakly supervised grounding: the detected box in which a localization map is strongest.

Source: X-VLM's `grounding_eval` (after ALBEF's). Golden `d_weak_grounding`. The map is enlarged to
the image as by `F.interpolate` (bicubic, a = -0.75, no antialiasing); the score of a box is the
sum inside it divided by the square root of its area.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.metrics.grounding import Box

SHARPNESS = -0.75  # the cubic kernel's parameter a


def box_scores(
    attention: NDArray[np.float32], detections: Sequence[Box], *, width: int, height: int
) -> list[float]:
    """Return the score of each detection, in pixels of the image, for a map [P, P] of the image.

    The corners of a box are cut to whole pixels, and its parts beyond the right and the lower edge
    hold nothing. A corner of -1 or less counts from the opposite edge, as the reference slices by
    it: a box across the left or the upper edge mostly holds nothing. A map of ones gives each other
    box the root of its area:

    >>> ones, boxes = np.ones((2, 2), dtype=np.float32), [Box(0, 0, 4, 4), Box(2, 1, 1, 1)]
    >>> [round(score, 6) for score in box_scores(ones, boxes, width=8, height=6)]
    [4.0, 1.0]
    >>> box_scores(ones, [Box(-2, 0, 4, 4)], width=8, height=6)
    [0.0]
    """
    # Resampling is linear in rows and in columns: sum its weights, not the enlarged map.
    rows, columns = _resampling(attention.shape[0], height), _resampling(attention.shape[1], width)
    scores = []
    for x, y, w, h in detections:
        down, across = rows[int(y) : int(y + h)].sum(0), columns[int(x) : int(x + w)].sum(0)
        scores.append(float(down @ attention.astype(np.float64) @ across) / math.sqrt(w * h))
    return scores


def best_detection(scores: Sequence[float], detections: Sequence[Box]) -> Box | None:
    """Return the box with the highest score above 0, the first of equals; None if no score is.

    Raises ValueError for a score that is not finite.

    >>> best_detection([0.2, 0.7, 0.7], [Box(0, 0, 5, 5), Box(3, 3, 2, 2), Box(1, 1, 2, 2)])
    Box(x=3, y=3, width=2, height=2)
    """
    if not all(map(math.isfinite, scores)):
        raise ValueError("a score is not finite")
    best = max(range(len(detections)), key=lambda number: scores[number], default=None)
    return None if best is None or scores[best] <= 0 else detections[best]


def carried_forward(boxes: Iterable[Box | None]) -> Iterator[Box | None]:
    """Yield the boxes of samples in order; a sample without one has that of the sample before.

    In the reference, the variable still holds it. None before the first box.

    >>> [box and tuple(box) for box in carried_forward([None, Box(3, 3, 2, 2), None])]
    [None, (3, 3, 2, 2), (3, 3, 2, 2)]
    """
    last: Box | None = None
    for box in boxes:
        last = box or last
        yield last


def _resampling(old: int, new: int) -> NDArray[np.float64]:
    """Return the matrix [new, old] of cubic convolution of a line of pixels, the ends repeated."""
    source = (np.arange(new) + 0.5) * old / new - 0.5
    first, part = np.floor(source).astype(int), source - np.floor(source)
    matrix = np.zeros((new, old))
    for tap in range(-1, 3):
        pixel = np.clip(first + tap, 0, old - 1)
        np.add.at(matrix, (np.arange(new), pixel), _cubic(np.abs(part - tap)))
    return matrix


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    near = ((SHARPNESS + 2) * distance - (SHARPNESS + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance - 4
    return np.where(distance <= 1, near, np.where(distance < 2, SHARPNESS * far, 0.0))
