"""Describe a weight file: its head, sizes, hash, and whether every tensor fits its network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from harness.capabilities import (
    Answerer,
    AttributeMatcher,
    Captioner,
    Grounder,
    Localizer,
    PairReasoner,
    PairScorer,
)
from harness.errors import CheckpointError
from harness.formats.folder import sha256_of
from harness.models.xvlm.checkpoint import HEADS, Checkpoint, read_checkpoint
from harness.models.xvlm.networks import (
    answering_network,
    captioning_network,
    grounding_network,
    pair_network,
    retrieval_network,
)

NETWORKS: Mapping[str, tuple[Callable[[Checkpoint], nn.Module], ...]] = {
    "pretrain": (retrieval_network, grounding_network),
    "retrieval": (retrieval_network,),
    "bbox": (grounding_network,),
    "vqa": (answering_network,),
    "nlvr": (pair_network,),
    "captioning": (captioning_network,),
}
CAPABILITIES: Mapping[Callable[[Checkpoint], nn.Module], tuple[type, ...]] = {
    retrieval_network: (PairScorer, AttributeMatcher, Localizer),
    grounding_network: (Grounder,),
    answering_network: (Answerer,),
    pair_network: (PairReasoner,),
    captioning_network: (Captioner,),
}


@dataclass(frozen=True)
class Audit:
    """A weight file, the capabilities it has, and the `complaints` for which it has none."""

    checkpoint: Checkpoint
    sha256: str
    parameters: int
    offers: tuple[type, ...]
    complaints: tuple[str, ...]

    @property
    def fits(self) -> bool:
        return not self.complaints

    def as_json(self) -> Mapping[str, Any]:
        """Return the description in JSON types."""
        vision = self.checkpoint.architecture.vision
        return {
            "file": str(self.checkpoint.path),
            "sha256": self.sha256,
            "head": self.checkpoint.kind,
            "resolution": vision.resolution if vision else None,
            "tensors": len(self.checkpoint.tensors),
            "parameters": self.parameters,
            "fits": self.fits,
            "complaints": list(self.complaints),
        }

    def sentences(self) -> list[str]:
        """Return the description in sentences."""
        checkpoint = self.checkpoint
        vision, text, decoder = (
            checkpoint.architecture.vision,
            checkpoint.architecture.text,
            checkpoint.architecture.decoder,
        )
        lines = [f"{checkpoint.path}: is an X-VLM checkpoint for {HEADS[checkpoint.kind]}."]
        if vision:
            lines.append(
                f"Images are {vision.resolution} px a side, windows {vision.window} tokens; Swin "
                f"has width {vision.width} and depths {' '.join(map(str, vision.depths))}."
            )
        for name, bert in (("encoder", text), ("decoder", decoder)):
            if bert:
                lines.append(bert.sentence(name))
        lines.append(
            f"It holds {len(checkpoint.tensors)} tensors; "
            f"{self.parameters / 1e6:.2f} M parameters are used."
        )
        lines.append(f"sha256 {self.sha256}")
        lines += self.complaints or [
            "All tensors of the network are present, and none is left over."
        ]
        return lines


def audit(path: Path) -> Audit:
    """Read a weight file and fill its networks.

    Raises CheckpointError for a file that is not an X-VLM checkpoint.
    """
    configuration = path.parent / "config.json"
    checkpoint = read_checkpoint(path, configuration if configuration.is_file() else None)
    used: dict[str, int] = {}
    offers: list[type] = []
    complaints = []
    grounds = any(name.startswith("bbox_head.") for name in checkpoint.tensors)
    for build in NETWORKS[checkpoint.kind]:
        if build is grounding_network and checkpoint.kind == "pretrain" and not grounds:
            continue  # pre-training without boxes has no such head
        try:
            used |= {
                name: parameter.numel() for name, parameter in build(checkpoint).named_parameters()
            }
            offers += CAPABILITIES[build]
        except CheckpointError as error:
            complaints.append(str(error))
    parameters = sum(used.values())
    return Audit(checkpoint, sha256_of(path), parameters, tuple(offers), tuple(complaints))
