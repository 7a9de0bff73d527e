"""X-VLM as a reasoner about pairs of images: a statement is true of them or not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import Judgement
from harness.engine.device import Device
from harness.models.fusion.fused_texts import fused_cls
from harness.models.fusion.kv import CrossKV
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.networks import pair_network
from harness.models.xvlm.preprocessing import CAPTION_WORDS, pre_caption
from harness.models.xvlm.runtime import Images, Runtime
from harness.workload import Cost, Workload


class XVLMPairReasoner:
    """Implements `harness.capabilities.PairReasoner` for `nlvr` checkpoints."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly.

        Raises CheckpointError where they, or the vocabulary, do not fit.
        """
        self.runtime = Runtime(pair_network(checkpoint), vocabulary, device)
        self.network = self.runtime.network
        self.protocol = f"nlvr|{self.runtime.side}px|bicubic|{CAPTION_WORDS}-words"
        self.device, self.provenance, self.prepare, self.memory_budget = self.runtime.interface

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of statements."""
        return self.runtime.token_ids(texts, pre_caption)

    def judge(
        self, images: NDArray[np.uint8], statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> list[Judgement]:
        """Return whether each statement is true of its two images, `images_of` [N, 2].

        A tie of the logits counts as false, as in the reference's argmax.
        """
        with self.runtime.device.computing():
            logits = self.logits(images, statements, images_of)
            return [Judgement(true > false, (false, true)) for false, true in logits.tolist()]

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of judging statements."""
        sizes = self.network.architecture
        return costs.pair_reasoning(
            sizes.vision,
            sizes.text,
            workload,
            length=self.runtime.mean_length(workload.texts, pre_caption),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def logits(
        self, images: Images, statements: Sequence[str], images_of: NDArray[np.int64]
    ) -> Tensor:
        """Return logits (false, true) [N, 2] for prepared or normalised images."""
        network, device = self.network, self.runtime.device
        kv = network.project_kv(self.runtime.encode_images(images))
        pairs, pair_of = np.unique(images_of, axis=0, return_inverse=True)
        tokens = self.token_ids(statements)  # while a GPU encodes

        def kv_of(some: Tensor) -> CrossKV:
            return network.pair_kv(kv, device.send(torch.from_numpy(pairs)[some]))

        cls = fused_cls(network.text_encoder, tokens, kv_of, pair_of.reshape(-1), device)
        return network.logits(cls).cpu()
