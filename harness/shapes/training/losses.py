"""Losses of the grounding model: the paper's box losses, and two auxiliary losses.

Without the auxiliary losses, networks this small would need days to train.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.shapes.training.examples import PROPERTIES

CLASSES = tuple(len(values) for values in PROPERTIES)  # per property of an object


class AuxiliaryLosses(nn.Module):
    """Two classifiers that exist only during training.

    *Naming* classifies the properties of the target object from the fused [CLS] state; expressions
    seldom name them all, so the image has to be used. *Spotting* is object detection: for each cell
    of the third stage's grid, whether it contains the centre of an object, its box and its
    properties.
    """

    def __init__(self, *, fused_width: int, grid_width: int) -> None:
        super().__init__()
        self.naming = nn.Linear(fused_width, sum(CLASSES))
        self.spotting = nn.Linear(grid_width, 1 + 4 + sum(CLASSES))

    def naming_loss(self, fused: Tensor, properties: Tensor) -> Tensor:
        """Return the loss of `properties` `[.., 4]` from fused [CLS] states `[.., d]`."""
        return _property_loss(self.naming(fused), properties)

    def spotting_loss(
        self, grid: Tensor, boxes: Tensor, properties: Tensor, objects: Tensor
    ) -> Tensor:
        """Return the loss of detecting objects in the tokens of a grid, `[B, side * side, C]`.

        `boxes` and `properties` are `[B, 4, 4]`, of which the first `objects` `[B]` are valid.
        """
        side = int(grid.shape[1] ** 0.5)
        predicted = self.spotting(grid).float()
        scene = torch.arange(len(boxes), device=grid.device)[:, None].expand(boxes.shape[:2])
        valid = torch.arange(boxes.shape[1], device=grid.device) < objects[:, None]
        column, row = ((boxes[..., axis] * side).long().clamp(0, side - 1) for axis in (0, 1))
        scene, cell = scene[valid], (row * side + column)[valid]
        boxes, properties = boxes[valid], properties[valid]
        occupied = torch.zeros(predicted.shape[:2], device=grid.device)
        occupied[scene, cell] = 1
        objectness = F.binary_cross_entropy_with_logits(predicted[..., 0], occupied)
        detected = predicted[scene, cell]
        return (
            4 * objectness
            + 5 * F.l1_loss(detected[:, 1:5].sigmoid(), boxes)
            + _property_loss(detected[:, 5:], properties)
        )


def box_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the paper's box loss for boxes (cx, cy, w, h), `[.., 4]`, in 0..1.

    The sum of generalised IoU and L1 losses (X-VLM, section 3.3), L1 weighted by 5 as in DETR.
    """
    return (1 - generalised_iou(predicted, true)).mean() + 5 * F.l1_loss(predicted, true)


def iou(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the IoU of boxes (cx, cy, w, h), `[.., 4]` to `[..]`."""
    areas = _areas(predicted, true)
    return areas.intersection / areas.union


def generalised_iou(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the generalised IoU of boxes (cx, cy, w, h), `[.., 4]` to `[..]`.

    IoU minus the fraction of the enclosing box that neither box covers (Rezatofighi et al. 2019).
    """
    areas = _areas(predicted, true)
    return areas.intersection / areas.union - (areas.hull - areas.union) / areas.hull


class _Areas(NamedTuple):
    """Areas of two boxes' intersection, their union, and their smallest enclosing box."""

    intersection: Tensor
    union: Tensor
    hull: Tensor


def _areas(predicted: Tensor, true: Tensor) -> _Areas:
    low, high = _corners(predicted)
    true_low, true_high = _corners(true)
    intersection = torch.minimum(high, true_high) - torch.maximum(low, true_low)
    hull = (torch.maximum(high, true_high) - torch.minimum(low, true_low)).prod(-1)
    common = intersection.clamp(min=0).prod(-1)
    union = predicted[..., 2:].prod(-1) + true[..., 2:].prod(-1) - common
    return _Areas(common, union, hull)


def _corners(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the top left and bottom right corners of boxes (cx, cy, w, h)."""
    return boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2


def _property_loss(logits: Tensor, properties: Tensor) -> Tensor:
    """Return the mean cross-entropy over the four properties of an object."""
    by_property = logits.float().split(CLASSES, dim=-1)
    losses = [
        F.cross_entropy(scores.flatten(0, -2), properties[..., number].flatten())
        for number, scores in enumerate(by_property)
    ]
    return torch.stack(losses).mean()
