"""The networks of X-VLM, one per kind of checkpoint: the two encoders, and what is asked of them.

Everywhere, what is looked at is a memory [G, S, width] whose keys and values are made once, and what looks at it are readers [G, n, T].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.engine.device import Device, float32_context
from harness.engine.packing import PackedTexts
from harness.errors import CheckpointError
from harness.models.fusion.bert import Bert, padding_mask
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.layers import KV
from harness.models.fusion.packed_texts import Texts, read_texts
from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm.architecture import Architecture, VisionArchitecture
from harness.models.xvlm.swin import VisionEncoder


@dataclass(frozen=True)
class FusedArchitecture:
    """The sizes of a model that has both encoders, the text encoder looking at the image."""

    vision: VisionArchitecture
    text: TextArchitecture


def fused(architecture: Architecture) -> FusedArchitecture:
    """Return the sizes of both encoders. Raises CheckpointError where one is missing, or the text encoder looks at something else."""
    vision, text = architecture.vision, architecture.text
    if vision is None or text is None:
        raise CheckpointError(
            "needs a vision encoder and a text encoder; the checkpoint holds only one of them"
        )
    return FusedArchitecture(vision, _looking_at(vision, text))


def decoding(architecture: Architecture) -> FusedArchitecture:
    """Return the sizes of a vision encoder and of the decoder that looks at it (captioning)."""
    vision, text = architecture.vision, architecture.decoder
    if vision is None or text is None:
        raise CheckpointError(
            "needs a vision encoder and a text decoder; the checkpoint holds only one of them"
        )
    return FusedArchitecture(vision, _looking_at(vision, text))


def _looking_at(vision: VisionArchitecture, text: TextArchitecture) -> TextArchitecture:
    if text.encoder_width != vision.output_width:
        raise CheckpointError(
            f"its text encoder looks at tokens {text.encoder_width} wide, its vision encoder makes {vision.output_width}"
        )
    return text


class BatchInvariantLinear(nn.Linear):
    """A linear map to a handful of outputs, each the same bits whatever else is in the batch and however many threads compute.

    Matrix products promise that for wide outputs only: for narrow ones they are cut up differently from case to case.
    """

    def forward(self, states: Tensor) -> Tensor:
        return (states[..., None, :] * self.weight).sum(-1) + self.bias


def mlp(width: int, outputs: int) -> nn.Sequential:
    """Build the head that all tasks share: Linear(d, 2 d), LayerNorm, GELU, Linear(2 d, outputs)."""
    return nn.Sequential(
        nn.Linear(width, 2 * width),
        nn.LayerNorm(2 * width),
        nn.GELU(),
        BatchInvariantLinear(2 * width, outputs),
    )


def apply_head(head: nn.Module, states: Tensor) -> Tensor:
    """Apply a head in float32, whatever a run computes in: next to all that came before it costs nothing, and fewer bits would show."""
    with float32_context(states.device):
        result: Tensor = head(states.float())
        return result


class GroundingNetwork(nn.Module):
    """Find what a text refers to: the released `bbox` checkpoints (X-VLM, section 3.3, bounding box prediction)."""

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_encoder = Bert(architecture.text)
        self.bbox_head = mlp(architecture.text.width, 4)

    def forward(self, images: Tensor, ids: Tensor, present: Tensor) -> Tensor:
        """Return boxes [M, n, 4] as (cx, cy, w, h) in 0..1 of the image.

        `images` [M, 3, R, R] are normalised, `ids` [M, n, T] are n texts for each, `present` [M, n, T] is 1 for their tokens.
        """
        return self.point(self.text_encoder.project_kv(self.vision_encoder(images)), ids, present)

    def point(self, memory: list[KV], ids: Tensor, present: Tensor) -> Tensor:
        """Return the boxes [G, n, 4] that n texts for each memory point at."""
        mask = padding_mask(present, ids.device)
        begun = self.text_encoder.precompute_fusion_input(
            self.text_encoder.encode_text(ids, mask), mask
        )
        return self.box(self.text_encoder.fuse_cls(begun, memory, mask))

    def box(self, fused: Tensor) -> Tensor:
        """Return the boxes [.., 4] that fused first tokens [.., d] point at."""
        return torch.sigmoid(apply_head(self.bbox_head, fused))


class RetrievalNetwork(nn.Module):
    """Compare images and texts: `retrieval` checkpoints, and pre-training ones (X-VLM, section 3.3, contrastive learning and matching)."""

    def __init__(self, architecture: FusedArchitecture, *, feature_width: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_encoder = Bert(architecture.text)
        self.vision_proj = nn.Linear(architecture.vision.output_width, feature_width)
        self.text_proj = nn.Linear(architecture.text.width, feature_width)
        self.itm_head = mlp(architecture.text.width, 2)

    def image_features(self, tokens: Tensor) -> Tensor:
        """Return unit vectors [M, f] of image tokens [M, S, C]; their products with those of texts are cosines (no temperature)."""
        return F.normalize(apply_head(self.vision_proj, tokens[:, 0]), dim=-1)

    def text_features(self, states: Tensor) -> Tensor:
        """Return unit vectors [n, f] of the first tokens [n, d] of read texts."""
        return F.normalize(apply_head(self.text_proj, states), dim=-1)

    def read(self, texts: Sequence[Sequence[int]], device: Device) -> Texts:
        """Read texts given as token ids. Raises ValueError where there is none."""
        width = self.text_proj.out_features
        return read_texts(
            self.text_encoder, texts, device, features_of=self.text_features, feature_width=width
        )

    def match(self, begun: Tensor, packed: PackedTexts, memory: list[KV]) -> Tensor:
        """Return the logits [n, 2] that texts which have begun, [N, d], do not, or do, tell of one image."""
        return apply_head(self.itm_head, self.text_encoder.fuse_cls_packed(begun, packed, memory))


class AnsweringNetwork(nn.Module):
    """Rank answers to questions about images: the released `vqa` checkpoints."""

    def __init__(self, architecture: FusedArchitecture, decoder: TextArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.decoder_architecture = decoder
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_encoder = Bert(architecture.text)
        self.text_decoder = LanguageModel(decoder)

    def question(self, images: Tensor, ids: Tensor, present: Tensor) -> Tensor:
        """Return the states [M, n, T, d] of n questions about each image [M, 3, R, R], after they looked at it."""
        return self.consider(
            self.text_encoder.project_kv(self.vision_encoder(images)), ids, present
        )

    def consider(self, memory: list[KV], ids: Tensor, present: Tensor) -> Tensor:
        """Return the states [G, n, T, d] of n questions about each memory, after they looked at it."""
        mask = padding_mask(present, ids.device)
        return self.text_encoder.fuse(self.text_encoder.encode_text(ids, mask), memory, mask)


class PairNetwork(nn.Module):
    """Say whether a statement is true of two images: the released `nlvr` checkpoints.

    Even fusion layers look at the first image, odd ones at the second; the two of a pair make the same keys and values of an image, so
    that an image is remembered once, whichever side it stands on.
    """

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_encoder = Bert(architecture.text)
        self.cls_head = mlp(architecture.text.width, 2)

    def project_kv(self, tokens: Tensor) -> list[KV]:
        """Make the memory of images [M, S, C]: keys and values for each pair of fusion layers."""
        return [
            layer.crossattention.project_kv(tokens)
            for layer in self.text_encoder.fusion_layers[::2]
        ]

    def forward(self, memory: list[KV], pairs: Tensor, ids: Tensor, present: Tensor) -> Tensor:
        """Return logits [P, n, 2] (false, true) of n statements on each pair; `pairs` [P, 2] are two of the images remembered."""
        mask = padding_mask(present, ids.device)
        seen = [both.of(pairs[:, side]) for both in memory for side in (0, 1)]
        begun = self.text_encoder.precompute_fusion_input(
            self.text_encoder.encode_text(ids, mask), mask
        )
        return apply_head(self.cls_head, self.text_encoder.fuse_cls(begun, seen, mask))


class CaptioningNetwork(nn.Module):
    """Describe images: the released `captioning` checkpoints, which have a decoder and no text encoder."""

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.vision_encoder = VisionEncoder(architecture.vision)
        self.text_decoder = LanguageModel(architecture.text)
