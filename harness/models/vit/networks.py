"""The networks of ALBEF and BLIP, one per kind of checkpoint: encoders and a task head."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn

from harness.errors import CheckpointError
from harness.models.filling import unfilled
from harness.models.fusion import networks
from harness.models.fusion.bert import Bert
from harness.models.fusion.heads import BatchInvariantLinear
from harness.models.fusion.language_model import LanguageModel
from harness.models.fusion.networks import FusionNetwork
from harness.models.fusion.sizes import TextArchitecture
from harness.models.vit.architecture import Architecture, VisionArchitecture
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.encoder import VisionTransformer

A = TypeVar("A")


class Network(FusionNetwork):
    """A vision transformer below a BERT."""

    vision: VisionArchitecture

    def __init__(self, architecture: Architecture, text: TextArchitecture) -> None:
        super().__init__()
        self.vision, self.text = architecture.vision, text
        if text.encoder_width != self.vision.width:
            raise CheckpointError(
                f"its BERT attends to image tokens {text.encoder_width} wide, "
                f"its vision encoder outputs {self.vision.width}"
            )
        self.visual_encoder = VisionTransformer(architecture.vision)

    @property
    def image_encoder(self) -> VisionTransformer:
        return self.visual_encoder

    @property
    def heads(self) -> Mapping[str, int]:
        return {"text_heads": self.text.heads, "vision_heads": self.vision.heads}


class RetrievalNetwork(Network, networks.RetrievalNetwork):
    """Compare images and texts."""

    def __init__(self, architecture: Architecture, *, feature_width: int) -> None:
        text = required(architecture.text, "text encoder")
        super().__init__(architecture, text)
        self.text_encoder = Bert(text)
        self.vision_proj = nn.Linear(self.vision.width, feature_width)
        self.text_proj = nn.Linear(text.width, feature_width)
        self.itm_head = BatchInvariantLinear(text.width, 2)


class AnsweringNetwork(Network, networks.AnsweringNetwork):
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


class CaptioningNetwork(Network, networks.CaptioningNetwork):
    """Describe images: a decoder and no text encoder."""

    def __init__(self, architecture: Architecture) -> None:
        text = required(architecture.decoder, "text decoder")
        super().__init__(architecture, text)
        self.text_decoder = LanguageModel(text)


class PairNetwork(Network, networks.PairNetwork):
    """Decide whether a statement is true of two images; the families differ in `project_kv`."""

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


R = TypeVar("R", bound=RetrievalNetwork)


def retrieval_network(checkpoint: Checkpoint, kind: type[R], *, purpose: str) -> R:
    """Return the filled network of a file.

    Like the other functions here, it raises CapabilityError for a file with another head, and
    CheckpointError for one that does not fill the network.
    """
    checkpoint.require("retrieval", purpose)
    projection = checkpoint.tensors.get("vision_proj.weight", torch.empty(0))
    with unfilled():
        network = kind(checkpoint.architecture, feature_width=projection.shape[0])
    return checkpoint.fill(network)


def answering_network(checkpoint: Checkpoint) -> AnsweringNetwork:
    """Return the filled network of a file."""
    checkpoint.require("vqa", "answering questions")
    with unfilled():
        network = AnsweringNetwork(checkpoint.architecture)
    return checkpoint.fill(network)


def captioning_network(checkpoint: Checkpoint) -> CaptioningNetwork:
    """Return the filled network of a file."""
    checkpoint.require("captioning", "captioning")
    with unfilled():
        network = CaptioningNetwork(checkpoint.architecture)
    return checkpoint.fill(network)


def required(part: A | None, name: str) -> A:
    """Return a part of an architecture. Raises CheckpointError where the file lacks it."""
    if part is None:
        raise CheckpointError(f"needs a {name}, which the checkpoint lacks")
    return part
