"""What an X-VLM costs, from its sizes alone: floating-point operations and bytes.

Counted are the multiplications and additions of matrix products, attention included; all else is below one percent of them. Bytes are those
of float32, an upper bound where a run computes in fewer bits; how many an image takes while it is encoded was measured, not derived.
A `length` is the mean number of tokens of the texts, `seen` how many tokens they look at.
"""

from harness.engine.beam_search import Beams
from harness.engine.chunks import ChunkSizes
from harness.engine.shortlist import ROWS
from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm.architecture import PATCH, VisionArchitecture
from harness.workload import Cost, Workload

FLOAT = 4  # bytes
AT_ONCE = 18  # times the bytes of its first patches that an image takes in the encoder of a GPU, as measured (a CPU: less)
COMPARED = 16  # bytes for each image and text while shortlists are made: similarity, two masks, a running count
PAIR = 32  # bytes for each pair on the shortlists: two indices, and the same while they are united


def image_encoder_flops(vision: VisionArchitecture) -> float:
    """Return the operations of one image through the vision encoder (Swin, section 3.3, with its MLPs and mergings)."""
    products = vision.stage_side(0) ** 2 * 3 * PATCH**2 * vision.width
    for stage, depth in enumerate(vision.depths):
        tokens, width, window = (
            vision.stage_side(stage) ** 2,
            vision.width * 2**stage,
            vision.stage_window(stage),
        )
        products += depth * tokens * (12 * width**2 + 2 * window**2 * width)
        products += 2 * tokens * width**2 if stage + 1 < len(vision.depths) else 0
    return 2.0 * products


def project_kv_flops(text: TextArchitecture, seen: int, *, sets: int | None = None) -> float:
    """Return the operations of making a memory: keys and values for every fusion layer, or so many `sets`."""
    return (
        4.0
        * (_looking_layers(text) if sets is None else sets)
        * seen
        * text.encoder_width
        * text.width
    )


def text_encoder_flops(text: TextArchitecture, length: float) -> float:
    """Return the operations of a text through the layers that look at nothing."""
    return (
        2.0 * text.fusion_layer * length * (_own(text, length) + 2 * text.width * text.inner_width)
    )


def fusion_flops(text: TextArchitecture, length: float, seen: float) -> float:
    """Return the operations of a text that was read through the layers that look at a memory."""
    return 2.0 * _looking_layers(text) * length * (_own(text, length) + _look(text, seen))


def fusion_input_flops(text: TextArchitecture, length: float) -> float:
    """Return the operations of a text attending to itself before it first looks: done once, whatever it looks at."""
    return 2.0 * length * _own(text, length)


def fuse_cls_flops(text: TextArchitecture, length: float, seen: float) -> float:
    """Return the operations of a text that has begun, through the layers that look; in the last one its first token asks alone."""
    layers, keys = _looking_layers(text), 2 * text.width**2
    if layers == 1:
        return 2.0 * _look(text, seen)
    whole = length * _look(text, seen) + (layers - 2) * length * (
        _own(text, length) + _look(text, seen)
    )
    return 2.0 * (whole + length * keys + _own(text, length) - keys + _look(text, seen))


def lm_head_flops(text: TextArchitecture) -> float:
    """Return the operations of the distribution over all words at one place."""
    return 2.0 * text.width * (text.width + text.vocabulary)


def num_image_tokens(vision: VisionArchitecture) -> int:
    """Return how many tokens of an image are looked at: the mean and the patches."""
    return 1 + vision.tokens_per_side**2


def grounding(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """Every text looks at one memory, and its first token is asked for."""
    return _one_look(
        vision, text, workload, length=length, sets=_looking_layers(text), chunk_sizes=chunk_sizes
    )


def localization(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    layer: int,
    length: float,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """All tokens of a text go through the fusion layers, and gradients back through those from `layer` on.

    A gradient of activations alone costs what a forward pass costs.
    """
    seen, layers = num_image_tokens(vision), text.layers - layer
    fused = fusion_flops(text, length, seen)
    flops = workload.images * (
        image_encoder_flops(vision) + project_kv_flops(text, seen)
    ) + workload.pairs * (
        text_encoder_flops(text, length) + fused * (1 + layers / _looking_layers(text))
    )
    # Kept for the gradient: the states of each layer, its attention, and of `layer` its gradient.
    tokens = min(workload.pairs * length, chunk_sizes.text_tokens)
    each = layers * _reader_bytes(text) + (layers + 2) * text.heads * seen * FLOAT
    return Cost(
        flops,
        0.0,
        _look_bytes(vision, text, workload, length=length, chunk_sizes=chunk_sizes)
        + tokens * each,
    )


def pair_reasoning(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    chunk_sizes: ChunkSizes,
) -> Cost:
    """The same with two fusion layers for every set of keys and values: one for each image."""
    return _one_look(
        vision,
        text,
        workload,
        length=length,
        sets=_looking_layers(text) // 2,
        chunk_sizes=chunk_sizes,
    )


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
    """All images are encoded, all texts read, both kept in numbers of `item_bytes` bytes; then pairs are looked at, image by image."""
    seen, texts = num_image_tokens(vision), len(workload.texts)
    flops = workload.images * (
        image_encoder_flops(vision) + project_kv_flops(text, seen)
    ) + workload.pairs * fuse_cls_flops(text, length, seen)
    flops += texts * (text_encoder_flops(text, length) + fusion_input_flops(text, length))
    gallery = (
        workload.images * seen * vision.output_width * item_bytes
        + texts * length * text.width * item_bytes
    )
    compared = (
        FLOAT * features * (workload.images + texts)
        + COMPARED * ROWS * max(texts, workload.images)
        + PAIR * workload.pairs_at_most
    )
    passing = _reader_bytes(text) * chunk_sizes.text_tokens + _memory_bytes(text, seen)
    return Cost(
        flops, gallery + compared + passing, _encoder_bytes(vision, workload.images, chunk_sizes)
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
    """Images are encoded, texts read once; their features are compared."""
    texts = len(workload.texts)
    flops = (
        workload.images * image_encoder_flops(vision)
        + texts * text_encoder_flops(text, length)
        + 2.0 * workload.images * texts * features
    )
    resident = FLOAT * features * texts + _reader_bytes(text) * min(
        chunk_sizes.text_tokens, texts * length
    )
    return Cost(
        flops,
        resident,
        _encoder_bytes(vision, workload.images, chunk_sizes) + FLOAT * workload.images * texts,
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
    """A prompt is read, then as many beams are written as long as they may get: at most this, as some end before."""
    seen, written = num_image_tokens(vision), beams.width * (beams.max_length - prompt - 1)
    token = (
        text_encoder_flops(text, beams.max_length) + fusion_flops(text, beams.max_length, seen)
    ) / beams.max_length
    flops = (
        image_encoder_flops(vision)
        + project_kv_flops(text, seen)
        + (prompt + written) * token
        + (1 + written) * lm_head_flops(text)
    )
    recalled = beams.width * beams.max_length * text.layers * 2 * text.width * FLOAT
    words = 3 * beams.width * text.vocabulary * FLOAT
    memories = 2 * _memory_bytes(
        text, seen
    )  # twice: what is still looked at is copied when an image is done
    writing = workload.images * (memories + recalled + words)
    return Cost(
        workload.images * flops, 0.0, _encoder_bytes(vision, workload.images, chunk_sizes) + writing
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
    """Every question looks at its image and is looked at by `prefixes` of answers: at most this, as most answers need not be read."""
    seen = num_image_tokens(vision)
    question = text_encoder_flops(text, length) + fusion_flops(text, length, seen)
    answers = (
        project_kv_flops(decoder, round(length))
        + fusion_flops(decoder, prefixes + 1, length)
        + (prefixes + 1) * lm_head_flops(decoder)
    )
    flops = workload.images * (
        image_encoder_flops(vision) + project_kv_flops(text, seen)
    ) + workload.pairs * (question + answers)
    recalled = prefixes * decoder.layers * 2 * decoder.width * FLOAT
    each = (
        recalled
        + prefixes * _reader_bytes(decoder)
        + 2 * FLOAT * (decoder.vocabulary + prefixes**2)
    )
    words = FLOAT * decoder.vocabulary * chunk_sizes.lm_head_rows
    return Cost(
        flops,
        0.0,
        _look_bytes(vision, text, workload, length=length, chunk_sizes=chunk_sizes)
        + workload.pairs * each
        + words,
    )


def _one_look(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    sets: int,
    chunk_sizes: ChunkSizes,
) -> Cost:
    seen = num_image_tokens(vision)
    reader = (
        text_encoder_flops(text, length)
        + fusion_input_flops(text, length)
        + fuse_cls_flops(text, length, seen)
    )
    flops = (
        workload.images * (image_encoder_flops(vision) + project_kv_flops(text, seen, sets=sets))
        + workload.pairs * reader
    )
    return Cost(
        flops, 0.0, _look_bytes(vision, text, workload, length=length, chunk_sizes=chunk_sizes)
    )


def _looking_layers(text: TextArchitecture) -> int:
    return text.layers - text.fusion_layer


def _own(text: TextArchitecture, length: float) -> float:
    """Return the products of a token that attends to its own text."""
    return 4 * text.width**2 + 2 * length * text.width


def _look(text: TextArchitecture, seen: float) -> float:
    """Return the products of a token that looks at a memory, and thinks."""
    return 2 * text.width**2 + 2 * seen * text.width + 2 * text.width * text.inner_width


def _encoder_bytes(vision: VisionArchitecture, images: int, chunk_sizes: ChunkSizes) -> float:
    """Return what images take in the encoder, where only some are at a time, and before and after it."""
    patches = vision.stage_side(0) ** 2
    encoded = min(images, max(1, chunk_sizes.image_patches // patches))
    each = (
        3 * vision.resolution**2 + num_image_tokens(vision) * vision.output_width
    )  # its pixels, and its tokens
    return float(FLOAT * (encoded * AT_ONCE * patches * vision.width + images * each))


def _memory_bytes(text: TextArchitecture, seen: int) -> float:
    return float(_looking_layers(text) * 2 * seen * text.width * FLOAT)


def _reader_bytes(text: TextArchitecture) -> float:
    """Return what a token takes on its way through a layer: states, queries, keys, values, and the inside of the MLP twice."""
    return float((6 * text.width + 2 * text.inner_width) * FLOAT)


def _look_bytes(
    vision: VisionArchitecture,
    text: TextArchitecture,
    workload: Workload,
    *,
    length: float,
    chunk_sizes: ChunkSizes,
) -> float:
    """Return what images and the texts that look at them take: a memory for each image, and once more in the order of a table's rows."""
    tokens, memory = (
        min(workload.pairs * length, chunk_sizes.text_tokens),
        _memory_bytes(text, num_image_tokens(vision)),
    )
    memories = workload.images + min(workload.pairs, workload.images)
    return (
        _encoder_bytes(vision, workload.images, chunk_sizes)
        + memories * memory
        + tokens * _reader_bytes(text)
    )
