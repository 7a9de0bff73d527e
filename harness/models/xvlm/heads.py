"""The networks of X-VLM, one per kind of checkpoint: the two encoders and what is asked of the fused first token."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness.errors import CheckpointError
from harness.models.xvlm.architecture import Architecture, TextArchitecture, VisionArchitecture
from harness.models.xvlm.bert import Bert, padding_mask
from harness.models.xvlm.swin import VisionEncoder


def mlp(width: int, outputs: int) -> nn.Sequential:
    """Build the head that all tasks share: Linear(d, 2 d), LayerNorm, GELU, Linear(2 d, outputs)."""
    return nn.Sequential(nn.Linear(width, 2 * width), nn.LayerNorm(2 * width), nn.GELU(), nn.Linear(2 * width, outputs))


@dataclass(frozen=True)
class FusedArchitecture:
    """The sizes of a model that has both encoders, the text encoder looking at the image."""

    vision: VisionArchitecture
    text: TextArchitecture


def fused(architecture: Architecture) -> FusedArchitecture:
    """Return the sizes of both encoders. Raises CheckpointError where one is missing, or the text encoder looks at something else."""
    vision, text = architecture.vision, architecture.text
    if vision is None or text is None:
        raise CheckpointError("needs a vision encoder and a text encoder; the checkpoint holds only one of them")
    if text.memory_width != vision.output_width:
        raise CheckpointError(f"its text encoder looks at tokens {text.memory_width} wide, its vision encoder makes {vision.output_width}")
    return FusedArchitecture(vision, text)


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
        memory = self.text_encoder.remember(self.vision_encoder(images))
        mask = padding_mask(present)
        states = self.text_encoder.look(self.text_encoder.read(ids, mask), memory, mask)
        return self.box(states[:, :, 0])

    def box(self, fused: Tensor) -> Tensor:
        """Return the boxes [.., 4] that fused first tokens [.., d] point at; in float32, as 16 bits are off by up to half a percent."""
        with torch.autocast(fused.device.type, enabled=False):
            return torch.sigmoid(self.bbox_head(fused.float()))
