"""Tokens cut into segments that attend together: those of a text, or of the texts of an image.

Segments of unequal lengths are padded for the attention alone, and only where a device prefers one
large operation to many small ones.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from harness.engine.device import send
from harness.engine.packed_attention import Tiles

MASKED = -torch.inf  # added to the attention scores of padding


@dataclass(frozen=True)
class Bucket:
    """Neighbouring segments that attend in one operation, padded to the longest, of `length` L.

    `segments` selects its n segments out of all. Their tokens are a slice where they lie end to end
    and are of one length. Elsewhere, `tokens` [n, L] are their indices, the last of a segment
    repeated behind its end. `mask` [n, 1, 1, L], added to attention scores, is MASKED there and 0
    elsewhere; None where there is no padding.
    """

    segments: slice
    tokens: slice | Tensor
    length: int
    mask: Tensor | None = None

    def pad(self, tokens: Tensor) -> Tensor:
        """Return the bucket's segments, padded, [n, L, d], out of all tokens [N, d]."""
        chosen = tokens[self.tokens]
        return chosen.unflatten(0, (-1, self.length)) if isinstance(self.tokens, slice) else chosen

    def to(self, device: torch.device) -> "Bucket":
        """Return the bucket with its indices on a device."""
        tokens = self.tokens if isinstance(self.tokens, slice) else send(self.tokens, device)
        return replace(self, tokens=tokens, mask=_sent(self.mask, device))


@dataclass(frozen=True)
class Segments:
    """How tokens are cut into segments, bucket by bucket.

    `position` [N] is the position of each token among the padded tokens of all buckets; None where
    these are the tokens as they lie. With `tiles` for the kernel of packed attention, nothing is
    padded and there are no buckets.
    """

    buckets: tuple[Bucket, ...]
    position: Tensor | None = None
    tiles: Tiles | None = None

    def restore(self, padded: Sequence[Tensor]) -> Tensor:
        """Return the tokens [N, d] out of the padded segments [n, L, d] of each bucket."""
        tokens = [bucket.flatten(0, 1) for bucket in padded]
        together = tokens[0] if len(tokens) == 1 else torch.cat(tokens)
        return together if self.position is None else together[self.position]

    def to(self, device: torch.device) -> "Segments":
        """Return the segments with their indices on a device."""
        buckets, tiles = tuple(bucket.to(device) for bucket in self.buckets), self.tiles
        if tiles is not None:
            table, order = send(tiles.table, device), _sent(tiles.order, device)
            tiles = replace(tiles, table=table, order=order)
        return Segments(buckets, _sent(self.position, device), tiles)


def cut_segments(lengths: Tensor, min_bucket: int, *, order: Tensor | None = None) -> Segments:
    """Cut tokens into segments of these lengths; `order` [N] sorts the tokens by segment."""
    cuts = tuple(_cut(lengths, min_bucket))
    equal = all(cut.mask is None for cut in cuts)
    if order is None:
        return Segments(cuts, None if equal else _padded_positions(lengths, cuts))
    buckets = tuple(
        replace(
            cut,
            tokens=order[cut.tokens].view(-1, cut.length)
            if isinstance(cut.tokens, slice)
            else order[cut.tokens],
        )
        for cut in cuts
    )
    inverse = order.argsort()
    return Segments(buckets, inverse if equal else _padded_positions(lengths, cuts)[inverse])


def positions(lengths: Tensor) -> Tensor:
    """Return the position of each token in its segment, [N], for segments of these `lengths`."""
    first = lengths.cumsum(0) - lengths
    return torch.arange(int(lengths.sum())) - first.repeat_interleave(lengths)


def _cut(lengths: Tensor, min_bucket: int) -> Iterator[Bucket]:
    """Yield buckets of segments: neighbours of one length, and more where they are too few."""
    values, counts = lengths.unique_consecutive(return_counts=True)
    runs = list(zip(values.tolist(), counts.tolist(), strict=True))
    begin = end = 0  # of a bucket, in segments
    first = stop = 0  # the same in tokens
    longest, shortest = 0, math.inf
    for number, (length, count) in enumerate(runs, start=1):
        end, stop = end + count, stop + count * length
        longest, shortest = max(longest, length), min(shortest, length)
        if end - begin < min_bucket and number < len(runs):
            continue
        bucket = Bucket(slice(begin, end), slice(first, stop), longest)
        yield bucket if longest == shortest else _pad(bucket, lengths[begin:end], first)
        begin, first, longest, shortest = end, stop, 0, math.inf


def _pad(bucket: Bucket, lengths: Tensor, first: int) -> Bucket:
    """Pad the segments of a bucket, of these lengths, whose tokens begin with number `first`."""
    position, length = torch.arange(bucket.length), lengths[:, None]
    begin = first + (lengths.cumsum(0) - lengths)[:, None]
    return replace(
        bucket,
        tokens=begin + torch.minimum(position, length - 1),
        mask=torch.where(position < length, 0.0, MASKED)[:, None, None],
    )


def _padded_positions(lengths: Tensor, buckets: Sequence[Bucket]) -> Tensor:
    """Return the position of each token among the padded tokens of all buckets, [N]."""
    sizes = [bucket.segments.stop - bucket.segments.start for bucket in buckets]
    padded = torch.tensor([bucket.length for bucket in buckets]).repeat_interleave(
        torch.tensor(sizes)
    )
    return (padded.cumsum(0) - padded).repeat_interleave(lengths) + positions(lengths)


def _sent(index: Tensor | None, device: torch.device) -> Tensor | None:
    return None if index is None else send(index, device)
