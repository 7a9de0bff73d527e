"""X-VLM as an attribute matcher: the cosine of image and sentence features, as in OVAD's script."""

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
from harness.models.xvlm.networks import retrieval_network
from harness.models.xvlm.runtime import Images, Runtime
from harness.workload import Cost, Workload

MAX_TOKENS = 30  # the configuration of the released 16M model, [CLS] included


class XVLMAttributeMatcher:
    """Implements `harness.capabilities.AttributeMatcher` for checkpoints with `vision_proj`.

    Sentences are not cleaned.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        vocabulary: Path,
        device: Device,
        *,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        """Load the weights strictly.

        Raises CheckpointError where they, or the vocabulary, do not fit.
        """
        self.runtime = Runtime(retrieval_network(checkpoint), vocabulary, device)
        self.network = self.runtime.network
        self.max_tokens = max_tokens
        self.protocol = f"itc|{self.runtime.side}px|bilinear|{max_tokens}-tokens"
        self.device, self.provenance, _, self.memory_budget = self.runtime.interface
        self.prepare = self.runtime.prepare_bilinear
        # All images of a benchmark are compared with the same sentences.
        self._features = lru_cache(maxsize=4)(self.sentence_features)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of sentences, cut after `max_tokens`."""
        return self.runtime.token_ids(texts, max_tokens=self.max_tokens)

    def similarity(
        self, images: NDArray[np.uint8], sentences: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return the cosine of each image and sentence, [M, S]."""
        with self.runtime.device.computing():
            image_features = self.image_features(images)
            return cosine_similarity(image_features, self._features(tuple(sentences))).cpu().numpy()

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and sentences."""
        sizes = self.network.architecture
        return costs.attribute_matching(
            sizes.vision,
            sizes.text,
            workload,
            length=self.runtime.mean_length(workload.texts, max_tokens=self.max_tokens),
            features=self.network.vision_proj.out_features,
            chunk_sizes=self.runtime.device.chunk_sizes,
        )

    def image_features(self, images: Images) -> Tensor:
        """Return unit vectors [M, f] of prepared or normalised images."""
        return self.network.image_features(self.runtime.encode_images(images))

    def sentence_features(self, sentences: tuple[str, ...]) -> Tensor:
        """Return unit vectors [S, f] of sentences."""
        tokens = self.token_ids(sentences)
        return self.network.encode_texts(tokens, self.runtime.device).features
