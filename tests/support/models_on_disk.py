"""Small X-VLM checkpoints in the official layout, for tests that need a file, not a golden."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from harness.models.filling import unfilled
from harness.models.fusion.sizes import TextArchitecture
from harness.models.xvlm.architecture import Architecture, VisionArchitecture
from harness.models.xvlm.checkpoint import read_checkpoint
from harness.models.xvlm.heads import (
    AnsweringNetwork,
    CaptioningNetwork,
    GroundingNetwork,
    PairNetwork,
    RetrievalNetwork,
    decoding,
    fused,
)
from harness.models.xvlm.networks import grounding_network

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "red",
    "blue",
    "the",
    "cup",
    "plate",
    "man",
    "tall",
    "a",
]


def sizes(resolution: int = 64, pieces: int = len(PIECES), positions: int = 16) -> Architecture:
    """A tiny X-VLM, its windows as large as those of the released models at this resolution."""
    vision = VisionArchitecture(
        resolution=resolution,
        window=resolution // 32,
        width=8,
        depths=(1, 1, 2, 1),
        heads=(1, 2, 4, 8),
    )
    text = TextArchitecture(
        vocabulary=pieces,
        positions=positions,
        width=64,
        heads=1,
        layers=2,
        fusion_layer=1,
        inner_width=64,
        encoder_width=64,
    )
    return Architecture(vision, text)


def network(head: str, tiny: Architecture) -> nn.Module:
    """The network of a head, in these sizes."""
    text = tiny.text
    assert text is not None
    twice = replace(
        tiny, text=replace(text, layers=text.layers + 1)
    )  # NLVR2: the fusion layer once for each image
    return {
        "bbox": lambda: GroundingNetwork(fused(tiny)),
        "retrieval": lambda: RetrievalNetwork(fused(tiny), feature_width=8),
        "pretrain": lambda: RetrievalNetwork(fused(tiny), feature_width=8),
        "vqa": lambda: AnsweringNetwork(
            fused(tiny), replace(text, layers=1, fusion_layer=0, encoder_width=text.width)
        ),
        "nlvr": lambda: PairNetwork(fused(twice)),
        "captioning": lambda: CaptioningNetwork(decoding(replace(tiny, decoder=text))),
    }[head]()


@cache
def _shapes(head: str, tiny: Architecture) -> dict[str, torch.Size]:
    with unfilled():
        made = network(head, tiny)
    return {name: tensor.shape for name, tensor in made.state_dict().items()}


def random_state(head: str, tiny: Architecture, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of a checkpoint with this head, by their official names."""
    draws = torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(shape, generator=draws) * 0.2
        for name, shape in _shapes(head, tiny).items()
    }
    if head == "pretrain":
        return {
            name.replace("text_encoder.", "text_encoder.bert."): tensor
            for name, tensor in state.items()
        }
    if head == "nlvr":  # the layers of a pair share their keys and values
        shared = {
            name: name.replace(".layer.2.", ".layer.1.")
            for name in state
            if re.search(r"crossattention\.self\.(key|value)", name)
        }
        return {name: state[shared.get(name, name)] for name in state}
    return state


def grounding_state(seed: int = 0, resolution: int = 64) -> dict[str, torch.Tensor]:
    """Random weights of a `bbox` checkpoint, by their official names."""
    return random_state("bbox", sizes(resolution), seed)


def write_vocabulary(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")


def write_checkpoint(path: Path, state: Any = None) -> Path:
    """Write a checkpoint as the authors do, `{"model": state}`, and its vocabulary beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": grounding_state() if state is None else state}, path)
    write_vocabulary(path.parent)
    return path


def load_grounding(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights of the grounding network that a checkpoint file gives."""
    return grounding_network(read_checkpoint(path)).state_dict()


def is_same(state: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    """Return whether two states have the same names and equal tensors."""
    return state.keys() == expected.keys() and all(
        torch.equal(state[name], expected[name]) for name in expected
    )
