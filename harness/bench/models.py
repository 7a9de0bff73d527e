"""Models with random weights in two sizes: the released one (`base`) and one for tests (`tiny`)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.engine.device import Device
from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm.answerer import XVLMAnswerer
from harness.models.xvlm.architecture import Architecture, VisionArchitecture
from harness.models.xvlm.captioner import XVLMCaptioner
from harness.models.xvlm.checkpoint import Checkpoint
from harness.models.xvlm.grounder import XVLMGrounder
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
    decoding,
    fused,
)
from harness.models.xvlm.matcher import XVLMAttributeMatcher
from harness.models.xvlm.networks import (
    answering_network,
    captioning_network,
    grounding_network,
    pair_network,
    retrieval_network,
)
from harness.models.xvlm.reasoner import XVLMPairReasoner
from harness.models.xvlm.retriever import XVLMRetriever

SEED = 2111_08276
WINDOW = 32  # pixels of the image's side for each token of a window's side, in all released models


@dataclass(frozen=True)
class Size:
    """How large the models are: architectures, image sides in pixels where they differ, and how many answers there are to choose from."""

    vision: VisionArchitecture
    text: TextArchitecture
    side_vqa: int
    side_crops: int
    decoder_layers: int
    feature_width: int
    answers: int
    shortlist: int

    def seeing(self, side: int) -> VisionArchitecture:
        """Return the vision encoder for images of another side."""
        return replace(self.vision, resolution=side, window=side // WINDOW)


SIZES = {
    "base": Size(  # X-VLM (base), arXiv 2111.08276: Swin-B, BERT-base split in the middle
        vision=VisionArchitecture(resolution=384, window=12, width=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32)),
        text=TextArchitecture(
            vocabulary=30522, positions=512, width=768, heads=12, layers=12, fusion_layer=6, inner_width=3072, encoder_width=1024
        ),
        side_vqa=480,
        side_crops=224,
        decoder_layers=6,
        feature_width=256,
        answers=3128,
        shortlist=128,
    ),
    "tiny": Size(
        vision=VisionArchitecture(resolution=64, window=2, width=8, depths=(2, 1, 2, 1), heads=(1, 2, 4, 8)),
        text=TextArchitecture(
            vocabulary=600, positions=64, width=64, heads=2, layers=4, fusion_layer=2, inner_width=128, encoder_width=64
        ),
        side_vqa=96,
        side_crops=32,
        decoder_layers=2,
        feature_width=16,
        answers=300,
        shortlist=24,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Head:
    """One kind of model: as what its checkpoint is known, its sizes, the network that they make, and how to load network and model."""

    kind: str
    architecture: Callable[[Size], Architecture]
    network: Callable[[Architecture, Size], nn.Module]
    load_network: Callable[[Checkpoint], nn.Module]
    load_model: Callable[[Checkpoint, Path, Device], Any]


def _plain(size: Size) -> Architecture:
    return Architecture(size.vision, size.text)


def _answering(size: Size) -> Architecture:
    """VQA's decoder looks in every layer, at the states of the question."""
    decoder = replace(
        size.text, layers=size.decoder_layers, fusion_layer=0, encoder_width=size.text.width
    )
    return Architecture(size.seeing(size.side_vqa), size.text, decoder)


def _answering_network(sizes: Architecture, _: Size) -> nn.Module:
    assert sizes.decoder is not None
    return AnsweringNetwork(fused(sizes), sizes.decoder)


def _pairs(size: Size) -> Architecture:
    """In NLVR2, every fusion layer is there twice, once for each image."""
    return Architecture(
        size.vision, replace(size.text, layers=2 * size.text.layers - size.text.fusion_layer)
    )


def _captioning(size: Size) -> Architecture:
    """A captioner has a decoder and no text encoder."""
    return Architecture(size.vision, None, size.text)


def _crops(size: Size) -> Architecture:
    return Architecture(size.seeing(size.side_crops), size.text)


def _retrieval_network(sizes: Architecture, size: Size) -> nn.Module:
    return RetrievalNetwork(fused(sizes), feature_width=size.feature_width)


HEADS = {
    "retrieval": Head("retrieval", _plain, _retrieval_network, retrieval_network, XVLMRetriever),
    "crops": Head("retrieval", _crops, _retrieval_network, retrieval_network, XVLMAttributeMatcher),
    "bbox": Head(
        "bbox",
        _plain,
        lambda sizes, _: GroundingNetwork(fused(sizes)),
        grounding_network,
        XVLMGrounder,
    ),
    "nlvr": Head(
        "nlvr", _pairs, lambda sizes, _: PairNetwork(fused(sizes)), pair_network, XVLMPairReasoner
    ),
    "vqa": Head("vqa", _answering, _answering_network, answering_network, XVLMAnswerer),
    "captioning": Head(
        "captioning",
        _captioning,
        lambda sizes, _: CaptioningNetwork(decoding(sizes)),
        captioning_network,
        XVLMCaptioner,
    ),
}


def random_model(name: str, size: Size, vocabulary: Path, device: Device) -> Any:
    """Return the model with one of `HEADS`, its weights random but the same at every call, loaded as from a file."""
    return HEADS[name].load_model(_random_checkpoint(HEADS[name], size), vocabulary, device)


def random_network(name: str, size: Size, device: Device) -> Any:
    """Return the same model's network as it is in the paper's code: not settled, its products are torch's own."""
    return HEADS[name].load_network(_random_checkpoint(HEADS[name], size)).to(device.torch)


def _random_checkpoint(head: Head, size: Size) -> Checkpoint:
    sizes = head.architecture(size)
    with torch.device("meta"):
        network = head.network(sizes, size)
    return Checkpoint(Path("random weights"), _random_tensors(head.kind, network), head.kind, sizes)


def _random_tensors(kind: str, network: nn.Module) -> dict[str, Tensor]:
    """Return weights by name; what is one parameter under two names is one tensor."""
    draws = torch.Generator().manual_seed(SEED)
    made: dict[int, Tensor] = {}
    tensors: dict[str, Tensor] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if id(parameter) not in made:
            made[id(parameter)] = _drawn(name, parameter.shape, draws)
        tensors[name] = made[id(parameter)]
    if kind == "nlvr":  # the two layers of a pair share their keys and values
        first = min(
            int(number)
            for name in tensors
            for number in re.findall(r"\.layer\.(\d+)\.crossattention\.", name)
        )
        for name in tensors:
            found = re.fullmatch(
                r"(.*\.layer\.)(\d+)(\.crossattention\.self\.(?:key|value)\..*)", name
            )
            if found and (int(found[2]) - first) % 2:
                tensors[name] = tensors[f"{found[1]}{int(found[2]) - 1}{found[3]}"]
    return tensors


def _drawn(name: str, shape: torch.Size, draws: torch.Generator) -> Tensor:
    """Draw a parameter so large that signals neither die nor drown in the depth, and that attention prefers something."""
    numbers = torch.randn(shape, generator=draws)
    if "relative_position_bias_table" in name:
        return numbers * 0.5
    if len(shape) > 1:
        gain = (
            2.5
            if ".query." in name or ".key." in name
            else 0.25
            if "crossattention.output.dense" in name
            else 1.4
        )
        return numbers * (gain / shape[1:].numel() ** 0.5)
    return 1 + 0.1 * numbers if name.endswith("weight") else 0.05 * numbers
