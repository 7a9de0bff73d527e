"""Encoded texts, packed: what retrieval fuses with one image after another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from harness.engine.chunks import ChunkSizes, chunk_sizes_of
from harness.engine.device import Device, send
from harness.engine.packing import PackedTexts, pack
from harness.models.fusion.bert import Bert


class Pack(NamedTuple):
    """Some of the texts, packed on the device, and their fusion input [N, d]."""

    texts: PackedTexts
    fusion_input: Tensor


@dataclass(frozen=True)
class EncodedTexts:
    """The `features` [T, f] of texts, and their fusion input [all tokens, d], end to end.

    Text i has `lengths[i]` tokens from `first[i]` on. The fusion input is the output of the first
    fusion layer's self-attention: no image changes it up to there.
    """

    features: Tensor
    fusion_input: Tensor
    first: Tensor
    lengths: Tensor

    def packs(
        self,
        chosen: Tensor,
        *,
        image_of: Tensor | None = None,
        chunk_sizes: ChunkSizes | None = None,
    ) -> Iterator[Pack]:
        """Yield the texts `chosen` [n], by index on the host; a pack indexes into `chosen`.

        Text `chosen[i]` is to be fused with image `image_of[i]`; by default, all with one image.
        Packs are as large as suits the device, or as `chunk_sizes` says.
        """
        device = self.fusion_input.device
        lengths = self.lengths[chosen].tolist()
        for texts in pack(lengths, chunk_sizes or chunk_sizes_of(device), image_of=image_of):
            tokens = texts.per_token(self.first[chosen[texts.texts]]) + texts.position_ids
            yield Pack(texts.to(device), self.fusion_input[send(tokens, device)])


def encode_texts(
    encoder: Bert,
    texts: Sequence[Sequence[int]],
    device: Device,
    *,
    features_of: Callable[[Tensor], Tensor],
    feature_width: int,
) -> EncodedTexts:
    """Encode texts given as token ids, once for all images.

    `features_of` maps the [CLS] states [n, d] to features [n, feature_width]. Raises ValueError
    where there is no text.
    """
    if not texts:
        raise ValueError("no text to encode")
    lengths = torch.tensor([len(text) for text in texts])
    first = torch.empty_like(lengths)
    fusion_input = torch.empty(
        int(lengths.sum()),
        encoder.embeddings.word_embeddings.embedding_dim,
        dtype=device.storage_dtype,
        device=device.torch,
    )
    features = torch.empty(len(texts), feature_width, device=device.torch)
    begin = 0
    for packed in pack(lengths.tolist(), device.chunk_sizes):
        first[packed.texts] = begin + packed.first
        ids, moved = device.send(packed.ids_of(texts)), packed.to(device.torch)
        states = encoder.encode_text(ids, moved)
        end = begin + len(ids)
        fusion_input[begin:end] = encoder.precompute_fusion_input(states, moved)
        features[moved.texts] = features_of(states[moved.first])
        begin = end
    return EncodedTexts(features, fusion_input, first, lengths)
