"""Texts laid end to end: readers of one memory, without padding.

Almost everything that a layer does, it does to each token alone, and all readers of one memory look at the same. Only where a text attends
to itself it matters where it begins and ends; as texts of one length lie next to one another, they attend together, and nothing is hidden.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from harness.inference.grain import Grain


class Run(NamedTuple):
    """Texts of one length next to one another: which of a strip's texts, which of its tokens, how many tokens each has."""

    texts: slice
    tokens: slice
    length: int


@dataclass(frozen=True)
class Strip:
    """Some of the texts, `texts` [n] by index, shortest first and laid end to end: `length` [n] tokens each, from `first` [n] on."""

    texts: Tensor
    length: Tensor
    first: Tensor

    @property
    def places(self) -> Tensor:
        """Where in its text each token stands, [N]."""
        return torch.arange(int(self.length.sum())) - self.spread(self.first)

    def spread(self, values: Tensor) -> Tensor:
        """Return for each token, [N], what `values` [n] hold of its text."""
        return values.repeat_interleave(self.length)

    def runs(self) -> Iterator[Run]:
        """Yield the texts of each length."""
        text = token = 0
        for length, count in zip(*(numbers.tolist() for numbers in self.length.unique_consecutive(return_counts=True)), strict=True):
            yield Run(slice(text, text + count), slice(token, token + count * length), length)
            text, token = text + count, token + count * length


def lay_out(lengths: Sequence[int], grain: Grain) -> Iterator[Strip]:
    """Yield strips of all texts, of at most as many tokens as fill a device (of one text, if it has more)."""
    order = torch.tensor(lengths, dtype=torch.long).sort(stable=True)
    end = order.values.cumsum(0)
    begin = 0
    while begin < len(end):
        before = int(end[begin - 1]) if begin else 0
        stop = max(begin + 1, int(torch.searchsorted(end, before + grain.tokens, right=True)))
        length = order.values[begin:stop]
        yield Strip(order.indices[begin:stop], length, length.cumsum(0) - length)
        begin = stop
