"""Where a retrieval model looks when it matches a text with an image: Grad-CAM of the matching logit, for weakly supervised grounding.

Source: X-VLM's `Grounding.py` (`gradcam_mode` itm, `block_num` an absolute layer of the text encoder). Golden `d_weak_grounding`.
"""

import math

import torch
from torch import Tensor

from harness.models.fusion.bert import padding_mask
from harness.models.fusion.layers import KV, Attention, Layer
from harness.models.xvlm.heads import RetrievalNetwork

LAYER = 9  # `block_num` for the base model: the fourth layer that looks at the image


def gradcam_map(
    network: RetrievalNetwork, tokens: Tensor, ids: Tensor, present: Tensor, *, layer: int = LAYER
) -> Tensor:
    """Return a map [B, P, P] of each image, how much each of its patches made the text match.

    `tokens` [B, 1 + P * P, C] are of one image a text, `ids` and `present` [B, T] the texts. The weights of `layer`'s attention to the
    image, times what raising them would do to the matching logit (where that is positive), averaged over heads and text positions. The
    average divides by T, padding included, as the reference does: a mere scale.
    """
    encoder, mask = network.text_encoder, padding_mask(present[:, None])
    memory = encoder.project_kv(tokens)
    states = encoder.encode_text(ids[:, None], mask)
    weights: Tensor | None = None
    with torch.enable_grad():
        for number, (block, seen) in enumerate(
            zip(encoder.fusion_layers, memory, strict=True), start=encoder.fusion_layer
        ):
            states = block.self_attention(states, block.project_kv(states), mask)
            if number == layer:
                weights = attention_weights(block, states, seen).requires_grad_()
                states = _looked_with(block, states, seen, weights)
            else:
                states = block.cross_attention(states, seen, None)
            states = block.feed_forward(states)
        if weights is None:
            raise ValueError(f"layer {layer} is none of those that look at the image")
        match = network.itm_head(states[:, 0, 0])[:, 1].sum()
        (gradient,) = torch.autograd.grad(match, weights)
    seen_by_words = weights.detach() * gradient.clamp(min=0) * present[:, None, :, None]
    side = math.isqrt(tokens.shape[1] - 1)
    return seen_by_words.mean(1).mean(1)[:, 1:].unflatten(1, (side, side))


def attention_weights(block: Layer, states: Tensor, seen: KV) -> Tensor:
    """Return how much each token of a text [B, 1, T, d] looks at each token of its image, [B, heads, T, S], summing to 1."""
    attention: Attention = block.crossattention
    query = attention.split(attention.self.query(states.flatten(1, 2)))
    return (query @ seen.keys.transpose(2, 3) / math.sqrt(query.shape[-1])).softmax(-1)


def _looked_with(block: Layer, states: Tensor, seen: KV, weights: Tensor) -> Tensor:
    readers = states.flatten(1, 2)
    found = (weights @ seen.values).transpose(1, 2).flatten(2)
    return block.crossattention.output(found, readers).view_as(states)
