"""X-VLM as a localizer: Grad-CAM maps of its matching head, as in weakly supervised grounding."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.engine.device import Device
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.gradcam import gradcam_maps, released_layer
from harness.models.xvlm.networks import retrieval_network
from harness.models.xvlm.preprocessing import CAPTION_WORDS, pre_caption
from harness.models.xvlm.runtime import Runtime
from harness.workload import Cost, Workload


class XVLMLocalizer:
    """Implements `harness.capabilities.Localizer` for checkpoints with an `itm_head`."""

    def __init__(
        self, checkpoint: Checkpoint, vocabulary: Path, device: Device, *, layer: int | None = None
    ) -> None:
        """Load the weights strictly; `layer` is `block_num`, by default the released one.

        Raises CheckpointError where they, or the vocabulary, do not fit.
        """
        network = retrieval_network(checkpoint)
        text = network.architecture.text
        self.layer = released_layer(text) if layer is None else layer
        self.runtime = Runtime(
            network, vocabulary, device, differentiable=network.text_encoder.layers[self.layer :]
        )
        self.network = self.runtime.network
        self.protocol = (
            f"itm-gradcam|layer {self.layer}|{self.runtime.side}px|bicubic|{CAPTION_WORDS}-words"
        )
        self.device, self.provenance, self.prepare, self.memory_budget = self.runtime.interface

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of expressions."""
        return self.runtime.token_ids(texts, pre_caption)

    def localize(
        self, images: NDArray[np.uint8], expressions: Sequence[str], image_of: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return a map [n, P, P] for each expression; an image is encoded once."""
        device = self.runtime.device
        with device.computing(gradients=True):
            tokens = self.runtime.encode_images(self.runtime.normalise(images))
            maps = gradcam_maps(
                self.network,
                tokens,
                self.token_ids(expressions),
                image_of=image_of,
                layer=self.layer,
                device=device,
            )
            return maps.cpu().numpy()

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of localizing expressions."""
        sizes = self.network.architecture
        return costs.localization(
            sizes.vision,
            sizes.text,
            workload,
            layer=self.layer,
            length=self.runtime.mean_length(workload.texts, pre_caption),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )
