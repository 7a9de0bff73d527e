"""X-VLM as a captioner: it continues "a picture of" by beam search."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.beam_search import Beams, Hypothesis
from harness.engine.device import Device
from harness.models.fusion.captioning import generate_captions
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.networks import captioning_network
from harness.models.xvlm.runtime import Images, Runtime
from harness.workload import Cost, Workload

PROMPT = "a picture of "  # every caption begins with it, and is cut after its 13 characters
BEAMS = Beams(width=3, max_length=20, min_length=5)  # X-VLM's configuration of COCO captioning


class XVLMCaptioner:
    """Implements `harness.capabilities.Captioner` for `captioning` checkpoints."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly.

        Raises CheckpointError where they, or the vocabulary, do not fit.
        """
        self.runtime = Runtime(captioning_network(checkpoint), vocabulary, device)
        self.network = self.runtime.network
        self.protocol = (
            f"captioning|{self.runtime.side}px|bicubic|{BEAMS}|prompt '{PROMPT.strip()}'"
        )
        self.device, self.provenance, self.prepare, self.memory_budget = self.runtime.interface

    def caption(self, images: NDArray[np.uint8]) -> list[str]:
        """Return a caption for each image."""
        with self.runtime.device.computing():
            hypotheses = self.generate(images, BEAMS)
            return [self.spell(hypothesis.tokens) for hypothesis in hypotheses]

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of captions that all reach the maximum length."""
        sizes = self.network.architecture
        return costs.captioning(
            sizes.vision,
            sizes.text,
            workload,
            beams=BEAMS,
            prompt=len(self.runtime.tokenizer.ids(PROMPT)),
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def generate(self, images: Images, beams: Beams) -> list[Hypothesis]:
        """Return the best text, prompt included, for each prepared or normalised image."""
        return self.decode(self.runtime.encode_images(images), beams)

    def decode(self, image_tokens: Tensor, beams: Beams) -> list[Hypothesis]:
        """Return the same for images that are encoded already, tokens [M, S, C]."""
        tokenizer = self.runtime.tokenizer
        return generate_captions(
            self.network.text_decoder,
            image_tokens,
            prompt=tokenizer.ids(PROMPT),
            end=tokenizer.sep,
            beams=beams,
        )

    def spell(self, tokens: list[int]) -> str:
        """Return the caption in tokens: the text without its first 13 characters.

        The reference cuts them whatever they are.
        """
        return self.runtime.tokenizer.text(tokens)[len(PROMPT) :]
