"""Compare images and texts: retrieval, and attributes."""

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import AttributePrompts, EncodedImages, Ranking
from harness.engine.shortlist import cosine_similarity
from harness.models.fusion import costs
from harness.models.fusion.adapter import Adapter
from harness.models.fusion.encoded_texts import EncodedTexts
from harness.models.fusion.networks import RetrievalNetwork
from harness.models.fusion.preprocessing import Images
from harness.models.fusion.settings import OVAD
from harness.workload import Cost, Workload


class FusionRetriever(Adapter[RetrievalNetwork]):
    """Encode images and texts to features, and score pairs by image-text matching."""

    reads = ("shortlist",)
    ranking: Ranking

    def shortlist_for(self, collection: str) -> int | None:
        """Return how many candidates are ranked, where a user set it."""
        return self.settings.shortlist

    @property
    def method(self) -> str:
        return "itc+itm"

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and texts."""
        network, device = self.network, self.runtime.device
        return costs.retrieval(
            self.demand(workload),
            features=network.vision_proj.out_features,
            item_bytes=device.storage_dtype.itemsize,
        )

    def read_images(self, images: NDArray[np.uint8]) -> EncodedImages:
        """Encode prepared images [M, R, R, 3]; a state is an image's tokens [S, C]."""
        device = self.runtime.device
        with device.computing():
            tokens = self.runtime.encode_images(images)
            features = self.network.image_features(tokens)
            return EncodedImages(features, tokens.to(device.storage_dtype))

    def read_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """Encode all texts of a gallery."""
        with self.runtime.device.computing():
            return self.encode_texts(self.token_ids(texts))

    def score_pairs(
        self, image: Tensor, texts: EncodedTexts, candidates: NDArray[np.int64]
    ) -> Tensor:
        """Return the matching logits [n] of an image, by its tokens, and the texts `candidates`."""
        with self.runtime.device.computing():
            return self.rerank(image, texts, torch.from_numpy(candidates))

    @property
    def images_at_a_time(self) -> int:
        """The number of images whose pairs are scored together."""
        return self.runtime.device.chunk_sizes.reranked_images

    def score_pairs_of_images(
        self, images: Sequence[Tensor], texts: EncodedTexts, candidates: Sequence[NDArray[np.int64]]
    ) -> Tensor:
        """Return the matching logits of all pairs, image after image, by the images' tokens."""
        with self.runtime.device.computing():
            counts = torch.tensor([len(some) for some in candidates])
            return self.rerank_images(
                torch.stack(list(images)),
                texts,
                torch.from_numpy(np.concatenate(candidates)),
                torch.arange(len(images)).repeat_interleave(counts),
            )

    def encode_images(self, images: Images) -> EncodedImages:
        """Encode prepared or normalised images."""
        tokens = self.runtime.encode_images(images)
        return EncodedImages(self.network.image_features(tokens), tokens)

    def encode_texts(self, texts: Sequence[Sequence[int]]) -> EncodedTexts:
        """Encode texts given as token ids."""
        return self.network.encode_texts(texts, self.runtime.device)

    def rerank(self, image: Tensor, texts: EncodedTexts, candidates: Tensor) -> Tensor:
        """Return the matching logits [n] of an image, tokens [S, C], and `candidates` [n]."""
        kv = self.network.text_encoder.project_kv(image[None])
        logits = torch.empty(len(candidates), 2, device=image.device)
        for pack in texts.packs(candidates):
            logits[pack.texts.texts] = self.network.match(pack.fusion_input, pack.texts, kv)
        return logits[:, 1]

    def rerank_images(
        self, images: Tensor, texts: EncodedTexts, candidates: Tensor, image_of: Tensor
    ) -> Tensor:
        """Return the matching logits [n] of texts `candidates` [n] with images [G, S, C].

        Text `candidates[i]` is paired with image `image_of[i]`; both indices are on the host.
        """
        kv = self.network.text_encoder.project_kv(images)
        logits = torch.empty(len(candidates), 2, device=images.device)
        sizes = self.runtime.device.chunk_sizes.of_pairs
        for pack in texts.packs(candidates, image_of=image_of, chunk_sizes=sizes):
            of_pack = kv.of_images(pack.texts.images)
            logits[pack.texts.texts] = self.network.match(pack.fusion_input, pack.texts, of_pack)
        return logits[:, 1]


class FusionAttributeMatcher(Adapter[RetrievalNetwork]):
    """Compare the features of images and sentences, as OVAD's scripts do; texts are not cleaned."""

    resampling, reads = "bilinear", OVAD
    released_prompts: ClassVar[AttributePrompts]

    @cached_property
    def _features(self) -> Callable[[tuple[str, ...]], Tensor]:
        # All images of a benchmark are compared with the same sentences.
        return lru_cache(maxsize=4)(self.sentence_features)

    @property
    def method(self) -> str:
        return "itc"

    @property
    def attribute_prompts(self) -> AttributePrompts:
        """The sentences that stand for an attribute, and how their similarities are pooled."""
        released = self.released_prompts
        return AttributePrompts(
            self.settings.ovad_prompt or released.prompt,
            self.settings.ovad_pooling or released.pooling,
        )

    def similarity(
        self, images: NDArray[np.uint8], sentences: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return the cosine of each image and sentence, [M, S]."""
        with self.runtime.device.computing():
            features = self.image_features(images)
            cosines = cosine_similarity(features, self._features(tuple(sentences))).cpu()
            result: NDArray[Any] = cosines.numpy()
            return result

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and sentences."""
        return costs.attribute_matching(
            self.demand(workload), features=self.network.vision_proj.out_features
        )

    def image_features(self, images: Images) -> Tensor:
        """Return unit vectors [M, f] of prepared or normalised images."""
        return self.network.image_features(self.runtime.encode_images(images))

    def sentence_features(self, sentences: tuple[str, ...]) -> Tensor:
        """Return unit vectors [S, f] of sentences."""
        return self.network.encode_features(self.token_ids(sentences), self.runtime.device)
