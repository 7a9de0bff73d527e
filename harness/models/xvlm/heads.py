"""The networks of X-VLM, one per kind of checkpoint: encoders and a task head."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.engine.device import Device, float32_context
from harness.engine.packing import PackedTexts
from harness.errors import CheckpointError
from harness.models.fusion.bert import Bert, project_kv
from harness.models.fusion.encoded_texts import EncodedTexts, encode_texts
from harness.models.fusion.kv import CrossKV
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm.architecture import Architecture, VisionArchitecture
from harness.models.xvlm.swin import VisionEncoder


@dataclass(frozen=True)
class FusedArchitecture:
    """The sizes of a vision encoder and of a BERT that cross-attends to its tokens."""

    vision: VisionArchitecture
    text: TextArchitecture


def fused(architecture: Architecture) -> FusedArchitecture:
    """Return the sizes of the vision and the text encoder.

    Raises CheckpointError where one is missing or their widths do not match.
    """
    return _checked(architecture.vision, architecture.text, "text encoder")


def decoding(architecture: Architecture) -> FusedArchitecture:
    """Return the sizes of the vision encoder and the text decoder (captioning).

    Raises CheckpointError where one is missing or their widths do not match.
    """
    return _checked(architecture.vision, architecture.decoder, "text decoder")


def _checked(
    vision: VisionArchitecture | None, text: TextArchitecture | None, name: str
) -> FusedArchitecture:
    if vision is None or text is None:
        raise CheckpointError(
            f"needs a vision encoder and a {name}; the checkpoint holds only one of them"
        )
    if text.encoder_width != vision.output_width:
        raise CheckpointError(
            f"its {name} attends to image tokens {text.encoder_width} wide, "
            f"its vision encoder outputs {vision.output_width}"
        )
    return FusedArchitecture(vision, text)


class BatchInvariantLinear(nn.Linear):
    """A linear map to a few outputs whose bits depend neither on the batch nor on the threads.

    Matrix products with few outputs are split differently from case to case.
    """

    def forward(self, states: Tensor) -> Tensor:
        return (states[..., None, :] * self.weight).sum(-1) + self.bias


def mlp(width: int, outputs: int) -> nn.Sequential:
    """Return the head of all tasks: Linear(d, 2 d), LayerNorm, GELU, Linear(2 d, outputs)."""
    return nn.Sequential(
        nn.Linear(width, 2 * width),
        nn.LayerNorm(2 * width),
        nn.GELU(),
        BatchInvariantLinear(2 * width, outputs),
    )


def apply_head(head: nn.Module, states: Tensor) -> Tensor:
    """Apply a head in float32 in every run: it costs little, and fewer bits would show."""
    with float32_context(states.device):
        result: Tensor = head(states.float())
        return result


class GroundingNetwork(nn.Module):
    """Predict the box that an expression refers to: `bbox` checkpoints (X-VLM, section 3.3)."""

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_encoder = Bert(architecture.text)
        self.bbox_head = mlp(architecture.text.width, 4)

    def boxes(self, cls: Tensor) -> Tensor:
        """Return boxes [n, 4] of fused [CLS] states [n, d]: (cx, cy, w, h) in 0..1 of the image."""
        return torch.sigmoid(apply_head(self.bbox_head, cls))


class RetrievalNetwork(nn.Module):
    """Compare images and texts: `retrieval` and pre-training checkpoints (X-VLM, section 3.3)."""

    def __init__(self, architecture: FusedArchitecture, *, feature_width: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_encoder = Bert(architecture.text)
        self.vision_proj = nn.Linear(architecture.vision.output_width, feature_width)
        self.text_proj = nn.Linear(architecture.text.width, feature_width)
        self.itm_head = mlp(architecture.text.width, 2)

    def image_features(self, tokens: Tensor) -> Tensor:
        """Return unit vectors [M, f] of image tokens [M, S, C]; the temperature is not applied."""
        return F.normalize(apply_head(self.vision_proj, tokens[:, 0]), dim=-1)

    def text_features(self, cls: Tensor) -> Tensor:
        """Return unit vectors [n, f] of the [CLS] states [n, d] of encoded texts."""
        return F.normalize(apply_head(self.text_proj, cls), dim=-1)

    def encode_texts(self, texts: Sequence[Sequence[int]], device: Device) -> EncodedTexts:
        """Encode texts given as token ids. Raises ValueError where there is none."""
        width = self.text_proj.out_features
        return encode_texts(
            self.text_encoder, texts, device, features_of=self.text_features, feature_width=width
        )

    def match(self, fusion_input: Tensor, texts: PackedTexts, image: CrossKV) -> Tensor:
        """Return the image-text matching logits [n, 2] (no, yes) of texts, fusion input [N, d]."""
        cls = self.text_encoder.fuse_cls(fusion_input, texts, image)
        return apply_head(self.itm_head, cls)


class AnsweringNetwork(nn.Module):
    """Rank answers to questions about images: `vqa` checkpoints."""

    def __init__(self, architecture: FusedArchitecture, decoder: TextArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.decoder_architecture = decoder
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_encoder = Bert(architecture.text)
        self.text_decoder = LanguageModel(decoder)


class PairNetwork(nn.Module):
    """Decide whether a statement is true of two images: `nlvr` checkpoints.

    Even fusion layers attend to the first image, odd ones to the second. The two layers of a pair
    share their key and value projections, so an image is projected once, whichever side it is on.
    """

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_encoder = Bert(architecture.text)
        self.cls_head = mlp(architecture.text.width, 2)

    def project_kv(self, tokens: Tensor) -> CrossKV:
        """Return the keys and values of images [M, S, C] for each pair of fusion layers."""
        return project_kv(self.text_encoder.fusion_layers[::2], tokens)

    def pair_kv(self, images: CrossKV, pairs: Tensor) -> CrossKV:
        """Return the keys and values of `pairs` [G, 2] of images, for each fusion layer."""
        sides = (pairs[:, 0], pairs[:, 1])
        return CrossKV(tuple(layer.select(side) for layer in images.layers for side in sides))

    def logits(self, cls: Tensor) -> Tensor:
        """Return logits [n, 2] (false, true) of fused [CLS] states [n, d]."""
        return apply_head(self.cls_head, cls)


class CaptioningNetwork(nn.Module):
    """Describe images: `captioning` checkpoints, which have a decoder and no text encoder."""

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_decoder = LanguageModel(architecture.text)
