"""BLIP's BERT for NLVR2: two cross-attentions in each layer, one for each image of a pair.

models/nlvr_encoder.py of salesforce/BLIP: both attend with the same states; up to layer MERGED
their outputs are averaged, from there on merged by a linear map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harness.engine.device import send
from harness.engine.packing import dense
from harness.engine.segments import Segments
from harness.models.filling import unfilled
from harness.models.fusion.bert import Bert
from harness.models.fusion.kv import KV, CrossKV
from harness.models.fusion.layers import (
    EPSILON,
    Attention,
    Layer,
    Output,
    Projections,
    attend,
    project_kv,
)
from harness.models.fusion.pair_kv import PairKV
from harness.models.fusion.sizes import TextArchitecture
from harness.models.vit.checkpoint import Checkpoint
from harness.models.vit.networks import PairNetwork

MERGED = 6  # the first layer with a merge layer, whatever their number (nlvr_encoder.py 259)


class TwinOutput(Output):
    """Project the contexts of both images, join them, add the residual, normalise."""

    def __init__(self, width: int, *, merged: bool) -> None:
        nn.Module.__init__(self)
        self.dense0 = nn.Linear(width, width)
        self.dense1 = nn.Linear(width, width)
        self.merge_layer = nn.Linear(2 * width, width) if merged else None
        self.LayerNorm = nn.LayerNorm(width, eps=EPSILON)

    def join(self, first: Tensor, second: Tensor, residual: Tensor) -> Tensor:
        """Return the states [N, d] after both contexts [N, d]."""
        first, second = self.dense0(first), self.dense1(second)
        if self.merge_layer is None:
            joined = (first + second) / 2
        else:
            joined = self.merge_layer(torch.cat([first, second], dim=-1))
        return self.LayerNorm(joined + residual)


class TwinAttention(Attention):
    """Cross-attention to two images, whose keys and values lie one after another, [.., 2 S, w]."""

    def __init__(self, text: TextArchitecture, *, merged: bool) -> None:
        nn.Module.__init__(self)
        self.heads = text.heads
        self.self0 = Projections(text.width, text.encoder_width)
        self.self1 = Projections(text.width, text.encoder_width)
        self.output: TwinOutput = TwinOutput(text.width, merged=merged)

    def forward(self, states: Tensor, segments: Segments, kv: Sequence[KV]) -> Tensor:
        """Let tokens [N, d] attend to both images of the pair that their text is about."""
        first, second = zip(*map(_halves, kv), strict=True)
        context0 = attend(self.self0.query(states), segments, first, heads=self.heads)
        context1 = attend(self.self1.query(states), segments, second, heads=self.heads)
        return self.output.join(context0, context1, states)


class TwinLayer(Layer):
    """A layer of BERT with twin cross-attention."""

    def __init__(self, text: TextArchitecture, *, merged: bool) -> None:
        super().__init__(text, cross_attention=False)
        self.crossattention = TwinAttention(text, merged=merged)


class TwinBert(Bert):
    """BLIP's BERT for NLVR2; `images` everywhere are pairs of images."""

    def __init__(self, text: TextArchitecture) -> None:
        super().__init__(text)
        self.encoder.layer = nn.ModuleList(
            TwinLayer(text, merged=number >= MERGED) for number in range(text.layers)
        )


@dataclass(frozen=True)
class TwinKV(PairKV):
    """The keys and values of the first images and those of the second ones, with other weights.

    `rows` [P, 2] are the indices of each pair's images, on the host.
    """

    first: CrossKV
    second: CrossKV
    rows: Tensor

    def of_pairs(self, pairs: Tensor) -> CrossKV:
        """Return the keys and values of some pairs, by index on the host."""
        rows = self.rows[pairs]
        first, second = self.first.of_images(rows[:, 0]), self.second.of_images(rows[:, 1])
        return CrossKV(
            tuple(one.append(other) for one, other in zip(first.layers, second.layers, strict=True))
        )


class BlipPairNetwork(PairNetwork):
    """BLIP's NLVR2 model."""

    def build_text_encoder(self, text: TextArchitecture) -> Bert:
        """Return the BERT with twin cross-attention."""
        return TwinBert(text)

    def project_kv(self, tokens: Tensor, pairs: Tensor) -> PairKV:
        """Project each image once for every side that it is on."""
        first, first_row = pairs[:, 0].unique(return_inverse=True)
        second, second_row = pairs[:, 1].unique(return_inverse=True)
        return TwinKV(
            self._project(tokens, first, "self0"),
            self._project(tokens, second, "self1"),
            torch.stack([first_row, second_row], dim=1),
        )

    def _project(self, tokens: Tensor, images: Tensor, side: str) -> CrossKV:
        tokens = tokens[send(images, tokens.device)]
        by_image = dense(len(tokens), 1, tokens.shape[1]).by_text
        return CrossKV(
            tuple(
                project_kv(
                    getattr(layer.crossattention, side),
                    tokens.flatten(0, 1),
                    by_image,
                    heads=self.text.heads,
                )[0]
                for layer in self.text_encoder.layers
            )
        )


def pair_network(checkpoint: Checkpoint) -> BlipPairNetwork:
    """Return the filled network of a file.

    Raises CapabilityError for a file with another head, CheckpointError for one that does not fill
    the network.
    """
    checkpoint.require("nlvr", "judging pairs of images")
    with unfilled():
        network = BlipPairNetwork(checkpoint.architecture)
    return checkpoint.fill(network)


def _halves(kv: KV) -> tuple[KV, KV]:
    """Return the keys and values of both images of each pair."""
    half = kv.length // 2
    return (
        KV(kv.keys[:, :, :half], kv.values[:, :, :half]),
        KV(kv.keys[:, :, half:], kv.values[:, :, half:]),
    )
