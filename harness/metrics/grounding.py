"""Accuracy of visual grounding: the share of expressions whose predicted box has an IoU of 1/2.

Source: X-VLM's `grounding_eval_bbox` with the IoU of the REFER API (lichengunc/refer,
`computeIoU`), operation by operation in float32. Goldens `refcoco_eval` and `c_bbox`. A plain IoU
in float64 differs in two cases: an IoU of exactly one half, and objects of at most one pixel in
width or height.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

THRESHOLD = 0.5  # an IoU of exactly one half counts
THRESHOLDS = (0.25, 0.5, 0.75, 0.9)  # of `distribution`

# Annotations are float64, predictions float32; mixed operations are float32, as in PyTorch.
Number = float | np.float32


class Box(NamedTuple):
    """A box in pixels of the original image: left, top, width, height."""

    x: Number
    y: Number
    width: Number
    height: Number


def in_pixels(box: Sequence[float], *, width: int, height: int) -> Box:
    """Scale a predicted (cx, cy, w, h) in 0..1 to an image's pixels, in float32 and unclipped.

    >>> [float(number) for number in in_pixels([0.5, 0.25, 0.5, 0.5], width=640, height=480)]
    [160.0, 0.0, 320.0, 240.0]
    """
    cx, cy, w, h = (np.float32(number) for number in box)
    w, h = w * width, h * height
    return Box(cx * width - w / 2, cy * height - h / 2, w, h)


def in_fractions(box: Sequence[float], *, width: int, height: int) -> list[float]:
    """Return a box (x, y, w, h) in pixels as predictions have it: (cx, cy, w, h) in 0..1.

    >>> in_fractions([160, 0, 320, 240], width=640, height=480)
    [0.5, 0.25, 0.5, 0.5]
    """
    x, y, w, h = map(float, box)
    return [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]


def iou(true: Box, predicted: Box) -> float:
    """Return the IoU, in [0, 1], of two boxes in pixels. Raises ValueError for NaN.

    REFER includes the last pixel (x + width - 1) in a box, which cancels out, except that an
    overlap of at most one pixel in a direction counts as none. The division is PyTorch's of a
    number by a tensor: multiplication by the reciprocal, which yields 0.49999997 for some exact
    halves.

    >>> iou(Box(0, 0, 10, 10), Box(0, 0, 10, 5))
    0.5
    >>> iou(Box(0, 0, 10, 10), Box(9, 9, 10, 10))
    0.0
    """
    intersection, union = _areas(true, predicted)
    return float(np.float32(1) / np.float32(union) * np.float32(intersection))


def iou_of_detection(true: Box, detection: Box) -> float:
    """Return the IoU of a true box and a detection, both from files: REFER's in float64.

    >>> true, half = Box(0, 0, 59, 41), Box(0, 0, 59, 20.5)
    >>> iou(true, half) < iou_of_detection(true, half) == 0.5
    True
    """
    intersection, union = _areas(true, detection)
    return float(intersection / union)


def _areas(true: Box, predicted: Box) -> tuple[Number, Number]:
    """Return the areas of intersection and union. Raises ValueError for NaN."""
    if any(map(math.isnan, (*true, *predicted))):
        raise ValueError("a box is not made of numbers")
    left, top = max(true.x, predicted.x), max(true.y, predicted.y)
    right = min(true.x + true.width - 1, predicted.x + predicted.width - 1)
    bottom = min(true.y + true.height - 1, predicted.y + predicted.height - 1)
    overlaps = left < right and top < bottom
    intersection = (right - left + 1) * (bottom - top + 1) if overlaps else 0
    return (
        intersection,
        true.width * true.height + predicted.width * predicted.height - intersection,
    )


def accuracy(ious: Sequence[float]) -> float:
    """Return the share of IoUs of at least one half, in percent. Raises ValueError if empty or NaN.

    >>> accuracy([0.5, 0.49999997, 0.0, 1.0])
    50.0
    """
    if not ious:
        raise ValueError("no expression to score")
    if any(math.isnan(iou) for iou in ious):
        raise ValueError("an IoU is not a number")
    return 100 * sum(iou >= THRESHOLD for iou in ious) / len(ious)


def distribution(ious: Sequence[float]) -> Mapping[str, float]:
    """Return the mean IoU, and the share of IoUs at or above each of THRESHOLDS, in percent.

    >>> distribution([1.0, 0.5])
    {'mean': 75.0, '>=0.25': 100.0, '>=0.5': 100.0, '>=0.75': 50.0, '>=0.9': 50.0}
    """
    shares = {
        f">={threshold}": 100 * sum(iou >= threshold for iou in ious) / len(ious)
        for threshold in THRESHOLDS
    }
    return {"mean": 100 * sum(ious) / len(ious), **shares}
