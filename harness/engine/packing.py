"""Texts laid end to end: readers of one memory, without padding.

Almost everything that a layer does, it does to each token alone, and all readers of one memory look at the same. Only where a text attends
to itself it matters where it begins and ends. Texts of one length lie next to one another, and attend together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from harness.engine.chunks import ChunkSizes
from harness.engine.device import send


class Padding(NamedTuple):
    """How texts of different lengths sit in a table of n rows and T padding: the token `of` each seat, [n, T], and `hidden` [n, 1, 1, T],
    -inf for the padding beyond a text's end; and the seat `at` which each token sits, counted through all rows.
    """

    gather: Tensor
    mask: Tensor
    scatter: Tensor


@dataclass(frozen=True)
class Bucket:
    """Texts next to one another that attend to themselves together: which of a packed's `texts`, which of its `tokens`, the longest length.

    Where all are of this length, they need no padding.
    """

    texts: slice
    tokens: slice
    length: int
    padding: Padding | None = None

    @property
    def mask(self) -> Tensor | None:
        return None if self.padding is None else self.padding.mask

    def pad(self, packed: Tensor) -> Tensor:
        """Return the table [n, T, d] of this bucket's texts, out of a packed of tokens [N, d]."""
        tokens = packed[self.tokens]
        return (
            tokens.unflatten(0, (-1, self.length))
            if self.padding is None
            else tokens[self.padding.gather]
        )

    def unpad(self, table: Tensor) -> Tensor:
        """Return the tokens of a table [n, T, d] end to end."""
        tokens = table.flatten(0, 1)
        return tokens if self.padding is None else tokens[self.padding.scatter]


@dataclass(frozen=True)
class PackedTexts:
    """Some of the texts, `texts` [n] by index, shortest first and laid end to end: `length` [n] tokens each, from `first` [n] on."""

    texts: Tensor
    length: Tensor
    first: Tensor
    buckets: tuple[Bucket, ...]

    @property
    def position_ids(self) -> Tensor:
        """Where in its text each token stands, [N], on the host."""
        return _position_ids(self.length)

    def per_token(self, values: Tensor) -> Tensor:
        """Return for each token, [N], what `values` [n], on the host, hold of its text."""
        return values.repeat_interleave(self.length)

    def to(self, device: torch.device) -> "PackedTexts":
        """Return the packed on a device, but for `length`, which the host needs."""
        buckets = (
            bucket
            if bucket.padding is None
            else replace(bucket, padding=Padding(*(send(part, device) for part in bucket.padding)))
            for bucket in self.buckets
        )
        return PackedTexts(
            send(self.texts, device), self.length, send(self.first, device), tuple(buckets)
        )


def pack(lengths: Sequence[int], chunk_sizes: ChunkSizes) -> Iterator[PackedTexts]:
    """Yield packs of all texts, of at most as many tokens as fill a device (of one text, if it has more)."""
    order = torch.tensor(lengths, dtype=torch.long).sort(stable=True)
    end = order.values.cumsum(0)
    begin = 0
    while begin < len(end):
        before = int(end[begin - 1]) if begin else 0
        stop = max(
            begin + 1, int(torch.searchsorted(end, before + chunk_sizes.text_tokens, right=True))
        )
        length = order.values[begin:stop]
        yield PackedTexts(
            order.indices[begin:stop],
            length,
            length.cumsum(0) - length,
            tuple(_buckets(length, chunk_sizes.min_bucket)),
        )
        begin = stop


def _buckets(length: Tensor, min_bucket: int) -> Iterator[Bucket]:
    """Yield the buckets of texts `length` [n] long: those of one length, together with longer ones where they are fewer than `min_bucket`."""
    counts = length.unique_consecutive(return_counts=True)[1].tolist()
    begin = token = stop = 0
    for number, count in enumerate(counts, start=1):
        stop += count
        if stop - begin >= min_bucket or number == len(counts):
            some = length[begin:stop]
            tokens = slice(token, token + int(some.sum()))
            yield Bucket(
                slice(begin, stop),
                tokens,
                int(some[-1]),
                None if some[0] == some[-1] else _padding(some),
            )
            begin, token = stop, tokens.stop


def _padding(length: Tensor) -> Padding:
    seat, first = torch.arange(int(length[-1])), (length.cumsum(0) - length)[:, None]
    of = first + torch.minimum(
        seat, length[:, None] - 1
    )  # beyond its end, a text's last token sits: nobody sees it
    hidden = torch.where(seat < length[:, None], 0.0, -torch.inf)[:, None, None]
    at = (torch.arange(len(length)) * len(seat)).repeat_interleave(length) + _position_ids(length)
    return Padding(of, hidden, at)


def _position_ids(length: Tensor) -> Tensor:
    return torch.arange(int(length.sum())) - (length.cumsum(0) - length).repeat_interleave(length)
