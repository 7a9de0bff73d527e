"""The sizes that an X-VLM checkpoint was trained with, read from its tensors.

A released checkpoint carries no configuration to rely on. One size is in no tensor, the number of
heads of BERT: heads are 64 wide, as in BERT (768 / 12, 1024 / 16), unless a `config.json` says
otherwise. The image side follows from the shift masks in every released file; without them, it is
32 pixels per token of a window's side.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import CheckpointError
from harness.models.fusion.sizes import Shaped, TextArchitecture, numbered, text_architecture

ROBERTA_TOKEN_TYPES = 1  # rows of its token type embedding, where BERT has 2
PATCH = 4  # pixels per side of a patch


@dataclass(frozen=True)
class VisionArchitecture:
    """The Swin transformer: `resolution` in pixels, `window` in tokens, the rest by stage."""

    resolution: int
    window: int
    width: int
    depths: tuple[int, ...]
    heads: tuple[int, ...]

    @property
    def tokens_per_side(self) -> int:
        return self.resolution // (PATCH * 2 ** (len(self.depths) - 1))

    @property
    def output_width(self) -> int:
        return self.width * 2 ** (len(self.depths) - 1)

    @property
    def tokens(self) -> int:
        """The tokens of an image: the patches of the last stage and their mean."""
        return 1 + self.tokens_per_side**2

    @property
    def first_layer_numbers(self) -> int:
        """The numbers in the first layer's input for one image."""
        return self.stage_side(0) ** 2 * self.width

    @property
    def flops(self) -> float:
        """The operations of one image (Swin, section 3.3)."""
        products = self.stage_side(0) ** 2 * 3 * PATCH**2 * self.width
        for stage, depth in enumerate(self.depths):
            tokens, width = self.stage_side(stage) ** 2, self.width * 2**stage
            window = self.stage_window(stage)
            products += depth * tokens * (12 * width**2 + 2 * window**2 * width)
            products += 2 * tokens * width**2 if stage + 1 < len(self.depths) else 0
        return 2.0 * products

    def stage_side(self, stage: int) -> int:
        """Return the tokens per side of `stage` (from 0)."""
        return self.resolution // (PATCH * 2**stage)

    def stage_window(self, stage: int) -> int:
        """Return the window of `stage`; one no larger than the window is one window, as in Swin."""
        return min(self.window, self.stage_side(stage))


@dataclass(frozen=True)
class Architecture:
    """The sizes of a file's vision encoder, text encoder, and text decoder (VQA, captioning)."""

    vision: VisionArchitecture | None
    text: TextArchitecture | None
    decoder: TextArchitecture | None = None


@dataclass(frozen=True)
class Hints:
    """Sizes in a `config.json` beside a checkpoint that its tensors may leave open."""

    resolution: int | None = None
    text_heads: int | None = None


def architecture_of(tensors: Mapping[str, Shaped], hints: Hints | None = None) -> Architecture:
    """Return the sizes that the tensors of an official checkpoint imply.

    Raises CheckpointError where the tensors contradict one another or the hints.
    """
    hints = hints or Hints()
    architecture = Architecture(
        vision=_vision(tensors, hints.resolution),
        text=text_architecture(tensors, ("text_encoder.bert.", "text_encoder."), hints.text_heads),
        decoder=text_architecture(tensors, ("text_decoder.bert.",), hints.text_heads),
    )
    _check(architecture)
    return architecture


def refuse_other_encoders(tensors: Mapping[str, Shaped]) -> None:
    """Raise CheckpointError for an X-VLM with another encoder than Swin and BERT.

    X-VLM's code can also be trained with CLIP-ViT or DeiT, and with RoBERTa (`use_clip_vit`,
    `use_roberta` in its configurations); no released checkpoint is.
    """
    names = [name for name in tensors if name.startswith("vision_encoder.")]
    has_swin = any(name.endswith("relative_position_bias_table") for name in names)
    if names and not has_swin and any("class_embedding" in name for name in names):
        raise _unsupported("its vision encoder is a CLIP-ViT")
    if (
        names
        and not has_swin
        and any(
            name.startswith(("vision_encoder.cls_token", "vision_encoder.blocks."))
            for name in names
        )
    ):
        raise _unsupported("its vision encoder is a ViT (DeiT's, as ALBEF has)")
    for part in ("text_encoder", "text_decoder"):
        types = tensors.get(f"{part}.embeddings.token_type_embeddings.weight")
        if any(name.startswith(f"{part}.roberta.") for name in tensors) or (
            types is not None and types.shape[0] == ROBERTA_TOKEN_TYPES
        ):
            raise _unsupported(f"its {part.replace('_', ' ')} is a RoBERTa")


def _unsupported(reason: str) -> CheckpointError:
    return CheckpointError(
        f"{reason}, which is not supported: models with a Swin transformer and BERT are, as all "
        "released ones"
    )


def _vision(tensors: Mapping[str, Shaped], resolution: int | None) -> VisionArchitecture | None:
    prefix = "vision_encoder."
    if f"{prefix}patch_embed.proj.weight" not in tensors:
        return None
    tables: dict[int, list[Any]] = {}
    for (stage, _block), shape in numbered(
        tensors, rf"{prefix}layers\.(\d+)\.blocks\.(\d+)\.attn\.relative_position_bias_table"
    ):
        tables.setdefault(stage, []).append(shape)
    if not tables:
        raise CheckpointError(
            "the vision encoder has no relative_position_bias_table: "
            "this is not the Swin transformer of X-VLM's released models"
        )
    windows = [(math.isqrt(tables[stage][0][0]) + 1) // 2 for stage in sorted(tables)]
    vision = VisionArchitecture(
        resolution=resolution or _resolution(tensors, windows),
        window=windows[0],
        width=tensors[f"{prefix}patch_embed.proj.weight"].shape[0],
        depths=tuple(len(tables[stage]) for stage in sorted(tables)),
        heads=tuple(tables[stage][0][1] for stage in sorted(tables)),
    )
    expected = [vision.stage_window(stage) for stage in range(len(windows))]
    if windows != expected:
        raise CheckpointError(
            f"its position tables are for windows of {windows} tokens a side, "
            f"an image of {vision.resolution} px has {expected}; if it was trained at another "
            'size, put a config.json with {"image_res": PIXELS} beside it'
        )
    return vision


def _resolution(tensors: Mapping[str, Shaped], windows: list[int]) -> int:
    """Return the image side in pixels: from a shift mask [W, N, N], else from the window."""
    for (stage, _block), shape in numbered(
        tensors, r"vision_encoder\.layers\.(\d+)\.blocks\.(\d+)\.attn_mask"
    ):
        return math.isqrt(shape[0]) * math.isqrt(shape[1]) * PATCH * 2**stage
    return windows[-1] * PATCH * 2 ** (len(windows) - 1)


def _check(architecture: Architecture) -> None:
    """Raise CheckpointError for consistent sizes that no network can have."""
    vision = architecture.vision
    if vision is not None:
        if vision.resolution % (PATCH * 2 ** (len(vision.depths) - 1)):
            raise CheckpointError(
                f"an image side of {vision.resolution} px cannot be halved "
                f"{len(vision.depths) - 1} times"
            )
        for stage, heads in enumerate(vision.heads):
            side, window = vision.stage_side(stage), vision.stage_window(stage)
            width = vision.width * 2**stage
            if side % window:
                raise CheckpointError(
                    f"stage {stage} of the vision encoder has {side} tokens a side, "
                    f"which windows of {window} do not tile"
                )
            if heads < 1 or width % heads:
                raise CheckpointError(
                    f"stage {stage} of the vision encoder is {width} wide, "
                    f"which {heads} heads do not divide"
                )
    for name, bert in (("encoder", architecture.text), ("decoder", architecture.decoder)):
        if bert is not None and bert.width % bert.heads:
            raise CheckpointError(
                f"the text {name} is {bert.width} wide, which {bert.heads} heads do not divide"
            )
