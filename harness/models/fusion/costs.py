"""The cost of each capability of a vision encoder below a BERT with cross-attention.

Sums of the parts in `layer_costs`, which says what is counted; `decoding_costs` adds captions and
answers.
"""

from harness.engine.shortlist import ROWS
from harness.models.fusion.layer_costs import (
    FLOAT,
    Demand,
    encoder_bytes,
    fuse_cls_flops,
    fusion_bytes,
    fusion_flops,
    fusion_input_flops,
    fusion_layers,
    kv_bytes,
    project_kv_flops,
    text_encoder_flops,
    token_bytes,
)
from harness.workload import Cost

COMPARISON = 16  # bytes per image and text for shortlists: similarity, two masks, a running count
PAIR = 32  # bytes per shortlisted pair: two indices, and the same again for the union


def grounding(demand: Demand) -> Cost:
    """Return the cost of texts fused with one image each, for their [CLS] states."""
    return _fused_cls(demand, sets=fusion_layers(demand.text))


def localization(demand: Demand, *, layer: int) -> Cost:
    """Return the cost of texts fused with one image each, and of gradients back to `layer`.

    A gradient of activations alone costs as many operations as the forward pass.
    """
    vision, text, workload, length, chunk_sizes = demand
    image_tokens, differentiated = vision.tokens, text.layers - layer
    per_image = vision.flops + project_kv_flops(text, image_tokens)
    fused = fusion_flops(text, length, image_tokens)
    per_pair = text_encoder_flops(text, length) + fused * (1 + differentiated / fusion_layers(text))
    # Kept for the gradient: states and attention of each layer. And the gradient of one attention.
    tokens = min(workload.pairs * length, chunk_sizes.text_tokens)
    attention = (differentiated + 2) * text.heads * image_tokens * FLOAT
    return Cost(
        workload.images * per_image + workload.pairs * per_pair,
        0.0,
        fusion_bytes(demand) + tokens * (differentiated * token_bytes(text) + attention),
    )


def pair_reasoning(demand: Demand) -> Cost:
    """Return the cost of texts fused with two images, in turn; two layers share keys and values."""
    return _fused_cls(demand, sets=fusion_layers(demand.text) // 2)


def twin_pair_reasoning(demand: Demand) -> Cost:
    """Return the cost of texts fused with two images, both in every layer, by separate weights."""
    vision, text, workload, length, _ = demand
    cost = _fused_cls(demand, sets=text.layers)
    second_image = 2 * text.width**2 + 2 * vision.tokens * text.width
    per_pair = 2.0 * text.layers * length * (second_image + 2 * text.width**2)
    # Those selected for a pack are of both images.
    selected = min(workload.pairs, workload.images) * kv_bytes(text, vision.tokens)
    return cost._replace(
        flops=cost.flops + workload.pairs * per_pair,
        peak_batch_bytes=cost.peak_batch_bytes + selected,
    )


def retrieval(demand: Demand, *, features: int, item_bytes: int) -> Cost:
    """Return the cost of encoding all images and texts, and of re-ranking pairs.

    Image tokens and texts stay in memory, `item_bytes` bytes a number.
    """
    vision, text, workload, length, chunk_sizes = demand
    image_tokens, texts = vision.tokens, len(workload.texts)
    per_image = vision.flops + project_kv_flops(text, image_tokens)
    per_text = text_encoder_flops(text, length) + fusion_input_flops(text, length)
    per_pair = fuse_cls_flops(text, length, image_tokens)
    numbers = workload.images * image_tokens * vision.output_width + texts * length * text.width
    comparison = (
        FLOAT * features * (workload.images + texts)
        + COMPARISON * ROWS * max(texts, workload.images)
        + PAIR * workload.pairs_at_most
    )
    images = min(workload.images, chunk_sizes.reranked_images)
    pack = token_bytes(text) * chunk_sizes.of_pairs.text_tokens
    pack += images * kv_bytes(text, image_tokens)
    return Cost(
        workload.images * per_image + texts * per_text + workload.pairs * per_pair,
        numbers * item_bytes + comparison + pack,
        encoder_bytes(vision, workload.images, chunk_sizes),
    )


def attribute_matching(demand: Demand, *, features: int) -> Cost:
    """Return the cost of encoding images, and all texts once, and of comparing their features."""
    vision, text, workload, length, chunk_sizes = demand
    images, texts = workload.images, len(workload.texts)
    pack = token_bytes(text) * min(chunk_sizes.text_tokens, texts * length)
    return Cost(
        images * vision.flops
        + texts * text_encoder_flops(text, length)
        + 2.0 * images * texts * features,
        FLOAT * features * texts + pack,
        encoder_bytes(vision, images, chunk_sizes) + FLOAT * images * texts,
    )


def _fused_cls(demand: Demand, *, sets: int) -> Cost:
    vision, text, workload, length, _ = demand
    image_tokens = vision.tokens
    per_image = vision.flops + project_kv_flops(text, image_tokens, sets=sets)
    per_pair = (
        text_encoder_flops(text, length)
        + fusion_input_flops(text, length)
        + fuse_cls_flops(text, length, image_tokens)
    )
    return Cost(
        workload.images * per_image + workload.pairs * per_pair,
        0.0,
        fusion_bytes(demand),
    )
