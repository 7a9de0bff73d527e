"""Random weights of ALBEF and BLIP, made on the spot: small files under the released names."""

from pathlib import Path

import torch
from torch import nn

from harness.checkpoints import find_entry
from harness.models.albef.networks import AlbefPairNetwork
from harness.models.blip.networks import BlipRetrievalNetwork
from harness.models.blip.twin_attention import BlipPairNetwork
from harness.models.fusion.sizes import TextArchitecture
from harness.models.vit.architecture import Architecture, VisionArchitecture
from harness.models.vit.networks import AnsweringNetwork, CaptioningNetwork, RetrievalNetwork

WIDTH = 64  # one head: no configuration is needed
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz0123456789"]
PIECES += [f"##{piece}" for piece in PIECES[5:]]
VISION = VisionArchitecture(
    resolution=96, patch=32, width=WIDTH, depth=2, heads=1, inner_width=2 * WIDTH
)


def write_vocabulary(path: Path) -> Path:
    """Write a vocabulary of letters, by which every text can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{piece}\n" for piece in PIECES))
    return path


def network(family: str, head: str, seed: int = 0) -> nn.Module:
    """Return an untrained network of a family for a head, always the same one of a seed."""
    torch.manual_seed(seed)
    blip = family == "blip"
    layers, fusion_layer = (3, 0) if blip else (6, 2)
    text = TextArchitecture(
        vocabulary=len(PIECES) + 2 * blip,
        positions=512,
        width=WIDTH,
        heads=1,
        layers=layers,
        fusion_layer=fusion_layer,
        inner_width=2 * WIDTH,
        encoder_width=WIDTH,
        token_types=not blip,
    )
    decoder = TextArchitecture(**{**vars(text), "layers": 3, "fusion_layer": 0})
    sizes = Architecture(VISION, text, decoder)
    if head in ("retrieval", "pretrain"):
        kind = BlipRetrievalNetwork if blip else RetrievalNetwork
        return kind(sizes, feature_width=8)
    if head == "vqa":
        return AnsweringNetwork(sizes)
    if head == "captioning":
        return CaptioningNetwork(sizes)
    if blip:
        return BlipPairNetwork(sizes)
    pairs = AlbefPairNetwork(sizes)
    layers_of_pairs = pairs.text_encoder.fusion_layers
    for even, odd in zip(layers_of_pairs[::2], layers_of_pairs[1::2], strict=True):
        for part in ("key", "value"):
            setattr(even.crossattention.self, part, getattr(odd.crossattention.self, part))
    return pairs


def write_weights(folder: Path, entry: str, task: str) -> Path:
    """Write a file of an entry of checkpoints.yaml, and return its path."""
    found = find_entry(entry)
    release = found.files[task]
    path = folder / entry / release.path
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network(found.family, release.head).state_dict()}, path)
    return path
