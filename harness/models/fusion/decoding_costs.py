"""The cost of capabilities that decode: captions, and answers ranked or generated.

Sums of the parts in `layer_costs`, which says what is counted.
"""

from harness.engine.beam_search import Beams
from harness.models.fusion.layer_costs import (
    FLOAT,
    Demand,
    encoder_bytes,
    fusion_bytes,
    fusion_flops,
    kv_bytes,
    lm_head_flops,
    project_kv_flops,
    text_encoder_flops,
    token_bytes,
)
from harness.models.fusion.sizes import TextArchitecture
from harness.workload import Cost


def captioning(demand: Demand, *, beams: Beams, prompt: int) -> Cost:
    """Return the cost of beams that all reach the maximum length, after `prompt` tokens.

    An upper bound: some end before.
    """
    vision, text, workload, _, chunk_sizes = demand
    image_tokens, longest = vision.tokens, beams.max_length
    decoded = beams.width * (longest - prompt - 1)
    per_token = text_encoder_flops(text, longest) + fusion_flops(text, longest, image_tokens)
    per_image = (
        vision.flops
        + project_kv_flops(text, image_tokens)
        + (prompt + decoded) * per_token / longest
        + (1 + decoded) * lm_head_flops(text)
    )
    cache = beams.width * longest * text.layers * 2 * text.width * FLOAT
    distributions = 3 * beams.width * text.vocabulary * FLOAT
    # Keys and values twice: those of the remaining images are copied when an image is done.
    per_image_bytes = 2 * kv_bytes(text, image_tokens) + cache + distributions
    return Cost(
        workload.images * per_image,
        0.0,
        encoder_bytes(vision, workload.images, chunk_sizes) + workload.images * per_image_bytes,
    )


def answering(demand: Demand, decoder: TextArchitecture, *, prefixes: float) -> Cost:
    """Return the cost of questions whose answers have `prefixes` to decode.

    An upper bound: most answers need no scoring.
    """
    vision, text, workload, length, chunk_sizes = demand
    image_tokens = vision.tokens
    per_image = vision.flops + project_kv_flops(text, image_tokens)
    per_question = (
        text_encoder_flops(text, length)
        + fusion_flops(text, length, image_tokens)
        + project_kv_flops(decoder, round(length))
        + fusion_flops(decoder, prefixes + 1, length)
        + (prefixes + 1) * lm_head_flops(decoder)
    )
    cache = prefixes * decoder.layers * 2 * decoder.width * FLOAT
    tree = 2 * FLOAT * (decoder.vocabulary + prefixes**2)
    per_question_bytes = cache + prefixes * token_bytes(decoder) + tree
    distributions = FLOAT * decoder.vocabulary * chunk_sizes.lm_head_rows
    return Cost(
        workload.images * per_image + workload.pairs * per_question,
        0.0,
        fusion_bytes(demand) + workload.pairs * per_question_bytes + distributions,
    )


def generating_answers(demand: Demand, decoder: TextArchitecture, *, beams: Beams) -> Cost:
    """Return the cost of questions whose answers all reach the maximum length.

    An upper bound: most end before.
    """
    vision, text, workload, length, _ = demand
    image_tokens, longest = vision.tokens, beams.max_length
    decoded = 1 + beams.width * max(0, longest - 2)
    per_image = vision.flops + project_kv_flops(text, image_tokens)
    per_question = (
        text_encoder_flops(text, length)
        + fusion_flops(text, length, image_tokens)
        + project_kv_flops(decoder, round(length))
        + decoded * fusion_flops(decoder, longest, length) / longest
        + decoded * lm_head_flops(decoder)
    )
    cache = beams.width * longest * decoder.layers * 2 * decoder.width * FLOAT
    distributions = 3 * beams.width * decoder.vocabulary * FLOAT
    per_question_bytes = 2 * kv_bytes(decoder, round(length)) + cache + distributions
    return Cost(
        workload.images * per_image + workload.pairs * per_question,
        0.0,
        fusion_bytes(demand) + workload.pairs * per_question_bytes,
    )
