"""X-VLM as a grounder: raw expressions and prepared images in, boxes out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.batching import seat
from harness.engine.device import Device
from harness.models.fusion.layers import select_rows
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.inputs import Inputs
from harness.models.xvlm.networks import grounding_network
from harness.models.xvlm.preprocessing import CAPTION_WORDS, pre_caption
from harness.workload import Cost, Workload


class XVLMGrounder:
    """Implements `harness.capabilities.Grounder` for checkpoints with a `bbox_head`: an image is a memory, its expressions the readers."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        network = grounding_network(checkpoint)
        self.inputs = Inputs(
            network.architecture.vision, network.architecture.text, vocabulary, device
        )
        self.network = self.inputs.placed(network)
        self.protocol = f"bbox|{self.inputs.side}px|bicubic|{CAPTION_WORDS}-words"
        self.device, self.provenance, self.prepare = (
            device.name,
            self.inputs.provenance,
            self.inputs.prepare,
        )
        self.memory_budget = self.inputs.device.memory_budget

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of expressions."""
        return self.inputs.tokens(texts, pre_caption)

    def ground(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a box (cx, cy, w, h) in 0..1 for each expression; each image is encoded once for all of its expressions."""
        with self.inputs.device.computing():
            return self.locate(self.inputs.normalised(images), expressions, image_of).numpy()

    def cost(self, workload: Workload) -> Cost:
        """Return what it costs to ground expressions."""
        sizes, length = (
            self.network.architecture,
            self.inputs.mean_length(workload.texts, pre_caption),
        )
        return costs.grounding(
            sizes.vision,
            sizes.text,
            workload,
            length=length,
            chunk_sizes=self.inputs.device.chunk_sizes,
        )

    def locate(
        self, images: Tensor, expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> Tensor:
        """Return the boxes of `ground` for images that are normalised already, [M, 3, R, R]."""
        memory, device = (
            self.network.text_encoder.project_kv(self.network.vision_encoder(images)),
            self.inputs.device,
        )
        texts = self.inputs.tokens(expressions, pre_caption)  # while a GPU encodes
        boxes = torch.empty(len(texts), 4, device=images.device)
        for table in seat(texts, image_of, device.chunk_sizes):
            found = self.network.point(
                select_rows(memory, table.memories), device.send(table.ids), table.present
            )
            boxes[device.send(table.texts)] = table.each(found)
        return boxes.cpu()
