"""Grad-CAM of the cosine of image and text: ALBEF's `gradcam_mode` itc (Grounding.py 119-137).

The attention of [CLS] to the patches in one block of the vision transformer, times the positive
part of its gradient. Golden `albef_grounding` pins it down. The reference divides the cosine by the
model's temperature, which scales all maps alike.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.engine.device import Device, float32_context
from harness.models.fusion.fused_texts import ImageOf
from harness.models.vit.encoder import Block, VisionTransformer
from harness.models.vit.networks import RetrievalNetwork


def cosine_gradcam_maps(
    network: RetrievalNetwork,
    images: Tensor,
    text_features: Tensor,
    *,
    image_of: ImageOf,
    block: int,
    device: Device,
) -> Tensor:
    """Return a map [n, P, P] of how much each patch contributes to the cosine of image and text.

    `text_features` [n, f] are unit vectors; text n is about image `image_of[n]` of the normalised
    images [M, 3, R, R]. The blocks from `block` on must not be prepacked, and the caller must not
    be in inference mode; they compute in float32 in every run.
    """
    encoder = network.visual_encoder
    step = device.chunk_sizes.images_of(network.vision.resolution)
    inputs = torch.cat([_below(encoder, part, block) for part in images.split(step)])
    rows = torch.as_tensor(image_of, device=images.device)
    with float32_context(images.device):
        maps = torch.cat(
            [
                _relevance(network, inputs[some], text_features[texts], block)
                for texts in torch.arange(len(rows), device=images.device).split(step)
                for some in [rows[texts]]
            ]
        )
    side = math.isqrt(maps.shape[1])
    return maps.unflatten(1, (side, side))


def _below(encoder: VisionTransformer, images: Tensor, block: int) -> Tensor:
    """Return the tokens [B, S, D] that enter a block, in float32."""
    tokens = encoder.embed(images)
    for below in _blocks(encoder)[:block]:
        tokens = below(tokens)
    return tokens.float()


def _relevance(network: RetrievalNetwork, tokens: Tensor, texts: Tensor, block: int) -> Tensor:
    """Return attention times positive gradient of [CLS], averaged over heads: [n, P * P]."""
    encoder = network.visual_encoder
    first, *above = _blocks(encoder)[block:]
    query, key, value = first.attn.project(first.norm1(tokens))
    scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
    weights = scores.softmax(-1)
    with torch.enable_grad():
        weights.requires_grad_()
        tokens = first.feed_forward(tokens + first.attn.output(weights @ value))
        for later in above:
            tokens = later(tokens)
        features = network.vision_proj(encoder.norm(tokens)[:, 0])
        cosine = (F.normalize(features, dim=-1) * texts).sum()
        (gradient,) = torch.autograd.grad(cosine, [weights])
    of_cls = weights.detach()[:, :, 0, 1:] * gradient[:, :, 0, 1:].clamp(min=0)
    return of_cls.mean(1)


def _blocks(encoder: VisionTransformer) -> Sequence[Block]:
    return [block for block in encoder.blocks if isinstance(block, Block)]
