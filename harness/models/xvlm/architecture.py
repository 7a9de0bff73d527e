"""The sizes that an X-VLM checkpoint was trained with, read from its tensors.

A released checkpoint carries no configuration to rely on. One size is in no tensor, the number of
heads of BERT: heads are 64 wide, as in BERT (768 / 12, 1024 / 16), unless a `config.json` says
otherwise. The image side follows from the shift masks in every released file; without them, it is
32 pixels per token of a window's side.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.errors import CheckpointError
from harness.models.fusion.sizes import TextArchitecture

BERT_HEAD_WIDTH = 64  # BERT, table 1: 12 heads of 64 at width 768, 16 heads of 64 at width 1024
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


class Shaped(Protocol):
    """Anything with a shape: a tensor, or an entry of a safetensors header."""

    @property
    def shape(self) -> Any: ...


def architecture_of(tensors: Mapping[str, Shaped], hints: Hints | None = None) -> Architecture:
    """Return the sizes that the tensors of an official checkpoint imply.

    Raises CheckpointError where the tensors contradict one another or the hints.
    """
    hints = hints or Hints()
    architecture = Architecture(
        vision=_vision(tensors, hints.resolution),
        text=_text(tensors, ("text_encoder.bert.", "text_encoder."), hints.text_heads),
        decoder=_text(tensors, ("text_decoder.bert.",), hints.text_heads),
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
    for (stage, _block), shape in _numbered(
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
    for (stage, _block), shape in _numbered(
        tensors, r"vision_encoder\.layers\.(\d+)\.blocks\.(\d+)\.attn_mask"
    ):
        return math.isqrt(shape[0]) * math.isqrt(shape[1]) * PATCH * 2**stage
    return windows[-1] * PATCH * 2 ** (len(windows) - 1)


def _text(
    tensors: Mapping[str, Shaped], prefixes: Sequence[str], text_heads: int | None
) -> TextArchitecture | None:
    prefix = next(
        (prefix for prefix in prefixes if f"{prefix}embeddings.word_embeddings.weight" in tensors),
        None,
    )
    if prefix is None:
        return None
    vocabulary, width = tensors[f"{prefix}embeddings.word_embeddings.weight"].shape
    layer = re.escape(prefix) + r"encoder\.layer\.(\d+)\."
    layers = [
        number for (number,), _ in _numbered(tensors, layer + r"attention\.self\.query\.weight")
    ]
    fusion = [
        number for (number,), _ in _numbered(tensors, layer + r"crossattention\.self\.key\.weight")
    ]
    if not layers:
        raise CheckpointError(f"the text encoder ({prefix}*) has word embeddings but no layers")
    if text_heads is None and width % BERT_HEAD_WIDTH:
        raise CheckpointError(
            f"the text encoder is {width} wide, which heads of {BERT_HEAD_WIDTH} do not divide, "
            "and no tensor shows their number; put a config.json with "
            '{"config": {"text_config": {"num_attention_heads": N}}} beside the checkpoint'
        )
    return TextArchitecture(
        vocabulary=vocabulary,
        positions=tensors[f"{prefix}embeddings.position_embeddings.weight"].shape[0],
        width=width,
        heads=text_heads or width // BERT_HEAD_WIDTH,
        layers=max(layers) + 1,
        fusion_layer=min(fusion, default=max(layers) + 1),
        inner_width=tensors[f"{prefix}encoder.layer.0.intermediate.dense.weight"].shape[0],
        encoder_width=tensors[
            f"{prefix}encoder.layer.{min(fusion)}.crossattention.self.key.weight"
        ].shape[1]
        if fusion
        else 0,
    )


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


def _numbered(tensors: Mapping[str, Shaped], pattern: str) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield the numbers in each name that matches `pattern`, and the shape, in numeric order."""
    matches = [
        (tuple(map(int, match.groups())), tensor.shape)
        for name, tensor in tensors.items()
        if (match := re.fullmatch(pattern, name))
    ]
    yield from sorted(matches, key=lambda pair: pair[0])
