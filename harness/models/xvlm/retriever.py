"""X-VLM as a retriever: contrastive features shortlist pairs, image-text matching re-ranks them."""

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.capabilities import Gallery, Matches
from harness.engine.device import Device
from harness.engine.two_stage_retrieval import EncodedImages, encode_gallery, rerank_gallery
from harness.models.fusion.encoded_texts import EncodedTexts
from harness.models.xvlm import costs
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.networks import retrieval_network
from harness.models.xvlm.preprocessing import CAPTION_WORDS, pre_caption
from harness.models.xvlm.runtime import Images, Runtime
from harness.workload import Cost, Workload

MAX_TOKENS = 40  # `max_tokens` of the reference's retrieval configurations, [CLS] included


class XVLMRetriever:
    """Implements `harness.capabilities.Retriever` for checkpoints with an `itm_head`."""

    def __init__(self, checkpoint: Checkpoint, vocabulary: Path, device: Device) -> None:
        """Load the weights strictly.

        Raises CheckpointError where they, or the vocabulary, do not fit.
        """
        self.runtime = Runtime(retrieval_network(checkpoint), vocabulary, device)
        self.network = self.runtime.network
        self.protocol = (
            f"itc+itm|{self.runtime.side}px|bicubic|{CAPTION_WORDS}-words|{MAX_TOKENS}-tokens"
        )
        self.device, self.provenance, self.prepare, self.memory_budget = self.runtime.interface

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of captions, cut after MAX_TOKENS."""
        return self.runtime.token_ids(texts, pre_caption, max_tokens=MAX_TOKENS)

    def retrieve(
        self, gallery: Gallery, texts: Sequence[str], *, shortlist: int, wanted: Container[int]
    ) -> Iterator[Matches]:
        """Yield the matches of each image in `wanted`.

        Each process encodes its own images, and all texts.
        """
        device = self.runtime.device
        with device.computing():
            share = encode_gallery(gallery.images, self.encode_prepared, device)
            images = share.gather(gallery)
            encoded = self.encode_texts(self.token_ids(texts))
        yield from rerank_gallery(
            images, encoded, self.rerank, device, shortlist=shortlist, wanted=wanted
        )

    def cost(self, workload: Workload) -> Cost:
        """Return the cost of comparing images and texts."""
        sizes, device = self.network.architecture, self.runtime.device
        return costs.retrieval(
            sizes.vision,
            sizes.text,
            workload,
            length=self.runtime.mean_length(workload.texts, pre_caption, max_tokens=MAX_TOKENS),
            features=self.network.vision_proj.out_features,
            item_bytes=device.storage_dtype.itemsize,
            chunk_sizes=device.chunk_sizes,
        )

    def encode_prepared(self, images: NDArray[np.uint8]) -> EncodedImages:
        """Encode prepared images [M, R, R, 3]."""
        return self.encode_images(images)

    def encode_images(self, images: Images) -> EncodedImages:
        """Encode prepared or normalised images."""
        tokens = self.runtime.encode_images(images)
        return EncodedImages(tokens, self.network.image_features(tokens))

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
