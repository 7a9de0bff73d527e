"""X-VLM as a matcher of attributes: the cosine of an image's features and a sentence's, as OVAD's own script computes it."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.device import Device
from harness.engine.shortlist import cosine_similarity
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.inputs import Inputs
from harness.models.xvlm.networks import retrieval_network
from harness.workload import Cost, Workload

MAX_TOKENS = 30  # of a sentence, [CLS] included: the configuration of the released 16M model


class XVLMAttributeMatcher:
    """Implements `harness.capabilities.AttributeMatcher` for checkpoints with `vision_proj` and `text_proj`; texts are not cleaned."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        vocabulary: Path,
        device: Device,
        *,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        """Load the weights strictly. Raises CheckpointError where they, or the vocabulary, do not fit."""
        network = retrieval_network(checkpoint)
        self.inputs = Inputs(
            network.architecture.vision, network.architecture.text, vocabulary, device
        )
        self.network = self.inputs.placed(network)
        self.max_tokens = max_tokens
        self.protocol = f"itc|{self.inputs.side}px|bilinear|{max_tokens}-tokens"
        self.device, self.provenance, self.prepare = (
            device.name,
            self.inputs.provenance,
            self.inputs.prepare_bilinear,
        )
        self.memory_budget = self.inputs.device.memory_budget
        self._features = lru_cache(maxsize=4)(
            self.sentence_features
        )  # the sentences of a benchmark are the same for all of its images

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of sentences, cut after the first `max_tokens`."""
        return [self.inputs.tokenizer.ids(text)[: self.max_tokens] for text in texts]

    def similarity(
        self, images: NDArray[np.uint8], sentences: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return the cosine of each image and sentence, [M, S]."""
        with self.inputs.device.computing():
            return (
                cosine_similarity(
                    self.image_features(self.inputs.normalised(images)),
                    self._features(tuple(sentences)),
                )
                .cpu()
                .numpy()
            )

    def cost(self, workload: Workload) -> Cost:
        """Return what it costs to compare images and sentences."""
        sizes, length = (
            self.network.architecture,
            self.inputs.mean_length(workload.texts, longest=self.max_tokens),
        )
        return costs.attribute_matching(
            sizes.vision,
            sizes.text,
            workload,
            length=length,
            features=self.network.vision_proj.out_features,
            chunk_sizes=self.inputs.device.chunk_sizes,
        )

    def image_features(self, images: Tensor) -> Tensor:
        """Return unit vectors [M, f] of normalised images [M, 3, R, R]."""
        return self.network.image_features(self.network.vision_encoder(images))

    def sentence_features(self, sentences: tuple[str, ...]) -> Tensor:
        """Return unit vectors [S, f] of sentences, cut after `max_tokens`."""
        return self.network.read(self.token_ids(sentences), self.inputs.device).features
