"""BLIP's retrieval network: texts are encoded twice, for features and for their fusion."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from harness.engine.device import Device
from harness.engine.packing import PackedTexts, pack
from harness.models.fusion.bert import Bert
from harness.models.fusion.encoded_texts import EncodedTexts, encode_texts
from harness.models.vit.networks import RetrievalNetwork


class BlipRetrievalNetwork(RetrievalNetwork):
    """Every layer cross-attends to the image, so little of a text can be computed without one.

    Only what precedes the first cross-attention, embeddings and self-attention, is computed once
    per text. Features come from the same layers without cross-attention, and from [CLS]; matching
    begins with `begin_fused`, [ENC], instead (train_retrieval.py 97).
    """

    def encode_texts(
        self, texts: Sequence[Sequence[int]], device: Device, *, begin_fused: int | None = None
    ) -> EncodedTexts:
        """Encode texts given as token ids. Raises ValueError without texts."""
        fused = texts if begin_fused is None else [[begin_fused, *ids[1:]] for ids in texts]
        encoded = encode_texts(
            self.text_encoder, fused, device, features_of=lambda cls: cls[:, :0], feature_width=0
        )
        return replace(encoded, features=self.encode_features(texts, device))

    def encode_features(self, texts: Sequence[Sequence[int]], device: Device) -> Tensor:
        """Return the features [T, f] of texts."""
        features = torch.empty(len(texts), self.text_proj.out_features, device=device.torch)
        for packed in pack([len(text) for text in texts], device.chunk_sizes):
            ids, on_device = device.send(packed.ids_of(texts)), packed.to(device.torch)
            cls = encode_alone(self.text_encoder, ids, on_device)[on_device.first]
            features[on_device.texts] = self.text_features(cls)
        return features


def encode_alone(encoder: Bert, ids: Tensor, texts: PackedTexts) -> Tensor:
    """Return the states [N, d] of texts, token ids [N], without any cross-attention.

    The `mode='text'` of models/med.py.
    """
    states = encoder.encode_text(ids, texts)  # the embeddings: no layer is below the fusion
    for layer in encoder.fusion_layers:
        states = layer.feed_forward(layer.self_attention(states, texts))
    return states
