"""Models with random weights in two sizes: the released one (`base`) and one for tests (`tiny`)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from harness.bench.random_weights import random_tensors, share_pair_projections
from harness.engine.device import Device
from harness.models.filling import unfilled
from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm.adapters import (
    XVLMAnswerer,
    XVLMAttributeMatcher,
    XVLMCaptioner,
    XVLMGrounder,
    XVLMPairReasoner,
    XVLMRetriever,
)
from harness.models.xvlm.architecture import Architecture, VisionArchitecture
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
    decoding,
    fused,
)
from harness.models.xvlm.networks import (
    answering_network,
    captioning_network,
    grounding_network,
    pair_network,
    retrieval_network,
)

PIXELS_PER_WINDOW_TOKEN = 32  # image side / window side, in all released models


@dataclass(frozen=True)
class ModelSize:
    """Architectures, image sides in pixels where they differ, and the answers to choose from."""

    vision: VisionArchitecture
    text: TextArchitecture
    vqa_side: int
    crop_side: int
    decoder_layers: int
    feature_width: int
    answers: int
    shortlist: int

    def vision_at(self, side: int) -> VisionArchitecture:
        """Return the vision encoder for images of another side."""
        return replace(self.vision, resolution=side, window=side // PIXELS_PER_WINDOW_TOKEN)


SIZES = {
    "base": ModelSize(  # X-VLM (base), arXiv 2111.08276: Swin-B, BERT-base split in the middle
        vision=VisionArchitecture(
            resolution=384, window=12, width=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32)
        ),
        text=TextArchitecture(
            vocabulary=30522,
            positions=512,
            width=768,
            heads=12,
            layers=12,
            fusion_layer=6,
            inner_width=3072,
            encoder_width=1024,
        ),
        vqa_side=480,
        crop_side=224,
        decoder_layers=6,
        feature_width=256,
        answers=3128,
        shortlist=128,
    ),
    "tiny": ModelSize(
        vision=VisionArchitecture(
            resolution=64, window=2, width=8, depths=(2, 1, 2, 1), heads=(1, 2, 4, 8)
        ),
        text=TextArchitecture(
            vocabulary=600,
            positions=64,
            width=64,
            heads=2,
            layers=4,
            fusion_layer=2,
            inner_width=128,
            encoder_width=64,
        ),
        vqa_side=96,
        crop_side=32,
        decoder_layers=2,
        feature_width=16,
        answers=300,
        shortlist=24,
    ),
}


@dataclass(frozen=True)
class ModelKind:
    """One kind of model: its checkpoint's head, its sizes and network, and how both are loaded."""

    head: str
    architecture: Callable[[ModelSize], Architecture]
    network: Callable[[Architecture, ModelSize], nn.Module]
    load_network: Callable[[Checkpoint], nn.Module]
    load_model: Callable[[Checkpoint, Path, Device], Any]


def _encoders(size: ModelSize) -> Architecture:
    return Architecture(size.vision, size.text)


def _answering(size: ModelSize) -> Architecture:
    """VQA's decoder cross-attends to the states of the question in every layer."""
    decoder = replace(
        size.text, layers=size.decoder_layers, fusion_layer=0, encoder_width=size.text.width
    )
    return Architecture(size.vision_at(size.vqa_side), size.text, decoder)


def _answering_network(architecture: Architecture, _: ModelSize) -> nn.Module:
    assert architecture.decoder is not None
    return AnsweringNetwork(fused(architecture), architecture.decoder)


def _pairs(size: ModelSize) -> Architecture:
    """NLVR2's encoder has every fusion layer twice, once for each image."""
    layers = 2 * size.text.layers - size.text.fusion_layer
    return Architecture(size.vision, replace(size.text, layers=layers))


def _captioning(size: ModelSize) -> Architecture:
    """A captioner has a decoder and no text encoder."""
    return Architecture(size.vision, None, size.text)


def _crops(size: ModelSize) -> Architecture:
    return Architecture(size.vision_at(size.crop_side), size.text)


def _retrieval_network(architecture: Architecture, size: ModelSize) -> nn.Module:
    return RetrievalNetwork(fused(architecture), feature_width=size.feature_width)


KINDS = {
    "retrieval": ModelKind(
        "retrieval", _encoders, _retrieval_network, retrieval_network, XVLMRetriever
    ),
    "crops": ModelKind(
        "retrieval", _crops, _retrieval_network, retrieval_network, XVLMAttributeMatcher
    ),
    "bbox": ModelKind(
        "bbox",
        _encoders,
        lambda architecture, _: GroundingNetwork(fused(architecture)),
        grounding_network,
        XVLMGrounder,
    ),
    "nlvr": ModelKind(
        "nlvr",
        _pairs,
        lambda architecture, _: PairNetwork(fused(architecture)),
        pair_network,
        XVLMPairReasoner,
    ),
    "vqa": ModelKind("vqa", _answering, _answering_network, answering_network, XVLMAnswerer),
    "captioning": ModelKind(
        "captioning",
        _captioning,
        lambda architecture, _: CaptioningNetwork(decoding(architecture)),
        captioning_network,
        XVLMCaptioner,
    ),
}


def random_model(kind: str, size: ModelSize, vocabulary: Path, device: Device) -> Any:
    """Return a model of one of the KINDS, with random weights loaded as from a checkpoint."""
    return KINDS[kind].load_model(_random_checkpoint(KINDS[kind], size), vocabulary, device)


def random_network(kind: str, size: ModelSize, device: Device) -> Any:
    """Return the network of the same weights, not prepacked: torch multiplies its matrices."""
    return KINDS[kind].load_network(_random_checkpoint(KINDS[kind], size)).to(device.torch)


def _random_checkpoint(kind: ModelKind, size: ModelSize) -> Checkpoint:
    architecture = kind.architecture(size)
    with unfilled():
        network = kind.network(architecture, size)
    tensors = random_tensors(network)
    if kind.head == "nlvr":
        share_pair_projections(tensors)
    return Checkpoint(Path("random weights"), tensors, kind.head, architecture)
