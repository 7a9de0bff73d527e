"""The sizes of a BERT with cross-attention."""

from dataclasses import dataclass


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
