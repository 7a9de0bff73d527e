"""Texts fused with the images they are about: texts of any lengths in, one pack at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.device import Device
from harness.engine.packing import PackedTexts, pack
from harness.models.fusion.bert import Bert
from harness.models.fusion.kv import CrossKV

ImageOf = Sequence[int] | NDArray[np.int64]
KVOfImages = Callable[[Tensor], CrossKV]
"""Return the keys and values of some images [G], by index on the host."""


class FusedTexts(NamedTuple):
    """States [n, T, d], padded with 0, and 1 for tokens, 0 for padding, [n, T] (on the host)."""

    states: Tensor
    present: Tensor


def fused_cls(
    encoder: Bert, texts: Sequence[Sequence[int]], kv: KVOfImages, image_of: ImageOf, device: Device
) -> Tensor:
    """Return the [CLS] states [n, d] of texts, given as token ids, text n about `image_of[n]`."""
    states = torch.empty(len(texts), _width(encoder), device=device.torch)
    for packed, ids, on_device in packs(texts, image_of, device):
        cls = encoder.multi_modal_cls(ids, on_device, kv(packed.images))
        states[on_device.texts] = cls.float()
    return states


def fused_tokens(
    encoder: Bert, texts: Sequence[Sequence[int]], kv: KVOfImages, image_of: ImageOf, device: Device
) -> FusedTexts:
    """Return the states of all tokens of texts, given as token ids, text n about `image_of[n]`."""
    lengths = torch.tensor([len(text) for text in texts])
    longest = int(lengths.max())
    states = torch.zeros(len(texts), longest, _width(encoder), device=device.torch)
    for packed, ids, on_device in packs(texts, image_of, device):
        fused = encoder.multi_modal(ids, on_device, kv(packed.images))
        text = device.send(packed.per_token(packed.texts))
        states[text, device.send(packed.position_ids)] = fused.float()
    return FusedTexts(states, (torch.arange(longest) < lengths[:, None]).long())


def packs(
    texts: Sequence[Sequence[int]], image_of: ImageOf, device: Device
) -> Iterator[tuple[PackedTexts, Tensor, PackedTexts]]:
    """Yield packs on the host, their token ids on the device, and the same packs there."""
    lengths = [len(text) for text in texts]
    for packed in pack(lengths, device.chunk_sizes, image_of=image_of):
        yield packed, device.send(packed.ids_of(texts)), packed.to(device.torch)


def _width(encoder: Bert) -> int:
    return encoder.embeddings.word_embeddings.embedding_dim
