"""Weakly supervised grounding: the detected box that an attention map points at.

Source: X-VLM's `grounding_eval` (after ALBEF's). Golden `d_weak_grounding`. The map is enlarged to
the image as by `F.interpolate` (bicubic, a = -0.75, no antialiasing); the score of a box is the
sum inside it divided by the square root of its area.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.grounding import Box

SHARPNESS = -0.75  # the cubic kernel's parameter a


def box_scores(
    attention: NDArray[np.float32],
    detections: Sequence[Sequence[float]],
    *,
    width: int,
    height: int,
) -> list[float]:
    """Return the score of each detection (x, y, w, h in pixels) for a map [P, P] of the image.

    A map of ones gives each box the root of its area:

    >>> ones, boxes = np.ones((2, 2), dtype=np.float32), [(0, 0, 4, 4), (2, 1, 1, 1)]
    >>> [round(score, 6) for score in box_scores(ones, boxes, width=8, height=6)]
    [4.0, 1.0]
    """
    mask = enlarged(attention, width=width, height=height)
    scores = []
    for x, y, w, h in (detection[:4] for detection in detections):
        inside = mask[int(y) : int(y + h), int(x) : int(x + w)]
        scores.append(float(inside.sum(dtype=np.float64)) / math.sqrt(w * h))
    return scores


def chosen_boxes(
    scores: Sequence[Sequence[float]], detections: Sequence[Sequence[Sequence[float]]]
) -> Iterator[Box | None]:
    """Yield the best box of each sample: the first of equals, if its score is above 0.

    Otherwise the reference reuses the box of the previous sample (its variable still holds it),
    and so do we; None before the first box.

    >>> boxes = [(0, 0, 5, 5), (3, 3, 2, 2)]
    >>> chosen = chosen_boxes([[0.0], [0.2, 0.7], [0.0, -1.0]], [boxes[:1], boxes, boxes])
    >>> [box and tuple(box) for box in chosen]
    [None, (3, 3, 2, 2), (3, 3, 2, 2)]
    """
    box: Box | None = None
    for sample_scores, candidates in zip(scores, detections, strict=True):
        best = max(range(len(candidates)), key=lambda number: sample_scores[number], default=None)
        if best is not None and sample_scores[best] > 0:
            box = Box(*candidates[best][:4])
        yield box


def enlarged(attention: NDArray[np.float32], *, width: int, height: int) -> NDArray[Any]:
    """Resample a map [P, P] to [height, width] by cubic convolution; the border is repeated.

    >>> enlarged(np.array([[0, 1], [0, 1]], dtype=np.float32), width=2, height=1)
    array([[0., 1.]])
    """
    return np.einsum(
        "yi,xj,ij->yx",
        _kernel(attention.shape[0], height),
        _kernel(attention.shape[1], width),
        attention.astype(np.float64),
    )


def _kernel(old: int, new: int) -> NDArray[np.float64]:
    """Return the matrix [new, old] that resamples a line of pixels."""
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
