"""The networks of X-VLM, one per kind of checkpoint: encoders and a task head."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness.errors import CheckpointError
from harness.models.fusion import networks
from harness.models.fusion.bert import Bert
from harness.models.fusion.heads import BatchInvariantLinear
from harness.models.fusion.heads import apply_head as apply_head
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.networks import FusionNetwork
from harness.models.fusion.pair_kv import AlternatingKV
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


def mlp(width: int, outputs: int) -> nn.Sequential:
    """Return the head of all tasks: Linear(d, 2 d), LayerNorm, GELU, Linear(2 d, outputs)."""
    return nn.Sequential(
        nn.Linear(width, 2 * width),
        nn.LayerNorm(2 * width),
        nn.GELU(),
        BatchInvariantLinear(2 * width, outputs),
    )


class Network(FusionNetwork):
    """A Swin below a BERT."""

    vision: VisionArchitecture

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.vision, self.text = architecture.vision, architecture.text
        self.vision_encoder = VisionEncoder(architecture.vision)

    @property
    def image_encoder(self) -> VisionEncoder:
        return self.vision_encoder


class GroundingNetwork(Network):
    """Predict the box that an expression refers to: `bbox` checkpoints (X-VLM, section 3.3)."""

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__(architecture)
        self.text_encoder = Bert(architecture.text)
        self.bbox_head = mlp(architecture.text.width, 4)

    def boxes(self, cls: Tensor) -> Tensor:
        """Return boxes [n, 4] of fused [CLS] states [n, d]: (cx, cy, w, h) in 0..1 of the image."""
        return torch.sigmoid(apply_head(self.bbox_head, cls))


class RetrievalNetwork(Network, networks.RetrievalNetwork):
    """Compare images and texts: `retrieval` and pre-training checkpoints (X-VLM, section 3.3)."""

    def __init__(self, architecture: FusedArchitecture, *, feature_width: int) -> None:
        super().__init__(architecture)
        self.text_encoder = Bert(architecture.text)
        self.vision_proj = nn.Linear(architecture.vision.output_width, feature_width)
        self.text_proj = nn.Linear(architecture.text.width, feature_width)
        self.itm_head = mlp(architecture.text.width, 2)


class AnsweringNetwork(Network, networks.AnsweringNetwork):
    """Rank answers to questions about images: `vqa` checkpoints."""

    def __init__(self, architecture: FusedArchitecture, decoder: TextArchitecture) -> None:
        super().__init__(architecture)
        self.decoder_text = decoder
        self.text_encoder = Bert(architecture.text)
        self.text_decoder = LanguageModel(decoder)


class PairNetwork(Network, networks.PairNetwork):
    """Decide whether a statement is true of two images: `nlvr` checkpoints.

    Even fusion layers attend to the first image, odd ones to the second. The two layers of a pair
    share their key and value projections, so an image is projected once, whichever side it is on.
    """

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__(architecture)
        self.text_encoder = Bert(architecture.text)
        self.cls_head = mlp(architecture.text.width, 2)

    def project_kv(self, tokens: Tensor, pairs: Tensor) -> AlternatingKV:
        """Project image tokens [M, S, C] that are the sides of `pairs` [P, 2], on the host."""
        return AlternatingKV.project(self.text_encoder.fusion_layers, tokens, pairs)


class CaptioningNetwork(Network, networks.CaptioningNetwork):
    """Describe images: `captioning` checkpoints, which have a decoder and no text encoder."""

    def __init__(self, architecture: FusedArchitecture) -> None:
        super().__init__(architecture)
        self.text_decoder = LanguageModel(architecture.text)
