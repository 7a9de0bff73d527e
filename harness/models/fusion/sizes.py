"""The sizes of a BERT with cross-attention."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TextArchitecture:
    """The BERT that reads (layers below `fusion_layer`) and looks at the image (layers from there on)."""

    vocabulary: int
    positions: int
    width: int
    heads: int
    layers: int
    fusion_layer: int
    inner_width: int
    encoder_width: int
