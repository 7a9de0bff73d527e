"""Grad-CAM (arXiv 1610.02391) of the image-text matching logit: what in an image a text is about.

Source: ALBEF's and X-VLM's `Grounding.py` (`gradcam_mode` itm). Goldens `d_weak_grounding` and
`albef_grounding`.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from harness.engine.device import Device, float32_context
from harness.engine.packing import PackedTexts
from harness.engine.segments import Segments
from harness.models.fusion.bert import Bert
from harness.models.fusion.fused_texts import ImageOf, packs
from harness.models.fusion.heads import apply_head
from harness.models.fusion.kv import KV, CrossKV
from harness.models.fusion.layers import Layer
from harness.models.fusion.sizes import TextArchitecture


class MatchingNetwork(Protocol):
    """A network that matches images and texts by a head on the fused [CLS] states."""

    @property
    def text_encoder(self) -> Bert: ...

    @property
    def itm_head(self) -> nn.Module: ...


def released_layer(text: TextArchitecture, *, fusion_layer: int) -> int:
    """Return the layer of a released configuration, which counts the fusion layers from 0.

    A model with fewer fusion layers has its last one.
    """
    return min(text.fusion_layer + fusion_layer, text.layers - 1)


def gradcam_maps(
    network: MatchingNetwork,
    tokens: Tensor,
    texts: Sequence[Sequence[int]],
    *,
    image_of: ImageOf,
    layer: int,
    device: Device,
) -> Tensor:
    """Return a map [n, P, P] of how much each patch contributes to the match of text and image.

    Text n, given as token ids, is about image `image_of[n]`, out of image tokens [M, 1 + P * P, C].
    The map is the cross-attention of `layer` times the positive part of its gradient, averaged over
    heads and the text's tokens. The reference averages over the longest text of a batch: the same
    map on a scale that depends on the batch. Raises ValueError for a layer without cross-attention.

    The gradient is in float32 in every run: 16 bits would round most of it to 0. The layers from
    `layer` on must not be prepacked, and the caller must not be in inference mode.
    """
    encoder = network.text_encoder
    if not encoder.fusion_layer <= layer < len(encoder.layers):
        raise ValueError(f"layer {layer} has no cross-attention")
    images = encoder.project_kv(tokens)
    maps = torch.empty(len(texts), tokens.shape[1] - 1, device=device.torch)
    for packed, ids, on_device in packs(texts, image_of, device):
        states = encoder.encode_text(ids, on_device)
        relevance = _token_relevance(
            network, states, on_device, images.of_images(packed.images), layer=layer
        )
        by_text = relevance.split(packed.lengths.tolist())
        maps[on_device.texts] = torch.stack([part.mean(0) for part in by_text])
    side = math.isqrt(maps.shape[1])
    return maps.unflatten(1, (side, side))


def attention_weights(layer: Layer, states: Tensor, by_image: Segments, images: KV) -> list[Tensor]:
    """Return the cross-attention of tokens [N, d], [g, heads, L, S] for each bucket of images."""
    attention = layer.crossattention
    query = attention.self.query(states)
    return [
        attention.weights(bucket.pad(query), images.select(bucket.segments))
        for bucket in by_image.buckets
    ]


def _token_relevance(
    network: MatchingNetwork, states: Tensor, texts: PackedTexts, images: CrossKV, *, layer: int
) -> Tensor:
    """Return attention times positive gradient, averaged over heads: [N, P * P] of N tokens."""
    encoder, by_image = network.text_encoder, texts.tokens.by_image
    number = layer - encoder.fusion_layer
    fusion_layers = list(zip(encoder.fusion_layers, images.layers, strict=True))
    for below, kv in fusion_layers[:number]:
        states = _fuse(below, states, texts, kv)
    with float32_context(states.device):
        block, kv = fusion_layers[number][0], _in_float32(fusion_layers[number][1])
        states = block.self_attention(states.float(), texts)
        weights = attention_weights(block, states, by_image, kv)
        with torch.enable_grad():
            states = block.feed_forward(
                _attend(block, states, by_image, kv, [part.requires_grad_() for part in weights])
            )
            for above, kv in fusion_layers[number + 1 :]:
                states = _fuse(above, states, texts, _in_float32(kv))
            match = apply_head(network.itm_head, states[texts.first])[:, 1].sum()
        gradients = torch.autograd.grad(match, weights)
    relevance = [
        (weight.detach() * gradient.clamp(min=0)).mean(1)[..., 1:]
        for weight, gradient in zip(weights, gradients, strict=True)
    ]
    return by_image.restore(relevance)


def _fuse(layer: Layer, states: Tensor, texts: PackedTexts, images: KV) -> Tensor:
    """Run one fusion layer on the states [N, d] of all tokens."""
    states = layer.self_attention(states, texts)
    return layer.feed_forward(layer.cross_attention(states, texts.tokens.by_image, images))


def _attend(
    layer: Layer, states: Tensor, by_image: Segments, images: KV, weights: Sequence[Tensor]
) -> Tensor:
    """Run cross-attention with given weights."""
    context = []
    for bucket, part in zip(by_image.buckets, weights, strict=True):
        attended = part @ images.select(bucket.segments).values
        context.append(attended.transpose(1, 2).flatten(2))
    return layer.crossattention.output(by_image.restore(context), states)


def _in_float32(kv: KV) -> KV:
    return KV(kv.keys.float(), kv.values.float(), kv.mask)
