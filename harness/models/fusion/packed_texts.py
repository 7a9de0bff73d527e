"""Texts that were read, laid end to end: what retrieval compares with images, again and again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from harness.engine.chunks import chunk_sizes_of
from harness.engine.device import Device, send
from harness.engine.packing import PackedTexts, pack
from harness.models.fusion.bert import Bert


class Readers(NamedTuple):
    """Some of the texts, ready to look: a packed on the device, whose `texts` are places among those asked for, and its states [N, d]."""

    packed: PackedTexts
    states: Tensor


@dataclass(frozen=True)
class Texts:
    """Read texts: `features` [T, f], and `states` [all tokens, d], laid end to end, from which they go on to look at images.

    Text i begins at `start[i]` and has `length[i]` tokens. The states are those after the first fusion layer's own attention: no image
    changes them up to there.
    """

    features: Tensor
    states: Tensor
    start: Tensor
    length: Tensor

    def readers(self, which: Tensor) -> Iterator[Readers]:
        """Yield the texts `which` [n], by index."""
        device = self.states.device
        for packed in pack(self.length[which].tolist(), chunk_sizes_of(device)):
            tokens = packed.per_token(self.start[which[packed.texts]]) + packed.position_ids
            yield Readers(packed.to(device), self.states[send(tokens, device)])


def read_texts(
    encoder: Bert,
    texts: Sequence[Sequence[int]],
    device: Device,
    *,
    features_of: Callable[[Tensor], Tensor],
    feature_width: int,
) -> Texts:
    """Read texts given as token ids; `features_of` makes features [n, feature_width] of their first tokens' states [n, d].

    Raises ValueError where there is no text.
    """
    if not texts:
        raise ValueError("no text to read")
    length = torch.tensor([len(text) for text in texts])
    start = torch.empty_like(length)
    states = torch.empty(
        int(length.sum()),
        encoder.embeddings.word_embeddings.embedding_dim,
        dtype=device.storage_dtype,
        device=device.torch,
    )
    features = torch.empty(len(texts), feature_width, device=device.torch)
    laid = 0
    for packed in pack(length.tolist(), device.chunk_sizes):
        start[packed.texts] = laid + packed.first
        ids = torch.tensor(list(chain.from_iterable(texts[text] for text in packed.texts.tolist())))
        there = packed.to(device.torch)
        read = encoder.encode_text_packed(device.send(ids), there)
        states[laid : laid + len(ids)] = encoder.precompute_fusion_input_packed(read, there)
        features[there.texts] = features_of(read[there.first])
        laid += len(ids)
    return Texts(features, states, start, length)
