"""The cost of what differentiates the vision transformer; `fusion.costs` has the rest.

Operations and bytes are counted as in `fusion.layer_costs`.
"""

from harness.engine.chunks import ChunkSizes
from harness.models.fusion.layer_costs import FLOAT, encoder_bytes, text_encoder_flops, token_bytes
from harness.models.fusion.sizes import TextArchitecture
from harness.models.vit.architecture import VisionArchitecture
from harness.workload import Cost, Workload


def cosine_localization(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    block: int,
    length: float,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """Return the cost of Grad-CAM maps of the cosine, at the attention of a `block`.

    The blocks below are computed once for each image, those from `block` on and their gradients for
    each text: a gradient of activations costs as much as its forward pass, and attention twice.
    """
    tokens, width = vision.tokens, vision.width
    attention, mlp = 2.0 * tokens * width, 2.0 * width * vision.inner_width
    forward = 4 * width**2 + attention + mlp
    above = vision.depth - block
    backward = (above - 1) * (4 * width**2 + 2 * attention + mlp)
    backward += width**2 + attention / 2 + mlp  # of `block` itself, down to its attention
    per_image = vision.flops - 2.0 * above * tokens * forward
    per_text = text_encoder_flops(text, length) + 2.0 * tokens * (above * forward + backward)
    # Kept for the gradient: states of each block, and the attention of `block` (scores, weights,
    # gradient) with what its softmax and its product take. Measured on a CPU.
    at_a_time = min(workload.pairs, chunk_sizes.images_of(vision.resolution))
    states = above * tokens * (6 * width + 2 * vision.inner_width) * FLOAT
    kept = states + 5 * vision.heads * tokens**2 * FLOAT
    return Cost(
        workload.images * per_image + workload.pairs * per_text,
        0.0,
        encoder_bytes(vision, workload.images, chunk_sizes)
        + at_a_time * kept
        + min(workload.pairs * length, chunk_sizes.text_tokens) * token_bytes(text),
    )
