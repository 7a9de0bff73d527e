"""The keys and values of pairs of images, for statements about both (NLVR2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from harness.engine.device import send
from harness.models.fusion.bert import project_kv
from harness.models.fusion.kv import CrossKV
from harness.models.fusion.layers import Layer


class PairKV:
    """The keys and values of pairs of images."""

    def of_pairs(self, pairs: Tensor) -> CrossKV:
        """Return those of some pairs, by index on the host."""
        raise NotImplementedError


@dataclass(frozen=True)
class AlternatingKV(PairKV):
    """Even fusion layers attend to the first image of a pair, odd ones to the second.

    The two layers of a pair share their keys and values, so `images` has half as many layers, and
    an image is projected once, whichever side it is on (ALBEF and X-VLM).
    """

    images: CrossKV
    pairs: Tensor

    @classmethod
    def project(cls, layers: Sequence[Layer], tokens: Tensor, pairs: Tensor) -> "AlternatingKV":
        """Project image tokens [M, S, C] that are the sides of `pairs` [P, 2], on the host."""
        return cls(project_kv(layers[::2], tokens), pairs)

    def of_pairs(self, pairs: Tensor) -> CrossKV:
        """Return the keys and values of some pairs, by index on the host."""
        first, second = send(self.pairs[pairs].T, self.images.layers[0].keys.device)
        sides = (first, second)
        return CrossKV(tuple(layer.select(side) for layer in self.images.layers for side in sides))
