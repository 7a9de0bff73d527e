"""Small X-VLM checkpoints in the official layout, for tests that need a file rather than a golden."""

from pathlib import Path
from typing import Any

import torch

from harness.models.xvlm.architecture import Architecture, TextArchitecture, VisionArchitecture
from harness.models.xvlm.heads import GroundingNetwork, fused

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "blue", "the", "cup", "plate", "man", "tall", "a"]


def sizes(resolution: int = 64) -> Architecture:
    """A tiny X-VLM, its windows as large as those of the released models at this resolution."""
    vision = VisionArchitecture(resolution=resolution, window=resolution // 32, width=8, depths=(1, 1, 2, 1), heads=(1, 2, 4, 8))
    text = TextArchitecture(
        vocabulary=len(PIECES), positions=16, width=64, heads=1, layers=2, fusion_layer=1, inner_width=64, memory_width=64
    )  # fmt: skip
    return Architecture(vision, text)


def grounding_state(seed: int = 0, resolution: int = 64) -> dict[str, torch.Tensor]:
    """Random weights of a `bbox` checkpoint, by their official names."""
    draws = torch.Generator().manual_seed(seed)
    network = GroundingNetwork(fused(sizes(resolution)))
    return {name: torch.randn(tensor.shape, generator=draws) * 0.2 for name, tensor in network.state_dict().items()}


def write_vocabulary(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")


def write_checkpoint(path: Path, state: Any = None) -> Path:
    """Write a checkpoint as the authors do, `{"model": state}`, and its vocabulary beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": grounding_state() if state is None else state}, path)
    write_vocabulary(path.parent)
    return path
