"""Grad-CAM of the image-text matching logit, for weakly supervised grounding.

Source: X-VLM's `Grounding.py` (`gradcam_mode` itm; `block_num` is an absolute layer of the text
encoder). Golden `d_weak_grounding`.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from harness.engine.chunks import chunk_sizes_of
from harness.engine.packing import PackedTexts, Segments, pack
from harness.models.fusion.bert import Bert
from harness.models.fusion.kv import KV, CrossKV
from harness.models.fusion.layers import Layer
from harness.models.xvlm.heads import RetrievalNetwork

LAYER = 9  # `block_num` for the base model: the fourth fusion layer


def gradcam_map(
    network: RetrievalNetwork,
    tokens: Tensor,
    texts: Sequence[Sequence[int]],
    *,
    layer: int = LAYER,
) -> Tensor:
    """Return a map [B, P, P] of how much each patch contributes to the match of text and image.

    Text n, given as token ids, is about the image tokens[n], out of [B, 1 + P * P, C]. The map is
    the cross-attention of `layer` times the positive part of its gradient, averaged over heads and
    text positions. The average counts the positions of the longest text, padding included, as the
    reference does. Raises ValueError for a layer without cross-attention.
    """
    encoder, device = network.text_encoder, tokens.device
    if not encoder.fusion_layer <= layer < len(encoder.layers):
        raise ValueError(f"layer {layer} has no cross-attention")
    lengths = [len(text) for text in texts]
    images = encoder.project_kv(tokens)
    maps = torch.empty(len(texts), tokens.shape[1] - 1, device=device)
    for packed in pack(lengths, chunk_sizes_of(device), image_of=range(len(texts))):
        on_device = packed.to(device)
        states = encoder.encode_text(packed.ids_of(texts).to(device), on_device)
        weighted = _weighted_attention(
            network, states, on_device, images.of_images(packed.images), layer=layer
        )
        maps[packed.images.to(device)] = weighted.mean(1)[:, 1:] / max(lengths)
    side = math.isqrt(maps.shape[1])
    return maps.unflatten(1, (side, side))


def attention_weights(layer: Layer, states: Tensor, by_image: Segments, images: KV) -> list[Tensor]:
    """Return the cross-attention of tokens [N, d], [g, heads, L, S] for each bucket of images."""
    attention = layer.crossattention
    query = by_image.arrange(attention.self.query(states))
    return [
        attention.weights(bucket.pad(query), images.select(bucket.segments))
        for bucket in by_image.buckets
    ]


def _weighted_attention(
    network: RetrievalNetwork, states: Tensor, texts: PackedTexts, images: CrossKV, *, layer: int
) -> Tensor:
    """Return attention times positive gradient, summed over text positions, [G, heads, S]."""
    encoder: Bert = network.text_encoder
    by_image, weights = texts.tokens.by_image, []
    with torch.enable_grad():
        for number, (block, kv) in enumerate(
            zip(encoder.fusion_layers, images.layers, strict=True), start=encoder.fusion_layer
        ):
            states = block.self_attention(states, texts)
            if number == layer:
                weights = [
                    part.requires_grad_() for part in attention_weights(block, states, by_image, kv)
                ]
                states = _attend(block, states, by_image, kv, weights)
            else:
                states = block.cross_attention(states, by_image, kv)
            states = block.feed_forward(states)
        match = network.itm_head(states[texts.first])[:, 1].sum()
        gradients = torch.autograd.grad(match, weights)
    products = [
        (part.detach() * gradient.clamp(min=0)).sum(2)
        for part, gradient in zip(weights, gradients, strict=True)
    ]
    return torch.cat(products)


def _attend(
    layer: Layer, states: Tensor, by_image: Segments, images: KV, weights: Sequence[Tensor]
) -> Tensor:
    """Run cross-attention with given weights."""
    context = []
    for bucket, part in zip(by_image.buckets, weights, strict=True):
        attended = part @ images.select(bucket.segments).values
        context.append(bucket.unpad(attended.transpose(1, 2).flatten(2)))
    return layer.crossattention.output(by_image.restore(torch.cat(context)), states)
