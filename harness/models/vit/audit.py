"""Describe a weight file of ALBEF or BLIP: its head, sizes, hash, and whether every tensor fits."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CapabilityError, CheckpointError
from harness.formats.folder import sha256_of
from harness.models.vit.checkpoint import HEADS, PARTS, Checkpoint, Rename, read_checkpoint


@dataclass(frozen=True)
class Audit:
    """A weight file, the capabilities it has, and the `complaints` for which it has none."""

    title: str
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
        return {
            "file": str(self.checkpoint.path),
            "sha256": self.sha256,
            "head": self.checkpoint.kind,
            "resolution": self.checkpoint.architecture.vision.resolution,
            "tensors": len(self.checkpoint.tensors),
            "parameters": self.parameters,
            "fits": self.fits,
            "complaints": list(self.complaints),
        }

    def sentences(self) -> list[str]:
        """Return the description in sentences."""
        checkpoint, architecture = self.checkpoint, self.checkpoint.architecture
        vision = architecture.vision
        lines = [
            f"{checkpoint.path}: is a checkpoint of {self.title} for {HEADS[checkpoint.kind]}.",
            f"Images are {vision.resolution} px a side, patches {vision.patch} px; the vision "
            f"transformer has {vision.depth} layers of width {vision.width} and {vision.heads} "
            "heads.",
        ]
        for name, bert in (("encoder", architecture.text), ("decoder", architecture.decoder)):
            if bert:
                lines.append(bert.sentence(name))
        lines += [
            f"It holds {len(checkpoint.tensors)} tensors; "
            f"{self.parameters / 1e6:.2f} M parameters are used.",
            f"sha256 {self.sha256}",
        ]
        if unused := self.unused:
            parts = ", ".join(f"{part} ({count})" for part, count in unused.items())
            lines.append(f"Tensors of these parts are not used: {parts}.")
        return lines + list(self.complaints or ["All tensors of the network are present."])

    @property
    def unused(self) -> Mapping[str, int]:
        """The number of tensors by the parts of the file that are not read, e.g. momentum copies.

        They serve the training, or another network.
        """
        used = {name.split(".")[0] for name in PARTS[self.checkpoint.kind]}
        parts = Counter(name.split(".")[0] for name in self.checkpoint.tensors)
        return {part: count for part, count in sorted(parts.items()) if part not in used}


def audit_as(title: str, adapters: Mapping[type, Any], rename: Rename, path: Path) -> Audit:
    """Read a weight file and fill the networks of its kind; `adapters` are those of a family.

    Raises CheckpointError for a file that is not a checkpoint of the family.
    """
    configuration = (path if path.is_dir() else path.parent) / "config.json"
    checkpoint = read_checkpoint(
        path, configuration if configuration.is_file() else None, rename=rename
    )
    offers: list[type] = []
    complaints: list[str] = []
    used: dict[str, int] = {}
    for capability, adapter in adapters.items():
        try:  # needs no device and no vocabulary, unlike an adapter that is made
            network = adapter.__new__(adapter).network_of(checkpoint)
        except CapabilityError:  # for another head
            continue
        except CheckpointError as error:
            complaints.append(str(error))
            continue
        offers.append(capability)
        used |= {name: parameter.numel() for name, parameter in network.named_parameters()}
    if not offers and not complaints:
        complaints.append(
            f"{path}: holds weights for {HEADS[checkpoint.kind]}, which {title} does not do here"
        )
    return Audit(
        title,
        checkpoint,
        sha256_of(path),
        sum(used.values()),
        tuple(offers),
        tuple(dict.fromkeys(complaints)),
    )
