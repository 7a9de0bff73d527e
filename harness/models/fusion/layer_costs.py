"""The cost of the parts of a model: operations of a layer, bytes of what it holds.

They follow from the sizes alone. Operations are the floating-point multiplications and additions of
matrix products, attention included; everything else is below one percent. Bytes assume float32, an
upper bound where a run stores fewer bits; the bytes of an image in the encoder were measured, not
derived. A `length` is the mean number of tokens of the texts, `image_tokens` the number of tokens
that they cross-attend to.
"""

from typing import NamedTuple, Protocol

from harness.engine.chunks import ChunkSizes
from harness.models.fusion.sizes import TextArchitecture
from harness.workload import Workload

FLOAT = 4  # bytes
ENCODER_FACTOR = 18  # bytes of an image in a GPU's encoder over those of its patches; less on a CPU


class VisionSizes(Protocol):
    """The sizes of a vision encoder."""

    @property
    def resolution(self) -> int:
        """The side of an image in pixels."""
        ...

    @property
    def tokens(self) -> int:
        """The tokens of an image that texts cross-attend to."""
        ...

    @property
    def output_width(self) -> int:
        """The width of these tokens."""
        ...

    @property
    def first_layer_numbers(self) -> int:
        """The numbers in the first layer's input for one image."""
        ...

    @property
    def flops(self) -> float:
        """The operations of one image in the encoder."""
        ...


class Demand(NamedTuple):
    """What is computed: the sizes of a network, a workload, and the parts that it is cut into.

    `length` is the mean number of tokens of the texts.
    """

    vision: VisionSizes
    text: TextArchitecture
    workload: Workload
    length: float
    chunk_sizes: ChunkSizes


def project_kv_flops(
    text: TextArchitecture, image_tokens: int, *, sets: int | None = None
) -> float:
    """Return the operations of an image's keys and values, one set per fusion layer or `sets`."""
    layers = fusion_layers(text) if sets is None else sets
    return 4.0 * layers * image_tokens * text.encoder_width * text.width


def text_encoder_flops(text: TextArchitecture, length: float) -> float:
    """Return the operations of a text in the layers without cross-attention."""
    feed_forward = 2 * text.width * text.inner_width
    return 2.0 * text.fusion_layer * length * (_self_attention(text, length) + feed_forward)


def fusion_flops(text: TextArchitecture, length: float, image_tokens: float) -> float:
    """Return the operations of an encoded text in the fusion layers."""
    layer = _self_attention(text, length) + _cross_attention_and_mlp(text, image_tokens)
    return 2.0 * fusion_layers(text) * length * layer


def fusion_input_flops(text: TextArchitecture, length: float) -> float:
    """Return the operations of the first fusion layer's self-attention: once per text."""
    return 2.0 * length * _self_attention(text, length)


def fuse_cls_flops(text: TextArchitecture, length: float, image_tokens: float) -> float:
    """Return the operations from the fusion input to [CLS], alone in the last layer."""
    layers, kv = fusion_layers(text), 2 * text.width**2
    own, rest = _self_attention(text, length), _cross_attention_and_mlp(text, image_tokens)
    if layers == 1:
        return 2.0 * rest
    all_tokens = length * rest + (layers - 2) * length * (own + rest)
    return 2.0 * (all_tokens + length * kv + own - kv + rest)


def lm_head_flops(text: TextArchitecture) -> float:
    """Return the operations of one distribution over the vocabulary."""
    return 2.0 * text.width * (text.width + text.vocabulary)


def fusion_layers(text: TextArchitecture) -> int:
    """Return the number of layers with cross-attention."""
    return text.layers - text.fusion_layer


def encoder_bytes(vision: VisionSizes, images: int, chunk_sizes: ChunkSizes) -> float:
    """Return the bytes of images: all of their pixels and tokens, and few in the encoder."""
    at_a_time = min(images, chunk_sizes.images_of(vision.resolution))
    numbers = 3 * vision.resolution**2 + vision.tokens * vision.output_width
    inside = ENCODER_FACTOR * vision.first_layer_numbers
    return float(FLOAT * (at_a_time * inside + images * numbers))


def kv_bytes(text: TextArchitecture, image_tokens: int) -> float:
    """Return the bytes of an image's keys and values in all fusion layers."""
    return float(fusion_layers(text) * 2 * image_tokens * text.width * FLOAT)


def token_bytes(text: TextArchitecture) -> float:
    """Return the bytes of a token in a layer: states, queries, keys, values, the MLP twice."""
    return float((6 * text.width + 2 * text.inner_width) * FLOAT)


def fusion_bytes(demand: Demand) -> float:
    """Return the bytes of images and the texts fused with them.

    Keys and values count once for each image, and once more for those selected for a pack.
    """
    vision, text, workload, length, chunk_sizes = demand
    tokens = min(workload.pairs * length, chunk_sizes.text_tokens)
    selected = min(workload.pairs, workload.images)
    return (
        encoder_bytes(vision, workload.images, chunk_sizes)
        + (workload.images + selected) * kv_bytes(text, vision.tokens)
        + tokens * token_bytes(text)
    )


def _self_attention(text: TextArchitecture, length: float) -> float:
    """Return the products of a token in self-attention."""
    return 4 * text.width**2 + 2 * length * text.width


def _cross_attention_and_mlp(text: TextArchitecture, image_tokens: float) -> float:
    """Return the products of a token in cross-attention, given keys and values, and in the MLP."""
    attention = 2 * text.width**2 + 2 * image_tokens * text.width
    return attention + 2 * text.width * text.inner_width
