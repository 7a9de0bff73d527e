"""One BERT split at `fusion_layer`: the text encoder below, the fusion encoder from there on.

X-VLM (arXiv 2111.08276), section 3.1, and ALBEF before it: the fusion layers cross-attend to image
tokens. The keys and values of an image are projected once, however many texts are about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor, nn

from harness.engine.device import send
from harness.engine.packing import PackedTexts, dense
from harness.engine.segments import MASKED
from harness.models.fusion.kv import KV, CrossKV, Past
from harness.models.fusion.layers import Embeddings, Layer
from harness.models.fusion.sizes import TextArchitecture


class Encoder(nn.Module):
    """The layers under the name that checkpoints give them."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__()
        self.layer = nn.ModuleList(
            Layer(text, cross_attention=number >= text.fusion_layer)
            for number in range(text.layers)
        )


@dataclass(frozen=True)
class DecoderState:
    """The states [G, n, T, d] of the newest tokens, and each layer's keys and values so far."""

    states: Tensor
    past: list[KV]


class Bert(nn.Module):
    """Encode texts, fuse them with images, and decode texts about images."""

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

    def project_kv(self, tokens: Tensor, mask: Tensor | None = None) -> CrossKV:
        """Return the keys and values of image tokens [G, S, width] for each fusion layer.

        `mask` [G, S], best on the host, is 0 for tokens that nothing may attend to.
        """
        return project_kv(self.fusion_layers, tokens, mask)

    def encode_text(self, ids: Tensor, texts: PackedTexts) -> Tensor:
        """Encode texts alone: token ids [N] to states [N, d]."""
        states = self.embeddings(ids, send(texts.position_ids, ids.device))
        for layer in self.layers[: self.fusion_layer]:
            states = layer.feed_forward(layer.self_attention(states, texts))
        return states

    def precompute_fusion_input(self, states: Tensor, texts: PackedTexts) -> Tensor:
        """Run the first fusion layer's self-attention.

        It does not depend on the image, so it is computed once per text.
        """
        return self.fusion_layers[0].self_attention(states, texts)

    def fuse(self, fusion_input: Tensor, texts: PackedTexts, images: CrossKV) -> Tensor:
        """Run the fusion layers on precomputed input [N, d] and return the states of all tokens."""
        return self._fuse(fusion_input, texts, images, cls_only=False)

    def fuse_cls(self, fusion_input: Tensor, texts: PackedTexts, images: CrossKV) -> Tensor:
        """Run the fusion layers and return the [CLS] states [n, d].

        The last layer computes nothing else.
        """
        return self._fuse(fusion_input, texts, images, cls_only=True)

    def _fuse(
        self, states: Tensor, texts: PackedTexts, images: CrossKV, *, cls_only: bool
    ) -> Tensor:
        last = len(self.fusion_layers) - 1
        for number, (layer, kv) in enumerate(zip(self.fusion_layers, images.layers, strict=True)):
            only = cls_only and number == last
            if number > 0:
                states = layer.self_attention(states, texts, cls_only=only)
            elif only:
                states = states[texts.first]
            queries = texts.cls if only else texts.tokens
            states = layer.feed_forward(layer.cross_attention(states, queries.by_image, kv))
        return states

    def multi_modal(self, ids: Tensor, texts: PackedTexts, images: CrossKV) -> Tensor:
        """Encode texts, ids [N], and fuse them with their images: states [N, d]."""
        states = self.encode_text(ids, texts)
        return self.fuse(self.precompute_fusion_input(states, texts), texts, images)

    def multi_modal_cls(self, ids: Tensor, texts: PackedTexts, images: CrossKV) -> Tensor:
        """Encode texts, ids [N], and fuse them with their images: [CLS] states [n, d]."""
        states = self.encode_text(ids, texts)
        return self.fuse_cls(self.precompute_fusion_input(states, texts), texts, images)

    def decode(
        self,
        ids: Tensor,
        images: CrossKV,
        *,
        past: Sequence[Past] = (),
        position_ids: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> DecoderState:
        """Run all layers on the next tokens of n texts about each image, ids [G, n, T].

        They come after the tokens of `past`. By default a token attends to all tokens before it
        and to itself (several at a time are then possible only without a past); `position_ids`
        [G, n, T] and `mask` [G * n, 1, T, past + T], which is added to the scores, say otherwise.
        """
        length, before = ids.shape[-1], past[0].length if past else 0
        if position_ids is None:
            position_ids = torch.arange(before, before + length, device=ids.device).expand_as(ids)
        if mask is None and length > 1:
            mask = torch.full((length, length), MASKED, device=ids.device).triu(1)
        queries = dense(*ids.shape)
        states = self.embeddings(ids.flatten(), position_ids.flatten())
        caches: list[KV] = []
        for number, (layer, own) in enumerate(zip_longest(self.layers, past)):
            (kv,) = layer.attention.project_kv(states, queries.by_text)
            caches.append(kv if own is None else own.append(kv))
            kv = KV(caches[-1].keys, caches[-1].values, mask)
            states = layer.attention(states, queries.by_text, [kv])
            if number >= self.fusion_layer:
                image_kv = images.layers[number - self.fusion_layer]
                states = layer.cross_attention(states, queries.by_image, image_kv)
            states = layer.feed_forward(states)
        return DecoderState(states.view(*ids.shape, -1), caches)


def project_kv(layers: Sequence[Layer], tokens: Tensor, mask: Tensor | None = None) -> CrossKV:
    """Return the keys and values of image tokens [G, S, width] for each of some fusion layers."""
    by_image = dense(len(tokens), 1, tokens.shape[1]).by_text
    scores = None
    if mask is not None and not bool(mask.all()):
        scores = torch.where(mask.bool(), 0.0, MASKED)[:, None, None]
        scores = send(scores, tokens.device)
    projected = []
    for layer in layers:
        (kv,) = layer.crossattention.project_kv(tokens.flatten(0, 1), by_image)
        projected.append(KV(kv.keys, kv.values, scores))
    return CrossKV(tuple(projected))
