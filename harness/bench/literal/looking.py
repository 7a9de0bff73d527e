"""Grounding and NLVR2 as in the paper's code (`model_bbox.py`, `model_nlvr.py`): a row is a text with its image or images.

What several texts are about is in the batch once for each of them, and encoded as often. Texts are padded to the longest of the batch.
"""

import torch
from torch import Tensor

from harness.bench.literal.bert import multi_modal
from harness.bench.literal.swin import encode
from harness.models.xvlm.heads import GroundingNetwork, PairNetwork


def ground(network: GroundingNetwork, images: Tensor, ids: Tensor, present: Tensor) -> Tensor:
    """Return the boxes [N, 4] (cx, cy, w, h) that texts `ids` [N, T] point at, each in its image of `images` [N, 3, R, R]."""
    seen = encode(network.vision_encoder, network.architecture.vision, images)
    return network.bbox_head(
        multi_modal(network.text_encoder, ids, present, [seen])[:, 0]
    ).sigmoid()


def judge(
    network: PairNetwork, left: Tensor, right: Tensor, ids: Tensor, present: Tensor
) -> Tensor:
    """Return the logits [N, 2] (false, true) of statements `ids` [N, T], each of its own two images [N, 3, R, R]."""
    seen = encode(network.vision_encoder, network.architecture.vision, torch.cat([left, right]))
    return network.cls_head(
        multi_modal(network.text_encoder, ids, present, seen.split(len(left)))[:, 0]
    )
