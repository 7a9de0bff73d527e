"""OVAD with detected boxes: attributes of the boxes that a detector found.

Source: the benchmark's evaluator for detectors, with detectron2's IoU. Golden `ovad_det`. Boxes are
matched by their overlap alone; categories and the detector's confidence do not count. A true box
that no detection meets has score 0 for every attribute. Detections that meet no true box cost
nothing, and an image without any detection is left out with its true boxes.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics.measured import Metric, attribute_map

THRESHOLD = 0.5  # an IoU of exactly one half counts


class BoxAttributes(NamedTuple):
    """The boxes of an image, and a row of attributes for each.

    boxes       [boxes, 4]: (x, y, width, height) in pixels
    attributes  [boxes, attributes]: scores in 0..1 of detections; labels of true boxes (1 for yes,
                0 for no, -1 for unknown)
    """

    boxes: ArrayLike
    attributes: ArrayLike


def detected_attribute_map(
    detections: Mapping[Hashable, BoxAttributes],
    truths: Mapping[Hashable, BoxAttributes],
    *,
    frequencies: Sequence[str] | None = None,
) -> Mapping[str, Metric]:
    """Return OVAD's mean average precision over attributes of detected boxes.

    `detections` and `truths` are by image; an image that is missing has no box. `frequencies` of
    each attribute are `head`, `medium` or `tail`, for `map_head` and so on. Raises ValueError where
    no image has both, for detections of an image that `truths` lacks, for negative scores, and for
    other shapes.

    >>> truths = {1: BoxAttributes([(0, 0, 8, 8), (20, 0, 8, 8)], [[0], [1]])}
    >>> found = {1: BoxAttributes([(1, 0, 8, 8), (20, 1, 8, 8)], [[0.2], [0.7]])}
    >>> detected_attribute_map(found, truths)["map"].value
    100.0
    """
    if unknown := [image for image in detections if image not in truths]:
        raise ValueError(f"truths lack the image {unknown[0]!r}, which has detections")
    scores, labels, images = [], [], []
    for image, true in truths.items():
        true_boxes, true_labels = _arrays(true, f"truths of image {image!r}")
        boxes, box_scores = _arrays(detections.get(image), f"detections of image {image!r}")
        if not len(true_boxes) or not len(boxes):
            continue
        if box_scores.shape[1] != true_labels.shape[1]:
            raise ValueError(
                f"image {image!r} has scores of {box_scores.shape[1]} attributes and labels of "
                f"{true_labels.shape[1]}"
            )
        if box_scores.min() < 0:
            raise ValueError(
                f"image {image!r} has the negative score {box_scores.min():g}, which would rank "
                "below boxes without a detection; scores should be 0 or more"
            )
        rows = np.zeros(true_labels.shape)
        for true_box, box in match_boxes(corners(true_boxes), corners(boxes)):
            rows[true_box] = box_scores[box]
        scores.append(rows)
        labels.append(true_labels)
        images += [image] * len(rows)
    if not scores:
        raise ValueError("no image has both a true box and a detection")
    return attribute_map(
        np.concatenate(scores), np.concatenate(labels), images=images, frequencies=frequencies
    )


def match_boxes(
    true: NDArray[np.float32], detected: NDArray[np.float32]
) -> Sequence[tuple[int, int]]:
    """Return pairs (true box, detection), each used once, in the order of decreasing IoU.

    Boxes [N, 4] are corners (left, top, right, bottom). The pair with the largest IoU comes first,
    then the largest among boxes that are left, down to THRESHOLD.

    >>> boxes = np.array([[0, 0, 8, 8], [4, 0, 12, 8]], dtype=np.float32)
    >>> match_boxes(boxes, boxes[1:])
    [(1, 0)]
    """
    overlaps = overlap(true, detected)
    pairs: list[tuple[int, int]] = []
    while overlaps.size:
        true_box, box = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        if not overlaps[true_box, box] >= THRESHOLD:
            break
        pairs.append((int(true_box), int(box)))
        overlaps[true_box, :] = overlaps[:, box] = -1
    return pairs


def overlap(true: NDArray[np.float32], detected: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the IoU, in 0..1 and in float32, of each pair of boxes [N, 4] and [M, 4]: [N, M].

    Boxes are corners (left, top, right, bottom).

    >>> overlap(np.float32([[0, 0, 10, 10]]), np.float32([[0, 0, 10, 5], [20, 0, 30, 9]])).tolist()
    [[0.5, 0.0]]
    """
    low = np.maximum(true[:, None, :2], detected[None, :, :2])
    high = np.minimum(true[:, None, 2:], detected[None, :, 2:])
    common = (high - low).clip(0).prod(-1)
    true_areas, detected_areas = (
        (boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (true, detected)
    )
    union = true_areas[:, None] + detected_areas - common
    return np.divide(common, union, out=np.zeros_like(common), where=common > 0)


def corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return boxes (x, y, width, height) [N, 4] as (left, top, right, bottom), in float32.

    >>> corners(np.float32([[4, 0, 8, 8]])).tolist()
    [[4.0, 0.0, 12.0, 8.0]]
    """
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _arrays(
    given: BoxAttributes | None, name: str
) -> tuple[NDArray[np.float32], NDArray[np.floating[Any]]]:
    """Return boxes [N, 4] and attributes [N, attributes]; none without boxes."""
    if given is None:
        return np.zeros((0, 4), np.float32), np.zeros((0, 0))
    boxes, attributes = np.asarray(given[0], np.float32), np.asarray(given[1], np.float64)
    if not boxes.size and not attributes.size:
        return np.zeros((0, 4), np.float32), np.zeros((0, 0))
    if boxes.shape[1:] != (4,) or attributes.ndim != 2 or len(attributes) != len(boxes):
        raise ValueError(
            f"{name} should be boxes [N, 4] and attributes [N, A], not {boxes.shape} and "
            f"{attributes.shape}"
        )
    if not np.isfinite(boxes).all() or (boxes[:, 2:] < 0).any():
        raise ValueError(f"{name} hold a box that is not finite or has a negative size")
    return boxes, attributes
