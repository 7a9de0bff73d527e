"""The text encoder and the fusion encoder: one BERT, split at `fusion_layer`; and the decoders, which are built alike.

Devlin et al., BERT (arXiv 1810.04805): post-LayerNorm, exact GELU. The layers below `fusion_layer` read; the others also look at an image
by cross-attention (X-VLM, section 3.1): a memory [G, S, width], and its readers [G, n, T, d]. `layers.py` says what these are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor, nn

from harness.engine.device import send
from harness.engine.packing import PackedTexts
from harness.models.fusion.layers import KV, Embeddings, Layer, Past
from harness.models.fusion.sizes import TextArchitecture

PADDING = -1e4  # what the reference adds to the score of a padded token (transformers 4.12.5): its weight is exactly 0 in float32
UNSEEN = -1e9  # what the reference adds to the score of a masked image token


class Encoder(nn.Module):
    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.layer = nn.ModuleList(
            Layer(text, cross_attention=number >= text.fusion_layer)
            for number in range(text.layers)
        )


@dataclass(frozen=True)
class DecoderState:
    """Where texts that are being written stand: the states [G, n, T, d] of their newest tokens, and what each layer recalls of them."""

    states: Tensor
    past: list[KV]


class Bert(nn.Module):
    """Read texts, and look at memories with them."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.fusion_layer = text.fusion_layer
        self.embeddings = Embeddings(text)
        self.encoder = Encoder(text)

    @property
    def layers(self) -> list[Layer]:
        return [layer for layer in self.encoder.layer if isinstance(layer, Layer)]

    @property
    def fusion_layers(self) -> list[Layer]:
        return self.layers[self.fusion_layer :]

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Turn texts alone, ids [G, n, T], into states [G, n, T, d]. `mask` is what `padding_mask` or `causal_mask` gives."""
        states = self.embeddings(ids)
        for layer in self.layers[: self.fusion_layer]:
            states = layer.feed_forward(
                layer.self_attention(states, layer.project_kv(states), mask)
            )
        return states

    def project_kv(self, seen: Tensor) -> list[KV]:
        """Make the memory of what is looked at, [G, S, width]: keys and values for each fusion layer, once for all readers."""
        return [layer.crossattention.project_kv(seen) for layer in self.fusion_layers]

    def precompute_fusion_input(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let read texts [G, n, T, d] attend to themselves before they first look: the part of looking that no memory changes."""
        first = self.fusion_layers[0]
        return first.self_attention(states, first.project_kv(states), mask)

    def fuse(
        self,
        states: Tensor,
        memory: list[KV],
        mask: Tensor | None = None,
        *,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """Let read texts [G, n, T, d] look at their memories; returns states of the same shape."""
        return self._fuse(
            self.precompute_fusion_input(states, mask),
            memory,
            mask,
            memory_mask,
            asking=slice(None),
        )

    def fuse_cls(self, begun: Tensor, memory: list[KV], mask: Tensor | None = None) -> Tensor:
        """Let texts that have begun, [G, n, T, d], look at their memories; returns their first tokens only, [G, n, d].

        Nothing else is asked of the last layer, so that it computes nothing else.
        """
        return self._fuse(begun, memory, mask, None, asking=slice(1))[:, :, 0]

    def _fuse(
        self,
        states: Tensor,
        memory: list[KV],
        mask: Tensor | None,
        memory_mask: Tensor | None,
        *,
        asking: slice,
    ) -> Tensor:
        """Let texts that have begun look, layer after layer; in the last one only the tokens `asking` do."""
        for number, (layer, seen) in enumerate(
            zip(self.fusion_layers, memory, strict=True), start=1
        ):
            asked = states[:, :, asking] if number == len(memory) else states
            states = (
                layer.self_attention(asked, layer.project_kv(states), mask) if number > 1 else asked
            )
            states = layer.feed_forward(layer.cross_attention(states, seen, memory_mask))
        return states

    def encode_text_packed(self, ids: Tensor, packed: PackedTexts) -> Tensor:
        """Read texts laid end to end on this device, ids [N]; returns states [N, d]."""
        states = self.embeddings(ids, send(packed.position_ids, ids.device))
        for layer in self.layers[: self.fusion_layer]:
            states = layer.feed_forward(layer.packed_self_attention(states, packed))
        return states

    def precompute_fusion_input_packed(self, states: Tensor, packed: PackedTexts) -> Tensor:
        """Let read texts attend to themselves before they first look, as `begin` does."""
        return self.fusion_layers[0].packed_self_attention(states, packed)

    def fuse_cls_packed(self, begun: Tensor, packed: PackedTexts, memory: list[KV]) -> Tensor:
        """Let texts that have begun, [N, d], look at one memory; returns their first tokens [n, d], as `fuse_cls` does."""
        states = begun
        for number, (layer, seen) in enumerate(
            zip(self.fusion_layers, memory, strict=True), start=1
        ):
            last = number == len(memory)
            if number > 1:
                states = layer.packed_self_attention(states, packed, first_only=last)
            elif last:
                states = states[packed.first]
            states = layer.feed_forward(
                layer.cross_attention(states[None, :, None], seen, None)[0, :, 0]
            )
        return states

    def decode(
        self,
        ids: Tensor,
        memory: list[KV],
        *,
        past: Sequence[Past] = (),
        position_ids: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> DecoderState:
        """Read and look at once: ids [G, n, T] are what texts go on with after the tokens that `past` recalls.

        By default every token sees those before it and itself (more than one at a time is then only possible at the beginning); `position_ids`
        [G, n, T] and `mask` [G * n, 1, T, past + T] say otherwise: several ways to go on can be written next to one another.
        """
        length, before = ids.shape[-1], past[0].length if past else 0
        position_ids = (
            torch.arange(before, before + length, device=ids.device)
            if position_ids is None
            else position_ids
        )
        if mask is None and length > 1:
            mask = (1.0 - torch.ones(length, length, device=ids.device).tril()) * PADDING
        states = self.embeddings(ids, position_ids)
        caches: list[KV] = []
        for number, (layer, own) in enumerate(zip_longest(self.layers, past)):
            caches.append(layer.project_kv(states, own))
            states = layer.self_attention(states, caches[-1], mask)
            if number >= self.fusion_layer:
                states = layer.cross_attention(
                    states, memory[number - self.fusion_layer], memory_mask
                )
            states = layer.feed_forward(states)
        return DecoderState(states, caches)


def padding_mask(present: Tensor, device: torch.device | None = None) -> Tensor | None:
    """Return what hides the padding of texts: `present` [G, n, T] is 1 for tokens. None where nothing is hidden.

    A mask for another device is made where `present` is: on the host, whether anything is hidden can be told without waiting.
    """
    mask = (
        None
        if bool(present.all())
        else (1.0 - present.flatten(0, 1)[:, None, None].float()) * PADDING
    )
    return mask if mask is None or device is None else send(mask, device)


def causal_mask(present: Tensor) -> Tensor:
    """Return what hides the padding and everything after a token; `present` [G, n, T] is 1 for tokens."""
    length = present.shape[-1]
    past = torch.ones(length, length, device=present.device).tril()
    return (1.0 - past * present.flatten(0, 1)[:, None, None].float()) * PADDING


def memory_mask(present: Tensor, device: torch.device | None = None) -> Tensor | None:
    """Return what hides parts of a memory, as `padding_mask` does: `present` [G, S] is 1 for what may be seen."""
    mask = None if bool(present.all()) else (1.0 - present[:, None, None].float()) * UNSEEN
    return mask if mask is None or device is None else send(mask, device)
