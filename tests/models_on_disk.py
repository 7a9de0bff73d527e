"""Small X-VLM checkpoints in the official layout, for tests that need a file rather than a golden."""

from pathlib import Path
from typing import Any

import torch

from harness.models.xvlm.architecture import Architecture, TextArchitecture, VisionArchitecture
from harness.models.xvlm.heads import GroundingNetwork

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "blue", "the", "cup", "plate", "man", "tall", "a"]
SIZES = Architecture(
    VisionArchitecture(resolution=64, window=2, width=8, depths=(1, 1, 2, 1), heads=(1, 2, 4, 8)),
    TextArchitecture(
        vocabulary=len(PIECES),
        positions=16,
        width=64,
        heads=1,
        layers=2,
        fusion_layer=1,
        inner_width=64,
        memory_width=64,
    ),
)


def grounding_state(seed: int = 0, sizes: Architecture = SIZES) -> dict[str, torch.Tensor]:
    """Random weights of a `bbox` checkpoint, by their official names."""
    draws = torch.Generator().manual_seed(seed)
    return {name: torch.randn(tensor.shape, generator=draws) * 0.2 for name, tensor in GroundingNetwork(sizes).state_dict().items()}


def write_vocabulary(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")


def write_checkpoint(path: Path, state: Any = None) -> Path:
    """Write a checkpoint as the authors do, `{"model": state}`, and its vocabulary beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": grounding_state() if state is None else state}, path)
    write_vocabulary(path.parent)
    return path
