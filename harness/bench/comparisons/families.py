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
from harness.models.blip.tokenizer import ADDED
from harness.models.vit.architecture import Architecture, VisionArchitecture
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.comparing import FusionRetriever
from harness.models.vit.networks import RetrievalNetwork

PATCH = 16


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
    fixtures: Fixtures, family: type[FusionRetriever], architecture: Architecture
) -> Comparison[Tensor]:
    fixtures.discard_models()
    device = fixtures.device
    checkpoint = _random_checkpoint(family, architecture, fixtures.size)
    network = checkpoint.fill(_network(family, checkpoint)).to(device.torch)
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


def _random_checkpoint(
    family: type[FusionRetriever], architecture: Architecture, size: ModelSize
) -> Checkpoint:
    """Return random weights as read from a file; the network's sizes say which ones."""
    projection = torch.empty(size.feature_width, 0)
    sizes = Checkpoint(
        Path("random weights"), {"vision_proj.weight": projection}, "retrieval", architecture
    )
    with torch.device("meta"):
        network = _network(family, sizes)
    return replace(sizes, tensors=random_tensors(network))


def _network(family: type[FusionRetriever], checkpoint: Checkpoint) -> RetrievalNetwork:
    return family.network_class.of(checkpoint)
