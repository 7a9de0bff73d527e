"""The released files of ALBEF and BLIP: the head and sizes of a file, and the weights it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from harness.checkpoints import Weights
from harness.errors import CapabilityError, CheckpointError, DataError
from harness.files.parsing import read_json
from harness.models.filling import fill, list_names
from harness.models.fusion.settings import Settings
from harness.models.vit.architecture import VISION, Architecture, Hints, architecture_of
from harness.models.vit.encoder import interpolate_positions
from harness.models.weights import read_tensors

N = TypeVar("N", bound=nn.Module)
Rename = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
PARTS = {  # by kind of file; all else (momentum copies, queues, `temp`) serves the training only
    "retrieval": (VISION, "text_encoder.", "vision_proj.", "text_proj.", "itm_head."),
    "vqa": (VISION, "text_encoder.", "text_decoder."),
    "nlvr": (VISION, "text_encoder.", "cls_head."),
    "captioning": (VISION, "text_decoder."),
}
HEADS = {
    "retrieval": "retrieval or pre-training (itm_head)",
    "vqa": "question answering (text_decoder beside text_encoder)",
    "nlvr": "NLVR2 (cls_head)",
    "captioning": "captioning (text_decoder alone)",
}
POSITIONS = f"{VISION}pos_embed"
COMPUTED = ("position_ids",)  # buffers that follow from the sizes


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a file by their official names, the kind of its model, and its sizes.

    `kind` is one of `retrieval`, `vqa`, `nlvr`, `captioning`. The position table is that of
    `architecture.vision.resolution`, interpolated if the file was trained at another side.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    kind: str
    architecture: Architecture

    def fill(self, network: N) -> N:
        """Fill a network strictly with the parts that files of its kind have.

        Raises CheckpointError where a weight is missing, left over or of another shape.
        """
        wanted = {
            name: tensor
            for name, tensor in self.tensors.items()
            if name.startswith(PARTS[self.kind])
            and not name.startswith("text_encoder.cls.")  # the language model of pre-training
            and not name.endswith(COMPUTED)
        }
        fill(network, wanted, path=self.path)
        return network.eval().requires_grad_(False)

    def at(self, resolution: int) -> "Checkpoint":
        """Return the checkpoint for images of another side, its position table interpolated.

        Raises CheckpointError for a side without whole patches.
        """
        vision = self.architecture.vision
        if resolution % vision.patch:
            raise CheckpointError(
                f"{self.path}: an image side of {resolution} px has no whole patches of "
                f"{vision.patch}"
            )
        vision = replace(vision, resolution=resolution)
        table = interpolate_positions(self.tensors[POSITIONS], vision.patches_per_side)
        return replace(
            self,
            tensors={**self.tensors, POSITIONS: table},
            architecture=replace(self.architecture, vision=vision),
        )

    def require(self, kind: str, purpose: str) -> None:
        """Raise CapabilityError where the file is of another kind."""
        if self.kind != kind:
            raise CapabilityError(
                f"{self.path}: is a checkpoint for {HEADS[self.kind]}; "
                f"{purpose} needs one for {HEADS[kind]}"
            )


def read_checkpoint(
    path: Path,
    configuration: Path | None = None,
    *,
    rename: Rename,
    resolution: int | None = None,
) -> Checkpoint:
    """Read a file or folder without running its code; `rename` gives tensors official names.

    A `configuration` may hold the sizes that tensors leave open (see `Hints`); its image side
    counts more than `resolution`. Raises CheckpointError for a file that cannot be used.
    """
    tensors = read_tensors(path)
    try:
        tensors = dict(rename(tensors))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    hints = _hints(configuration)
    hints = replace(hints, resolution=hints.resolution or resolution)
    kind = _kind(tensors, path)
    try:
        architecture = architecture_of(tensors, hints)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"{path}: is incomplete: its sizes cannot be read from its tensors ({error})"
        ) from error
    side = architecture.vision.patches_per_side
    tensors[POSITIONS] = interpolate_positions(tensors[POSITIONS].float(), side)
    return Checkpoint(path=path, tensors=tensors, kind=kind, architecture=architecture)


def read_weights(weights: Weights, settings: Settings, *, rename: Rename) -> Checkpoint:
    """Read the file of some weights, at the side of a setting, a configuration or their entry."""
    released = weights.release.resolution if weights.release else None
    checkpoint = read_checkpoint(
        weights.path, weights.configuration, rename=rename, resolution=released
    )
    if settings.resolution is None:
        return checkpoint
    return checkpoint.at(settings.resolution)


def _kind(tensors: Mapping[str, Tensor], path: Path) -> str:
    def holds(*prefixes: str) -> bool:
        return any(name.startswith(prefixes) for name in tensors)

    prefixes = list_names(sorted({name.split(".")[0] for name in tensors}))
    if not holds(VISION):
        raise CheckpointError(
            f"{path}: has no {VISION}*: it is not a checkpoint of ALBEF or BLIP "
            f"(its names begin with {prefixes})"
        )
    if holds("itm_head."):
        return "retrieval"
    if holds("cls_head."):
        return "nlvr"
    if holds("text_decoder."):
        return "vqa" if holds("text_encoder.") else "captioning"
    raise CheckpointError(
        f"{path}: none of its tensors belongs to a head of ALBEF or BLIP "
        f"(their names begin with {prefixes})"
    )


def _hints(path: Path | None) -> Hints:
    """Return the sizes in a configuration; none in one of another tool."""
    if path is None:
        return Hints()
    try:
        config: Any = read_json(path)
    except DataError:
        return Hints()
    if not isinstance(config, dict):
        return Hints()
    try:
        return Hints.of(config)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
