"""The networks of ALBEF and BLIP, one per kind of checkpoint: encoders and a task head."""

from collections.abc import Sequence
from typing import Self, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.engine.device import Device
from harness.engine.packing import PackedTexts
from harness.errors import CheckpointError
from harness.models.fusion.bert import Bert
from harness.models.fusion.encoded_texts import EncodedTexts, encode_texts
from harness.models.fusion.heads import BatchInvariantLinear, apply_head
from harness.models.fusion.kv import CrossKV
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.sizes import TextArchitecture
from harness.models.vit.architecture import Architecture
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.encoder import VisionTransformer

A = TypeVar("A")


class Network(nn.Module):
    """A vision encoder, and the sizes `text` of the BERT that cross-attends to its tokens."""

    def __init__(self, architecture: Architecture, text: TextArchitecture) -> None:
        super().__init__()
        self.vision, self.text = architecture.vision, text
        if text.encoder_width != self.vision.width:
            raise CheckpointError(
                f"its BERT attends to image tokens {text.encoder_width} wide, "
                f"its vision encoder outputs {self.vision.width}"
            )
        self.visual_encoder = VisionTransformer(architecture.vision)


class RetrievalNetwork(Network):
    """Compare images and texts."""

    def __init__(self, architecture: Architecture, *, feature_width: int) -> None:
        text = required(architecture.text, "text encoder")
        super().__init__(architecture, text)
        self.text_encoder = Bert(text)
        self.vision_proj = nn.Linear(self.vision.width, feature_width)
        self.text_proj = nn.Linear(text.width, feature_width)
        self.itm_head = BatchInvariantLinear(text.width, 2)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """Return the unfilled network of a file."""
        projection = checkpoint.tensors.get("vision_proj.weight", torch.empty(0))
        return cls(checkpoint.architecture, feature_width=projection.shape[0])

    def image_features(self, tokens: Tensor) -> Tensor:
        """Return unit vectors [M, f] of image tokens [M, S, C]; the temperature is not applied."""
        return F.normalize(apply_head(self.vision_proj, tokens[:, 0]), dim=-1)

    def text_features(self, cls: Tensor) -> Tensor:
        """Return unit vectors [n, f] of the [CLS] states [n, d] of encoded texts."""
        return F.normalize(apply_head(self.text_proj, cls), dim=-1)

    def encode_texts(
        self, texts: Sequence[Sequence[int]], device: Device, *, begin_fused: int
    ) -> EncodedTexts:
        """Encode texts given as token ids. Raises ValueError where there is none.

        `begin_fused` replaces their first token where a family fuses them with another one.
        """
        width = self.text_proj.out_features
        return encode_texts(
            self.text_encoder, texts, device, features_of=self.text_features, feature_width=width
        )

    def encode_features(self, texts: Sequence[Sequence[int]], device: Device) -> Tensor:
        """Return the features [T, f] of texts that no image is going to be fused with."""
        return self.encode_texts(texts, device, begin_fused=texts[0][0]).features

    def match(self, fusion_input: Tensor, texts: PackedTexts, image: CrossKV) -> Tensor:
        """Return the image-text matching logits [n, 2] (no, yes) of texts, fusion input [N, d]."""
        cls = self.text_encoder.fuse_cls(fusion_input, texts, image)
        return apply_head(self.itm_head, cls)


class AnsweringNetwork(Network):
    """Rank or generate answers to questions about images."""

    def __init__(self, architecture: Architecture) -> None:
        text = required(architecture.text, "text encoder")
        super().__init__(architecture, text)
        self.decoder_text = required(architecture.decoder, "text decoder")
        if self.decoder_text.encoder_width != text.width:
            raise CheckpointError(
                f"its text decoder attends to question states {self.decoder_text.encoder_width} "
                f"wide, its text encoder outputs {text.width}"
            )
        self.text_encoder = Bert(text)
        self.text_decoder = LanguageModel(self.decoder_text)


class CaptioningNetwork(Network):
    """Describe images: a decoder and no text encoder."""

    def __init__(self, architecture: Architecture) -> None:
        text = required(architecture.decoder, "text decoder")
        super().__init__(architecture, text)
        self.text_decoder = LanguageModel(text)


class PairNetwork(Network):
    """Decide whether a statement is true of two images; the families differ in `pair_kv`."""

    def __init__(self, architecture: Architecture) -> None:
        text = required(architecture.text, "text encoder")
        super().__init__(architecture, text)
        self.text_encoder = self.build_text_encoder(text)
        self.cls_head = nn.Sequential(
            nn.Linear(text.width, text.width), nn.ReLU(), BatchInvariantLinear(text.width, 2)
        )

    def build_text_encoder(self, text: TextArchitecture) -> Bert:
        """Return the BERT that statements are fused with."""
        return Bert(text)

    def project_kv(self, tokens: Tensor, pairs: Tensor) -> "PairKV":
        """Project image tokens [M, S, C] that are the sides of `pairs` [P, 2], on the host."""
        raise NotImplementedError

    def logits(self, cls: Tensor) -> Tensor:
        """Return logits [n, 2] (false, true) of fused [CLS] states [n, d]."""
        return apply_head(self.cls_head, cls)


class PairKV:
    """The keys and values of pairs of images."""

    def of_pairs(self, pairs: Tensor) -> CrossKV:
        """Return those of some pairs, by index on the host."""
        raise NotImplementedError


def required(part: A | None, name: str) -> A:
    """Return a part of an architecture. Raises CheckpointError where the file lacks it."""
    if part is None:
        raise CheckpointError(f"needs a {name}, which the checkpoint lacks")
    return part
