"""What the networks of every ALBEF-like family have in common, whatever encodes their images."""

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from harness.engine.device import Device
from harness.engine.packing import PackedTexts
from harness.models.fusion.bert import Bert
from harness.models.fusion.encoded_texts import EncodedTexts, encode_texts
from harness.models.fusion.heads import apply_head
from harness.models.fusion.kv import CrossKV
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.layer_costs import VisionSizes
from harness.models.fusion.pair_kv import PairKV
from harness.models.fusion.sizes import TextArchitecture


class FusionNetwork(nn.Module):
    """A vision encoder, and the sizes `text` of the BERT that cross-attends to its tokens."""

    vision: VisionSizes
    text: TextArchitecture

    @property
    def image_encoder(self) -> nn.Module:
        """The vision encoder, which the families' files name differently."""
        raise NotImplementedError

    @property
    def heads(self) -> Mapping[str, int]:
        """The numbers of attention heads, which no tensor of a file shows."""
        return {"text_heads": self.text.heads}


class RetrievalNetwork(FusionNetwork):
    """Compare images and texts."""

    text_encoder: Bert
    vision_proj: nn.Linear
    text_proj: nn.Linear
    itm_head: nn.Module

    def image_features(self, tokens: Tensor) -> Tensor:
        """Return unit vectors [M, f] of image tokens [M, S, C]; the temperature is not applied."""
        return F.normalize(apply_head(self.vision_proj, tokens[:, 0]), dim=-1)

    def text_features(self, cls: Tensor) -> Tensor:
        """Return unit vectors [n, f] of the [CLS] states [n, d] of encoded texts."""
        return F.normalize(apply_head(self.text_proj, cls), dim=-1)

    def encode_texts(self, texts: Sequence[Sequence[int]], device: Device) -> EncodedTexts:
        """Encode texts given as token ids. Raises ValueError without texts."""
        width = self.text_proj.out_features
        return encode_texts(
            self.text_encoder, texts, device, features_of=self.text_features, feature_width=width
        )

    def encode_features(self, texts: Sequence[Sequence[int]], device: Device) -> Tensor:
        """Return the features [T, f] of texts that no image is going to be fused with."""
        return self.encode_texts(texts, device).features

    def match(self, fusion_input: Tensor, texts: PackedTexts, image: CrossKV) -> Tensor:
        """Return the image-text matching logits [n, 2] (no, yes) of texts, fusion input [N, d]."""
        cls = self.text_encoder.fuse_cls(fusion_input, texts, image)
        return apply_head(self.itm_head, cls)


class AnsweringNetwork(FusionNetwork):
    """Rank or generate answers to questions; `decoder_text` are the sizes of the decoder."""

    decoder_text: TextArchitecture
    text_encoder: Bert
    text_decoder: LanguageModel


class CaptioningNetwork(FusionNetwork):
    """Describe images: a decoder and no text encoder."""

    text_decoder: LanguageModel


class PairNetwork(FusionNetwork):
    """Decide whether a statement is true of two images; the families differ in `project_kv`."""

    text_encoder: Bert
    cls_head: nn.Module

    def project_kv(self, tokens: Tensor, pairs: Tensor) -> PairKV:
        """Project image tokens [M, S, C] that are the sides of `pairs` [P, 2], on the host."""
        raise NotImplementedError

    def logits(self, cls: Tensor) -> Tensor:
        """Return logits [n, 2] (false, true) of fused [CLS] states [n, d]."""
        return apply_head(self.cls_head, cls)
