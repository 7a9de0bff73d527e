"""What the embedded model is trained for: the paper's box losses, and two lessons without which its small networks would need days."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.shapes.training.examples import LOOKS

CHOICES = tuple(len(names) for names in LOOKS)


class Lessons(nn.Module):
    """Heads that exist only in training and are thrown away after it.

    *Naming*: from the fused first token, name the looks of what the expression refers to; the words seldom say them all, so they have to be
    seen. *Spotting*: each cell of the third stage's grid says whether an object's middle lies in it, its box and its looks.
    """

    def __init__(self, *, fused_width: int, grid_width: int) -> None:
        super().__init__()
        self.naming = nn.Linear(fused_width, sum(CHOICES))
        self.spotting = nn.Linear(grid_width, 1 + 4 + sum(CHOICES))

    def name(self, fused: Tensor, looks: Tensor) -> Tensor:
        """Return the loss of naming `looks` [.., 4] from fused first tokens [.., d]."""
        return _naming_loss(self.naming(fused), looks)

    def spot(self, grid: Tensor, boxes: Tensor, looks: Tensor, objects: Tensor) -> Tensor:
        """Return the loss of spotting objects, `boxes` and `looks` [B, 4, 4], in the tokens of a grid [B, side * side, C]."""
        side = int(grid.shape[1] ** 0.5)
        told = self.spotting(grid).float()
        scene = torch.arange(len(boxes), device=grid.device)[:, None].expand(boxes.shape[:2])
        real = torch.arange(boxes.shape[1], device=grid.device) < objects[:, None]
        column, row = ((boxes[..., axis] * side).long().clamp(0, side - 1) for axis in (0, 1))
        scene, cell, boxes, looks = (
            scene[real],
            (row * side + column)[real],
            boxes[real],
            looks[real],
        )
        there = torch.zeros(told.shape[:2], device=grid.device)
        there[scene, cell] = 1
        objectness = F.binary_cross_entropy_with_logits(told[..., 0], there)
        at = told[scene, cell]
        return (
            4 * objectness
            + 5 * F.l1_loss(at[:, 1:5].sigmoid(), boxes)
            + _naming_loss(at[:, 5:], looks)
        )


def box_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the paper's loss of boxes (cx, cy, w, h) [.., 4]: generalised IoU and L1 (X-VLM, section 3.3), L1 weighted by 5 as in DETR."""
    return (1 - generalised_iou(predicted, true)).mean() + 5 * F.l1_loss(predicted, true)


def overlap(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the IoU of boxes (cx, cy, w, h), [.., 4] to [..]."""
    areas = _areas(predicted, true)
    return areas.intersection / areas.union


def generalised_iou(predicted: Tensor, true: Tensor) -> Tensor:
    """Return IoU minus the share of the enclosing box that neither box covers (Rezatofighi et al. 2019), [.., 4] to [..]."""
    areas = _areas(predicted, true)
    return areas.intersection / areas.union - (areas.hull - areas.union) / areas.hull


class _Areas(NamedTuple):
    """Of two boxes: the area of what both cover, of what either covers, and of the smallest box around them."""

    intersection: Tensor
    union: Tensor
    hull: Tensor


def _areas(predicted: Tensor, true: Tensor) -> _Areas:
    low, high = (
        predicted[..., :2] - predicted[..., 2:] / 2,
        predicted[..., :2] + predicted[..., 2:] / 2,
    )
    true_low, true_high = true[..., :2] - true[..., 2:] / 2, true[..., :2] + true[..., 2:] / 2
    intersection = (
        (torch.minimum(high, true_high) - torch.maximum(low, true_low)).clamp(min=0).prod(-1)
    )
    union = predicted[..., 2:].prod(-1) + true[..., 2:].prod(-1) - intersection
    hull = (torch.maximum(high, true_high) - torch.minimum(low, true_low)).prod(-1)
    return _Areas(intersection, union, hull)


def _naming_loss(logits: Tensor, looks: Tensor) -> Tensor:
    parts = logits.float().split(CHOICES, dim=-1)
    losses = [
        F.cross_entropy(part.flatten(0, -2), looks[..., number].flatten())
        for number, part in enumerate(parts)
    ]
    return torch.stack(losses).mean()
