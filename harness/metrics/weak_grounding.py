"""Weakly supervised grounding: which of an image's detected boxes does a map of attention point at?

Source: X-VLM's `grounding_eval` (after ALBEF's). Golden `d_weak_grounding`. The map is enlarged to the image as `F.interpolate` does it
(bicubic, a = -0.75, no antialiasing); a box scores the sum inside divided by the root of its area.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.grounding import Box

SHARPNESS = -0.75  # of the cubic kernel


def box_scores(
    attention: NDArray[np.float32],
    detections: Sequence[Sequence[float]],
    *,
    width: int,
    height: int,
) -> list[float]:
    """Return the score of each detection (x, y, w, h in pixels); `attention` [P, P] is enlarged to the image."""
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

    Where none is, the reference takes the box of the sample before (its variable still holds it), and so do we; None before there is one.
    """
    before: Box | None = None
    for sample_scores, boxes in zip(scores, detections, strict=True):
        best = max(range(len(boxes)), key=lambda number: sample_scores[number], default=None)
        if best is not None and sample_scores[best] > 0:
            before = Box(*boxes[best][:4])
        yield before


def enlarged(attention: NDArray[np.float32], *, width: int, height: int) -> NDArray[Any]:
    """Return a map [P, P] at another size [height, width], by cubic convolution; pixels beyond the border repeat it."""
    return np.einsum(
        "yi,xj,ij->yx",
        _kernel(attention.shape[0], height),
        _kernel(attention.shape[1], width),
        attention.astype(np.float64),
    )


def _kernel(old: int, new: int) -> NDArray[np.float64]:
    """Return the matrix [new, old] that resamples a line."""
    source = (np.arange(new) + 0.5) * old / new - 0.5
    first, part = np.floor(source).astype(int), source - np.floor(source)
    matrix = np.zeros((new, old))
    for tap in range(-1, 3):
        np.add.at(
            matrix, (np.arange(new), np.clip(first + tap, 0, old - 1)), _cubic(np.abs(part - tap))
        )
    return matrix


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    near = ((SHARPNESS + 2) * distance - (SHARPNESS + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance - 4
    return np.where(distance <= 1, near, np.where(distance < 2, SHARPNESS * far, 0.0))
