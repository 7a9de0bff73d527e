"""Describe a folder in the layout of transformers: its model, sizes, hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.capabilities import DualEncoder
from harness.checkpoints import Weights
from harness.formats.folder import sha256_of
from harness.models.dual.load import load


@dataclass(frozen=True)
class Audit:
    """A folder that was loaded, which is all that it takes to be evaluated."""

    path: Path
    architecture: str
    protocol: str
    sha256: str
    parameters: int
    offers: tuple[type, ...] = (DualEncoder,)
    fits: bool = True

    def as_json(self) -> Mapping[str, Any]:
        """Return the description in JSON types."""
        return {
            "file": str(self.path),
            "sha256": self.sha256,
            "head": self.architecture,
            "protocol": self.protocol,
            "parameters": self.parameters,
            "fits": True,
            "complaints": [],
        }

    def sentences(self) -> list[str]:
        """Return the description in sentences."""
        return [
            f"{self.path}: is a {self.architecture} in the layout of transformers.",
            f"Images and texts are read by the protocol {self.protocol}.",
            f"{self.parameters / 1e6:.2f} M parameters are used.",
            f"sha256 {self.sha256}",
            "All tensors of the network are present.",
        ]


def audit(path: Path) -> Audit:
    """Load a folder. Raises CheckpointError for one that holds no dual encoder."""
    model = load(Weights(path.name, "dual", path), needs=DualEncoder, device="cpu", dtype="float32")
    return Audit(
        path=path,
        architecture=str(model.provenance["architecture"]),
        protocol=model.protocol,
        sha256=sha256_of(path if path.is_dir() else path.parent),
        parameters=sum(parameter.numel() for parameter in model.network.parameters()),
    )
