"""The sizes of an ALBEF-like model with a vision transformer, read from the tensors of its file.

The heads of the vision transformer are 64 wide (ViT-B and ViT-L), those of BERT too, unless a
`config.json` says otherwise. A file is used at the side that its position table was trained at,
unless a configuration names another: the table is then interpolated.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import CheckpointError
from harness.models.fusion.sizes import (
    HEAD_WIDTH,
    Shaped,
    TextArchitecture,
    numbered,
    text_architecture,
)

VISION = "visual_encoder."


@dataclass(frozen=True)
class VisionArchitecture:
    """The vision transformer: `resolution` and `patch` in pixels."""

    resolution: int
    patch: int
    width: int
    depth: int
    heads: int
    inner_width: int

    @property
    def patches_per_side(self) -> int:
        return self.resolution // self.patch

    @property
    def tokens(self) -> int:
        """The tokens of an image: [CLS] and the patches."""
        return 1 + self.patches_per_side**2

    @property
    def output_width(self) -> int:
        """The width of the tokens."""
        return self.width

    @property
    def first_layer_numbers(self) -> int:
        """The numbers in the first layer's input for one image."""
        return self.tokens * self.width

    @property
    def flops(self) -> float:
        """The operations of one image."""
        per_token = 4 * self.width**2 + 2 * self.tokens * self.width
        per_token += 2 * self.width * self.inner_width
        embedding = self.patches_per_side**2 * 3 * self.patch**2 * self.width
        return 2.0 * (embedding + self.depth * self.tokens * per_token)


@dataclass(frozen=True)
class Architecture:
    """The sizes of a file's vision encoder, text encoder, and text decoder (VQA, captioning)."""

    vision: VisionArchitecture
    text: TextArchitecture | None
    decoder: TextArchitecture | None


@dataclass(frozen=True)
class Hints:
    """Sizes that the tensors leave open: from a `config.json`, or an entry of checkpoints.yaml."""

    resolution: int | None = None
    vision_heads: int | None = None
    text_heads: int | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Hints":
        """Read the official keys of ALBEF and BLIP, or those of BLIP on the hub.

        Raises CheckpointError for a value that is not a positive integer.
        """
        config = _section(config, "config") or config
        vision = _section(config, "vision_config")
        text = next(
            (part for name in ("bert_config", "med_config", "text_config")
             if (part := _section(config, name))),
            {},
        )  # fmt: skip
        return cls(
            resolution=_size(config, "image_res", "image_size") or _size(vision, "image_size"),
            vision_heads=_size(vision, "num_heads", "num_attention_heads"),
            text_heads=_size(text, "num_attention_heads"),
        )


def architecture_of(tensors: Mapping[str, Shaped], hints: Hints) -> Architecture:
    """Return the sizes that the tensors of an official checkpoint imply.

    Raises CheckpointError where the tensors contradict one another or the hints.
    """
    architecture = Architecture(
        vision=_vision(tensors, hints),
        text=text_architecture(tensors, ("text_encoder.bert.", "text_encoder."), hints.text_heads),
        decoder=text_architecture(tensors, ("text_decoder.bert.",), hints.text_heads),
    )
    parts = {
        "vision encoder": architecture.vision,
        "text encoder": architecture.text,
        "text decoder": architecture.decoder,
    }
    for name, part in parts.items():
        if part is not None and part.width % part.heads:
            raise CheckpointError(
                f"the {name} is {part.width} wide, which {part.heads} heads do not divide"
            )
    return architecture


def _vision(tensors: Mapping[str, Shaped], hints: Hints) -> VisionArchitecture:
    width, _, patch, _ = tensors[f"{VISION}patch_embed.proj.weight"].shape
    positions = tensors[f"{VISION}pos_embed"].shape[1] - 1
    side = math.isqrt(positions)
    if side * side != positions or not side:
        raise CheckpointError(f"its position table has {positions} patches, which form no square")
    resolution = hints.resolution or side * patch
    if resolution % patch:
        raise CheckpointError(f"an image side of {resolution} px has no whole patches of {patch}")
    if hints.vision_heads is None and width % HEAD_WIDTH:
        raise CheckpointError(
            f"the vision encoder is {width} wide, which heads of {HEAD_WIDTH} do not divide, "
            "and no tensor shows their number; put a config.json with "
            '{"config": {"vision_config": {"num_heads": N}}} beside the checkpoint'
        )
    blocks = numbered(tensors, VISION.replace(".", r"\.") + r"blocks\.(\d+)\.mlp\.fc1\.weight")
    return VisionArchitecture(
        resolution=resolution,
        patch=patch,
        width=width,
        depth=1 + max((number for (number,), _ in blocks), default=-1),
        heads=hints.vision_heads or width // HEAD_WIDTH,
        inner_width=tensors[f"{VISION}blocks.0.mlp.fc1.weight"].shape[0],
    )


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _size(config: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = config.get(name)
        if value is not None:
            if type(value) is not int or value < 1:
                raise CheckpointError(f"{name} is {value!r}, not a positive integer")
            return value
    return None
