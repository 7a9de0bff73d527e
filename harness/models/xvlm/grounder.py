"""X-VLM as a grounder: raw expressions and prepared images in, boxes out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.device import Device
from harness.models.fusion.fused_texts import fused_cls
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.networks import grounding_network
from harness.models.xvlm.preprocessing import CAPTION_WORDS, pre_caption
from harness.models.xvlm.runtime import Images, Runtime
from harness.workload import Cost, Workload


class XVLMGrounder:
    """Implements `harness.capabilities.Grounder` for checkpoints with a `bbox_head`."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly.

        Raises CheckpointError where they, or the vocabulary, do not fit.
        """
        self.runtime = Runtime(grounding_network(checkpoint), vocabulary, device)
        self.network = self.runtime.network
        self.protocol = f"bbox|{self.runtime.side}px|bicubic|{CAPTION_WORDS}-words"
        self.device, self.provenance, self.prepare, self.memory_budget = self.runtime.interface

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of expressions."""
        return self.runtime.token_ids(texts, pre_caption)

    def ground(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a box (cx, cy, w, h) in 0..1 for each expression; an image is encoded once."""
        with self.runtime.device.computing():
            return self.locate(images, expressions, image_of).numpy()

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of grounding expressions."""
        sizes = self.network.architecture
        return costs.grounding(
            sizes.vision,
            sizes.text,
            workload,
            length=self.runtime.mean_length(workload.texts, pre_caption),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def locate(
        self, images: Images, expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> Tensor:
        """Return the boxes of `ground` for prepared or normalised images."""
        encoder, device = self.network.text_encoder, self.runtime.device
        kv = encoder.project_kv(self.runtime.encode_images(images))
        tokens = self.token_ids(expressions)  # while a GPU encodes
        return self.network.boxes(fused_cls(encoder, tokens, kv.of_images, image_of, device)).cpu()
