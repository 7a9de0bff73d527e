"""Accuracy of visual grounding: the share of expressions whose predicted box overlaps the true one with IoU of at least one half.

Source: the evaluation of X-VLM (`grounding_eval_bbox`) with the IoU of the REFER API (lichengunc/refer, `computeIoU`), operation by
operation in float32. Golden `refcoco_eval` and `c_bbox`. A plain IoU in float64 gives other numbers in two cases: an IoU of exactly one
half, and objects at most one pixel wide or high.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

THRESHOLD = 0.5  # an IoU of exactly one half counts
THRESHOLDS = (0.25, 0.5, 0.75, 0.9)  # of the distribution


Number = (
    float | np.float32
)  # annotations are float64, predictions float32: an operation on both is one in float32, as in PyTorch


class Box(NamedTuple):
    """A box in pixels of the original image: left, top, width, height."""

    x: Number
    y: Number
    width: Number
    height: Number


def in_pixels(box: Sequence[float], *, width: int, height: int) -> Box:
    """Scale a predicted (cx, cy, w, h) in 0..1 of the whole image to pixels, in float32 and without clipping to the image."""
    cx, cy, w, h = (np.float32(number) for number in box)
    w, h = w * width, h * height
    return Box(cx * width - w / 2, cy * height - h / 2, w, h)


def iou(true: Box, predicted: Box) -> float:
    """Return the IoU, in [0, 1], of two boxes in pixels.

    REFER counts edges inclusively (the last pixel is x + width - 1), which cancels out, except that an overlap of one pixel or less in a
    direction is none. Divides as PyTorch divides a number by a tensor, by the reciprocal: 0.49999997 instead of one half for some unions.
    Raises ValueError for a box that holds no numbers.
    """
    if any(math.isnan(number) for number in (*true, *predicted)):
        raise ValueError("a box is not made of numbers")
    left, top = max(true.x, predicted.x), max(true.y, predicted.y)
    right = min(true.x + true.width - 1, predicted.x + predicted.width - 1)
    bottom = min(true.y + true.height - 1, predicted.y + predicted.height - 1)
    overlaps = left < right and top < bottom
    intersection = (right - left + 1) * (bottom - top + 1) if overlaps else 0
    union = np.float32(true.width * true.height + predicted.width * predicted.height - intersection)
    return float(np.float32(1) / union * np.float32(intersection))


def accuracy(overlaps: Sequence[float]) -> float:
    """Return the share of IoUs that reach one half, in percent. Raises ValueError for none at all: missing is not zero."""
    if not overlaps:
        raise ValueError("no expression to score")
    if any(math.isnan(overlap) for overlap in overlaps):
        raise ValueError("an IoU is not a number")
    return 100 * sum(overlap >= THRESHOLD for overlap in overlaps) / len(overlaps)


def distribution(overlaps: Sequence[float]) -> Mapping[str, float]:
    """Return the mean IoU and the share of IoUs that reach each of some thresholds, in percent."""
    shares = {
        f">={threshold}": 100 * sum(overlap >= threshold for overlap in overlaps) / len(overlaps)
        for threshold in THRESHOLDS
    }
    return {"mean": 100 * sum(overlaps) / len(overlaps), **shares}
