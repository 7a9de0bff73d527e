"""X-VLM as a reasoner about pairs of images: a statement is true of them or not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.batching import seat
from harness.engine.device import Device
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.inputs import Inputs
from harness.models.xvlm.networks import pair_network
from harness.models.xvlm.preprocessing import CAPTION_WORDS, pre_caption
from harness.workload import Cost, Workload


class XVLMPairReasoner:
    """Implements `harness.capabilities.PairReasoner` for `nlvr` checkpoints: a pair of images is a memory, its statements the readers."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        network = pair_network(checkpoint)
        self.inputs = Inputs(
            network.architecture.vision, network.architecture.text, vocabulary, device
        )
        self.network = self.inputs.placed(network)
        self.protocol = f"nlvr|{self.inputs.side}px|bicubic|{CAPTION_WORDS}-words"
        self.device, self.provenance, self.prepare = (
            device.name,
            self.inputs.provenance,
            self.inputs.prepare,
        )
        self.memory_budget = self.inputs.device.memory_budget

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of statements."""
        return self.inputs.tokens(texts, pre_caption)

    def judge(
        self, images: NDArray[np.uint8], statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> list[bool]:
        """Return whether each statement is true of its two images, `images_of` [N, 2]."""
        with self.inputs.device.computing():
            logits = self.logits(self.inputs.normalised(images), statements, images_of)
            return [bool(true > false) for false, true in logits.tolist()]

    def cost(self, workload: Workload) -> Cost:
        """Return what it costs to judge statements."""
        sizes, length = (
            self.network.architecture,
            self.inputs.mean_length(workload.texts, pre_caption),
        )
        return costs.pair_reasoning(
            sizes.vision,
            sizes.text,
            workload,
            length=length,
            chunk_sizes=self.inputs.device.chunk_sizes,
        )

    def logits(
        self, images: Tensor, statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> Tensor:
        """Return (false, true) [N, 2] for normalised images [M, 3, R, R]; a tie counts as false, as argmax has it."""
        memory, device = (
            self.network.project_kv(self.network.vision_encoder(images)),
            self.inputs.device,
        )
        pairs, pair_of = np.unique(images_of, axis=0, return_inverse=True)
        texts = self.inputs.tokens(statements, pre_caption)  # while a GPU encodes
        logits = torch.empty(len(texts), 2, device=images.device)
        for table in seat(texts, pair_of.reshape(-1), device.chunk_sizes):
            both = torch.from_numpy(pairs)[table.memories]
            found = self.network(memory, device.send(both), device.send(table.ids), table.present)
            logits[device.send(table.texts)] = table.each(found)
        return logits.cpu()
