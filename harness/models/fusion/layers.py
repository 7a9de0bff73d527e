"""The layers of BERT with cross-attention, on packed tokens [N, d].

Devlin et al., BERT (arXiv 1810.04805): post-LayerNorm, exact GELU. Parameter names are those of
the released checkpoints. Which tokens attend to which is decided by `Segments`: a packed text, the
texts of an image, or the step of a decoder.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from harness.engine.fused import norm_of_sum
from harness.engine.matmul import scaled_dot_product_attention
from harness.engine.packed_attention import attend_tiles
from harness.engine.packing import PackedTexts
from harness.engine.segments import Segments
from harness.models.fusion.kv import KV
from harness.models.fusion.sizes import TextArchitecture

EPSILON = 1e-12


class Embeddings(nn.Module):
    """Turn token ids [N] into states [N, d]; all tokens are of type 0, where there are types."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(text.vocabulary, text.width)
        self.position_embeddings = nn.Embedding(text.positions, text.width)
        self.token_type_embeddings = nn.Embedding(2, text.width) if text.token_types else None
        self.LayerNorm = nn.LayerNorm(text.width, eps=EPSILON)

    def forward(self, ids: Tensor, position_ids: Tensor) -> Tensor:
        words, positions = self.word_embeddings(ids), self.position_embeddings(position_ids)
        states = words + positions
        if self.token_type_embeddings is not None:
            states = states + self.token_type_embeddings.weight[0]
        return self.LayerNorm(states)


class Projections(nn.Module):
    """The maps to queries, and to keys and values of what may be of another width."""

    def __init__(self, width: int, encoder_width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(encoder_width, width)
        self.value = nn.Linear(encoder_width, width)


class Output(nn.Module):
    """Project, add the residual, normalise."""

    def __init__(self, inner_width: int, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inner_width, width)
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, states: Tensor, residual: Tensor) -> Tensor:
        return norm_of_sum(self.dense(states), residual, self.LayerNorm)


class Attention(nn.Module):
    """Multi-head attention with its residual and LayerNorm."""

    def __init__(self, text: TextArchitecture, *, encoder_width: int) -> None:
        super().__init__()
        self.heads = text.heads
        self.self = Projections(text.width, encoder_width)
        self.output = Output(text.width, text.width)

    def project_kv(self, states: Tensor, segments: Segments) -> list[KV]:
        """Return the keys and values of tokens [N, width], one `KV` for each bucket of segments."""
        return project_kv(self.self, states, segments, heads=self.heads)

    def forward(self, states: Tensor, segments: Segments, kv: Sequence[KV]) -> Tensor:
        """Let tokens [N, d] attend to the keys and values of their segment."""
        return self.output(attend(self.self.query(states), segments, kv, heads=self.heads), states)

    def weights(self, query: Tensor, kv: KV) -> Tensor:
        """Return the attention weights [B, heads, L, S] of projected queries [B, L, d]."""
        query = split_heads(query, self.heads)
        scores = query @ kv.keys.transpose(2, 3) / query.shape[-1] ** 0.5
        return (scores if kv.mask is None else scores + kv.mask).softmax(-1)


def project_kv(
    projections: Projections, states: Tensor, segments: Segments, *, heads: int
) -> list[KV]:
    """Return the keys and values of tokens [N, width], one `KV` for each bucket of segments.

    Segments in tiles have one of all tokens, without padding.
    """
    keys, values = projections.key(states), projections.value(states)
    if segments.tiles is not None:
        return [KV(split_heads(keys[None], heads), split_heads(values[None], heads))]
    return [
        KV(
            split_heads(bucket.pad(keys), heads),
            split_heads(bucket.pad(values), heads),
            bucket.mask,
        )
        for bucket in segments.buckets
    ]


def attend(query: Tensor, segments: Segments, kv: Sequence[KV], *, heads: int) -> Tensor:
    """Return the context [N, d] of projected queries [N, d], given each bucket's `kv`."""
    if segments.tiles is not None:
        (all_kv,) = kv
        return attend_tiles(query, segments.tiles, all_kv.keys, all_kv.values, all_kv.mask)
    context = [
        _attend(split_heads(bucket.pad(query), heads), bucket_kv)
        for bucket, bucket_kv in zip(segments.buckets, kv, strict=True)
    ]
    return segments.restore(context)


def split_heads(states: Tensor, heads: int) -> Tensor:
    """Split states [B, L, d] into heads [B, heads, L, w]."""
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)


def _attend(query: Tensor, kv: KV) -> Tensor:
    attended = scaled_dot_product_attention(query, kv.keys, kv.values, attn_mask=kv.mask)
    return attended.transpose(1, 2).flatten(2)


class Intermediate(nn.Module):
    """The first half of the feed-forward block."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.dense = nn.Linear(text.width, text.inner_width)
        self.activation = nn.GELU()

    def forward(self, states: Tensor) -> Tensor:
        return self.activation(self.dense(states))


class Layer(nn.Module):
    """Self-attention, cross-attention (fusion layers only), feed-forward."""

    def __init__(self, text: TextArchitecture, *, cross_attention: bool) -> None:
        super().__init__()
        self.attention = Attention(text, encoder_width=text.width)
        if cross_attention:
            self.crossattention = Attention(text, encoder_width=text.encoder_width)
        self.intermediate = Intermediate(text)
        self.output = Output(text.inner_width, text.width)

    def self_attention(
        self, states: Tensor, texts: PackedTexts, *, cls_only: bool = False
    ) -> Tensor:
        """Let all tokens [N, d], or only the [CLS] tokens [n, d], attend to their text."""
        kv = self.attention.project_kv(states, texts.tokens.by_text)
        if cls_only:
            return self.attention(states[texts.first], texts.cls.by_text, kv)
        return self.attention(states, texts.tokens.by_text, kv)

    def cross_attention(self, states: Tensor, by_image: Segments, images: KV) -> Tensor:
        """Let tokens [N, d], cut by image, attend to the image tokens of their image, out of G."""
        if by_image.tiles is not None:
            return self.crossattention(states, by_image, [images])
        kv = [images.select(bucket.segments) for bucket in by_image.buckets]
        return self.crossattention(states, by_image, kv)

    def feed_forward(self, states: Tensor) -> Tensor:
        """Transform each token alone."""
        return self.output(self.intermediate(states), states)
