"""Grounding and NLVR2 as in the paper's `model_bbox.py` and `model_nlvr.py`.

A row is a text with its image or images. An image with several texts is in the batch, and encoded,
once per text. Texts are padded to the longest of the batch.
"""

import torch
from torch import Tensor

from harness.bench.literal.bert import encode_multi_modal
from harness.bench.literal.swin import encode
from harness.models.xvlm.heads import GroundingNetwork, PairNetwork


def ground(network: GroundingNetwork, images: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Return the boxes [N, 4] (cx, cy, w, h in 0..1) of texts `ids` [N, T].

    Each text refers to its image of `images` [N, 3, R, R].
    """
    tokens = encode(network.vision_encoder, network.architecture.vision, images)
    states = encode_multi_modal(network.text_encoder, ids, mask, [tokens])
    return network.bbox_head(states[:, 0]).sigmoid()


def judge(network: PairNetwork, left: Tensor, right: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Return the logits [N, 2] (false, true) of statements `ids` [N, T] about pairs of images.

    `left` and `right` are [N, 3, R, R].
    """
    tokens = encode(network.vision_encoder, network.architecture.vision, torch.cat([left, right]))
    states = encode_multi_modal(network.text_encoder, ids, mask, tokens.split(len(left)))
    return network.cls_head(states[:, 0])
