"""The sizes of a BERT with cross-attention, as its tensors show them.

One size is in no tensor, the number of heads: they are 64 wide, as in BERT (768 / 12, 1024 / 16),
unless a configuration says otherwise.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.errors import CheckpointError

HEAD_WIDTH = 64  # BERT, table 1: 12 heads of 64 at width 768, 16 heads of 64 at width 1024


@dataclass(frozen=True)
class TextArchitecture:
    """A BERT whose layers from `fusion_layer` on cross-attend to tokens `encoder_width` wide."""

    vocabulary: int
    positions: int
    width: int
    heads: int
    layers: int
    fusion_layer: int
    inner_width: int
    encoder_width: int
    token_types: bool = True

    def sentence(self, name: str) -> str:
        """Return the description of a text `encoder` or `decoder` of these sizes."""
        return (
            f"The text {name} has {self.layers} layers of width {self.width} and {self.heads} "
            f"heads, cross-attention from layer {self.fusion_layer} on, and {self.vocabulary} "
            "word pieces."
        )


class Shaped(Protocol):
    """Anything with a shape: a tensor, or an entry of a safetensors header."""

    @property
    def shape(self) -> Any: ...


def text_architecture(
    tensors: Mapping[str, Shaped], prefixes: Sequence[str], heads: int | None
) -> TextArchitecture | None:
    """Return the sizes of the BERT below the first of `prefixes` that has word embeddings.

    None where no prefix has any. Raises CheckpointError where the number of heads is open.
    """
    prefix = next(
        (prefix for prefix in prefixes if f"{prefix}embeddings.word_embeddings.weight" in tensors),
        None,
    )
    if prefix is None:
        return None
    vocabulary, width = tensors[f"{prefix}embeddings.word_embeddings.weight"].shape
    layer = re.escape(prefix) + r"encoder\.layer\.(\d+)\."
    layers = [
        number for (number,), _ in numbered(tensors, layer + r"attention\.self\.query\.weight")
    ]
    fusion = [  # BLIP's NLVR2 model has two of them, self0 and self1
        (number, shape[1])
        for (number,), shape in numbered(tensors, layer + r"crossattention\.self0?\.key\.weight")
    ]
    if not layers:
        raise CheckpointError(f"the text encoder ({prefix}*) has word embeddings but no layers")
    if heads is None and width % HEAD_WIDTH:
        raise CheckpointError(
            f"the text encoder is {width} wide, which heads of {HEAD_WIDTH} do not divide, "
            "and no tensor shows their number; put a config.json with "
            '{"config": {"text_config": {"num_attention_heads": N}}} beside the checkpoint'
        )
    fusion_layer, encoder_width = min(fusion, default=(max(layers) + 1, 0))
    return TextArchitecture(
        vocabulary=vocabulary,
        positions=tensors[f"{prefix}embeddings.position_embeddings.weight"].shape[0],
        width=width,
        heads=heads or width // HEAD_WIDTH,
        layers=max(layers) + 1,
        fusion_layer=fusion_layer,
        inner_width=tensors[f"{prefix}encoder.layer.0.intermediate.dense.weight"].shape[0],
        encoder_width=encoder_width,
        token_types=f"{prefix}embeddings.token_type_embeddings.weight" in tensors,
    )


def numbered(tensors: Mapping[str, Shaped], pattern: str) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield the numbers in each name that matches `pattern`, and the shape, in numeric order."""
    matches = [
        (tuple(map(int, match.groups())), tensor.shape)
        for name, tensor in tensors.items()
        if (match := re.fullmatch(pattern, name))
    ]
    yield from sorted(matches, key=lambda pair: pair[0])
