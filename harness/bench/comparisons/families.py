"""Re-ranking by ALBEF and BLIP: vision transformers, whose images have four times X-VLM's tokens.

The sizes are X-VLM's text sizes: a ViT-B has those of a BERT-base.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from harness.bench import inputs
from harness.bench.agreement import compare_rankings
from harness.bench.comparison import Comparison
from harness.bench.fixtures import Fixtures
from harness.bench.literal import retrieval
from harness.bench.models import ModelSize
from harness.bench.random_weights import random_tensors
from harness.engine.device import Device
from harness.models.albef.adapters import AlbefRetriever
from harness.models.blip.adapters import BlipRetriever
from harness.models.blip.networks import BlipRetrievalNetwork
from harness.models.blip.tokenizer import ADDED
from harness.models.filling import unfilled
from harness.models.vit.architecture import Architecture, VisionArchitecture
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.networks import RetrievalNetwork, retrieval_network

PATCH = 16


Reranker = type[AlbefRetriever] | type[BlipRetriever]
NETWORKS: dict[Reranker, type[RetrievalNetwork]] = {
    AlbefRetriever: RetrievalNetwork,
    BlipRetriever: BlipRetrievalNetwork,
}


def prepare_albef_reranking(fixtures: Fixtures) -> Comparison[Tensor]:
    """Re-rank 128 captions of one image by the upper half of ALBEF's BERT."""
    size = fixtures.size
    text = replace(size.text, encoder_width=size.text.width)
    return _reranking(fixtures, AlbefRetriever, Architecture(_vision(size), text, None))


def prepare_blip_reranking(fixtures: Fixtures) -> Comparison[Tensor]:
    """Re-rank 128 captions of one image by all layers of BLIP's BERT."""
    size = fixtures.size
    text = replace(
        size.text,
        vocabulary=size.text.vocabulary + len(ADDED),
        fusion_layer=0,
        encoder_width=size.text.width,
        token_types=False,
    )
    return _reranking(fixtures, BlipRetriever, Architecture(_vision(size), text, None))


def _reranking(
    fixtures: Fixtures, family: Reranker, architecture: Architecture
) -> Comparison[Tensor]:
    fixtures.discard_models()
    device = fixtures.device
    checkpoint = _random_checkpoint(family, architecture, fixtures.size)
    network = retrieval_network(checkpoint, NETWORKS[family], purpose="re-ranking")
    network = network.to(device.torch)
    model = family(checkpoint, fixtures.vocabulary, device)
    ids = model.token_ids(fixtures.texts(128, inputs.COCO))
    begin_fused = model.runtime.tokenizer.begin_fused
    padded = fixtures.pad(
        [[begin_fused, *text[1:]] for text in ids], length=family.rule.max_tokens or 0
    )
    with Device(device.torch, "float32").computing():
        image = network.visual_encoder(fixtures.images(1))[0]
        literal_texts = retrieval.encode_texts(network, padded.ids, padded.mask)
    with device.computing():
        texts = model.encode_texts(ids)
    stored_image, candidates = image.to(device.storage_dtype), torch.arange(len(ids))
    return Comparison(
        engine=lambda: model.rerank(stored_image, texts, candidates)[None],
        literal=lambda: retrieval.rerank(network, image, literal_texts, candidates)[None, :, 1],
        compare=compare_rankings,
    )


def _vision(size: ModelSize) -> VisionArchitecture:
    text = size.text
    return VisionArchitecture(
        resolution=size.vision.resolution,
        patch=PATCH,
        width=text.width,
        depth=text.layers,
        heads=text.heads,
        inner_width=text.inner_width,
    )


def _random_checkpoint(family: Reranker, architecture: Architecture, size: ModelSize) -> Checkpoint:
    """Return random weights as read from a file; the network's sizes say which ones."""
    with unfilled():
        network = NETWORKS[family](architecture, feature_width=size.feature_width)
    tensors = random_tensors(network)
    return Checkpoint(Path("random weights"), tensors, "retrieval", architecture)
