"""The cost of X-VLM, from its sizes alone: floating-point operations and bytes.

Operations are the multiplications and additions of matrix products, attention included; everything
else is below one percent. Bytes assume float32, an upper bound where a run stores fewer bits; the
bytes of an image in the encoder were measured, not derived. A `length` is the mean number of tokens
of the texts, `image_tokens` the number of tokens that they cross-attend to.
"""

from harness.engine.beam_search import Beams
from harness.engine.chunks import ChunkSizes
from harness.engine.shortlist import ROWS
from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm.architecture import PATCH, VisionArchitecture
from harness.workload import Cost, Workload

FLOAT = 4  # bytes
ENCODER_FACTOR = 18  # bytes of an image in a GPU's encoder over those of its patches; less on a CPU
COMPARISON = 16  # bytes per image and text for shortlists: similarity, two masks, a running count
PAIR = 32  # bytes per shortlisted pair: two indices, and the same again for the union


def image_encoder_flops(vision: VisionArchitecture) -> float:
    """Return the operations of one image in the vision encoder (Swin, section 3.3)."""
    products = vision.stage_side(0) ** 2 * 3 * PATCH**2 * vision.width
    for stage, depth in enumerate(vision.depths):
        tokens, width = vision.stage_side(stage) ** 2, vision.width * 2**stage
        window = vision.stage_window(stage)
        products += depth * tokens * (12 * width**2 + 2 * window**2 * width)
        products += 2 * tokens * width**2 if stage + 1 < len(vision.depths) else 0
    return 2.0 * products


def project_kv_flops(
    text: TextArchitecture, image_tokens: int, *, sets: int | None = None
) -> float:
    """Return the operations of an image's keys and values, one set per fusion layer or `sets`."""
    layers = _fusion_layers(text) if sets is None else sets
    return 4.0 * layers * image_tokens * text.encoder_width * text.width


def text_encoder_flops(text: TextArchitecture, length: float) -> float:
    """Return the operations of a text in the layers without cross-attention."""
    feed_forward = 2 * text.width * text.inner_width
    return 2.0 * text.fusion_layer * length * (_self_attention(text, length) + feed_forward)


def fusion_flops(text: TextArchitecture, length: float, image_tokens: float) -> float:
    """Return the operations of an encoded text in the fusion layers."""
    layer = _self_attention(text, length) + _cross_attention_and_mlp(text, image_tokens)
    return 2.0 * _fusion_layers(text) * length * layer


def fusion_input_flops(text: TextArchitecture, length: float) -> float:
    """Return the operations of the first fusion layer's self-attention: once per text."""
    return 2.0 * length * _self_attention(text, length)


def fuse_cls_flops(text: TextArchitecture, length: float, image_tokens: float) -> float:
    """Return the operations from the fusion input to [CLS], alone in the last layer."""
    layers, kv = _fusion_layers(text), 2 * text.width**2
    own, rest = _self_attention(text, length), _cross_attention_and_mlp(text, image_tokens)
    if layers == 1:
        return 2.0 * rest
    all_tokens = length * rest + (layers - 2) * length * (own + rest)
    return 2.0 * (all_tokens + length * kv + own - kv + rest)


def lm_head_flops(text: TextArchitecture) -> float:
    """Return the operations of one distribution over the vocabulary."""
    return 2.0 * text.width * (text.width + text.vocabulary)


def num_image_tokens(vision: VisionArchitecture) -> int:
    """Return the number of tokens of an image: the patches and their mean."""
    return 1 + vision.tokens_per_side**2


def grounding(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """Return the cost of texts fused with one image each, for their [CLS] states."""
    layers = _fusion_layers(text)
    return _fused_cls(vision, text, workload, length=length, sets=layers, chunk_sizes=chunk_sizes)


def localization(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    layer: int,
    length: float,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """Return the cost of texts fused with one image each, and of gradients back to `layer`.

    A gradient of activations alone costs as many operations as the forward pass.
    """
    image_tokens, differentiated = num_image_tokens(vision), text.layers - layer
    per_image = image_encoder_flops(vision) + project_kv_flops(text, image_tokens)
    fused = fusion_flops(text, length, image_tokens)
    per_pair = text_encoder_flops(text, length) + fused * (
        1 + differentiated / _fusion_layers(text)
    )
    # Kept for the gradient: states and attention of each layer. And the gradient of one attention.
    tokens = min(workload.pairs * length, chunk_sizes.text_tokens)
    attention = (differentiated + 2) * text.heads * image_tokens * FLOAT
    return Cost(
        workload.images * per_image + workload.pairs * per_pair,
        0.0,
        _fusion_bytes(vision, text, workload, length=length, chunk_sizes=chunk_sizes)
        + tokens * (differentiated * _token_bytes(text) + attention),
    )


def pair_reasoning(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """Return the same where two fusion layers, one for each image, share keys and values."""
    sets = _fusion_layers(text) // 2
    return _fused_cls(vision, text, workload, length=length, sets=sets, chunk_sizes=chunk_sizes)


def retrieval(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    features: int,
    item_bytes: int,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """Return the cost of encoding all images and texts, and of re-ranking pairs image by image.

    Image tokens and texts stay in memory, `item_bytes` bytes a number.
    """
    image_tokens, texts = num_image_tokens(vision), len(workload.texts)
    per_image = image_encoder_flops(vision) + project_kv_flops(text, image_tokens)
    per_text = text_encoder_flops(text, length) + fusion_input_flops(text, length)
    per_pair = fuse_cls_flops(text, length, image_tokens)
    numbers = workload.images * image_tokens * vision.output_width + texts * length * text.width
    comparison = (
        FLOAT * features * (workload.images + texts)
        + COMPARISON * ROWS * max(texts, workload.images)
        + PAIR * workload.pairs_at_most
    )
    pack = _token_bytes(text) * chunk_sizes.text_tokens + _kv_bytes(text, image_tokens)
    return Cost(
        workload.images * per_image + texts * per_text + workload.pairs * per_pair,
        numbers * item_bytes + comparison + pack,
        _encoder_bytes(vision, workload.images, chunk_sizes),
    )


def attribute_matching(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    features: int,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """Return the cost of encoding images, and all texts once, and of comparing their features."""
    images, texts = workload.images, len(workload.texts)
    pack = _token_bytes(text) * min(chunk_sizes.text_tokens, texts * length)
    return Cost(
        images * image_encoder_flops(vision)
        + texts * text_encoder_flops(text, length)
        + 2.0 * images * texts * features,
        FLOAT * features * texts + pack,
        _encoder_bytes(vision, images, chunk_sizes) + FLOAT * images * texts,
    )


def captioning(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    beams: Beams,
    prompt: int,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """Return the cost of beams that all reach the maximum length, after `prompt` tokens.

    An upper bound: some end before.
    """
    image_tokens, longest = num_image_tokens(vision), beams.max_length
    decoded = beams.width * (longest - prompt - 1)
    per_token = text_encoder_flops(text, longest) + fusion_flops(text, longest, image_tokens)
    per_image = (
        image_encoder_flops(vision)
        + project_kv_flops(text, image_tokens)
        + (prompt + decoded) * per_token / longest
        + (1 + decoded) * lm_head_flops(text)
    )
    cache = beams.width * longest * text.layers * 2 * text.width * FLOAT
    distributions = 3 * beams.width * text.vocabulary * FLOAT
    # Keys and values twice: those of the remaining images are copied when an image is done.
    per_image_bytes = 2 * _kv_bytes(text, image_tokens) + cache + distributions
    return Cost(
        workload.images * per_image,
        0.0,
        _encoder_bytes(vision, workload.images, chunk_sizes) + workload.images * per_image_bytes,
    )


def answering(
    vision: VisionArchitecture,
    text: TextArchitecture,
    decoder: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    prefixes: float,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """Return the cost of questions whose answers have `prefixes` to decode.

    An upper bound: most answers need no scoring.
    """
    image_tokens = num_image_tokens(vision)
    per_image = image_encoder_flops(vision) + project_kv_flops(text, image_tokens)
    per_question = (
        text_encoder_flops(text, length)
        + fusion_flops(text, length, image_tokens)
        + project_kv_flops(decoder, round(length))
        + fusion_flops(decoder, prefixes + 1, length)
        + (prefixes + 1) * lm_head_flops(decoder)
    )
    cache = prefixes * decoder.layers * 2 * decoder.width * FLOAT
    tree = 2 * FLOAT * (decoder.vocabulary + prefixes**2)
    per_question_bytes = cache + prefixes * _token_bytes(decoder) + tree
    distributions = FLOAT * decoder.vocabulary * chunk_sizes.lm_head_rows
    return Cost(
        workload.images * per_image + workload.pairs * per_question,
        0.0,
        _fusion_bytes(vision, text, workload, length=length, chunk_sizes=chunk_sizes)
        + workload.pairs * per_question_bytes
        + distributions,
    )


def _fused_cls(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    sets: int,
    chunk_sizes: ChunkSizes,
) -> Cost:
    image_tokens = num_image_tokens(vision)
    per_image = image_encoder_flops(vision) + project_kv_flops(text, image_tokens, sets=sets)
    per_pair = (
        text_encoder_flops(text, length)
        + fusion_input_flops(text, length)
        + fuse_cls_flops(text, length, image_tokens)
    )
    return Cost(
        workload.images * per_image + workload.pairs * per_pair,
        0.0,
        _fusion_bytes(vision, text, workload, length=length, chunk_sizes=chunk_sizes),
    )


def _fusion_layers(text: TextArchitecture) -> int:
    return text.layers - text.fusion_layer


def _self_attention(text: TextArchitecture, length: float) -> float:
    """Return the products of a token in self-attention."""
    return 4 * text.width**2 + 2 * length * text.width


def _cross_attention_and_mlp(text: TextArchitecture, image_tokens: float) -> float:
    """Return the products of a token in cross-attention, given keys and values, and in the MLP."""
    attention = 2 * text.width**2 + 2 * image_tokens * text.width
    return attention + 2 * text.width * text.inner_width


def _encoder_bytes(vision: VisionArchitecture, images: int, chunk_sizes: ChunkSizes) -> float:
    """Return the bytes of images: all of their pixels and tokens, and few in the encoder."""
    patches = vision.stage_side(0) ** 2
    at_a_time = min(images, max(1, chunk_sizes.image_patches // patches))
    numbers = 3 * vision.resolution**2 + num_image_tokens(vision) * vision.output_width
    inside = ENCODER_FACTOR * patches * vision.width
    return float(FLOAT * (at_a_time * inside + images * numbers))


def _kv_bytes(text: TextArchitecture, image_tokens: int) -> float:
    return float(_fusion_layers(text) * 2 * image_tokens * text.width * FLOAT)


def _token_bytes(text: TextArchitecture) -> float:
    """Return the bytes of a token in a layer: states, queries, keys, values, the MLP twice."""
    return float((6 * text.width + 2 * text.inner_width) * FLOAT)


def _fusion_bytes(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    chunk_sizes: ChunkSizes,
) -> float:
    """Return the bytes of images and the texts fused with them.

    Keys and values count once for each image, and once more for those selected for a pack.
    """
    tokens = min(workload.pairs * length, chunk_sizes.text_tokens)
    selected = min(workload.pairs, workload.images)
    return (
        _encoder_bytes(vision, workload.images, chunk_sizes)
        + (workload.images + selected) * _kv_bytes(text, num_image_tokens(vision))
        + tokens * _token_bytes(text)
    )
