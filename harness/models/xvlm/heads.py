"""The networks of X-VLM, one per kind of checkpoint: the two encoders and what is asked of the fused first token."""

import torch
from torch import Tensor, nn

from harness.errors import CheckpointError
from harness.models.xvlm.architecture import Architecture
from harness.models.xvlm.bert import Bert, padding_mask
from harness.models.xvlm.swin import VisionEncoder


def mlp(width: int, outputs: int) -> nn.Sequential:
    """Build the head that all tasks share: Linear(d, 2 d), LayerNorm, GELU, Linear(2 d, outputs)."""
    return nn.Sequential(nn.Linear(width, 2 * width), nn.LayerNorm(2 * width), nn.GELU(), nn.Linear(2 * width, outputs))


class GroundingNetwork(nn.Module):
    """Find what a text refers to: the released `bbox` checkpoints (X-VLM, section 3.3, bounding box prediction)."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        if architecture.vision is None or architecture.text is None:
            raise CheckpointError("grounding needs a vision encoder and a text encoder; the checkpoint holds only one of them")
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
        with torch.autocast(states.device.type, enabled=False):  # a box in 16 bits would be off by up to half a percent
            return torch.sigmoid(self.bbox_head(states[:, :, 0].float()))
