"""Packed (varlen) texts: the tokens of many texts end to end, [N], without padding.

A transformer layer computes almost everything for each token alone. Only attention has to know
which tokens belong together: a token attends to its own text, and to the image that its text is
about. `Segments` cut the tokens accordingly; segments of unequal lengths are padded for the
attention alone, and only where a device prefers one large operation to many small ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.chunks import ChunkSizes
from harness.engine.device import send

MASKED = -torch.inf  # added to the attention scores of padding


class Padding(NamedTuple):
    """How n segments of unequal lengths are padded to the longest, L.

    `gather` [n, L] takes tokens to their padded positions, repeating the last token of a segment
    behind its end; `mask` [n, 1, 1, L] is MASKED there and 0 elsewhere; `scatter` takes the padded
    positions, flattened, back to tokens.
    """

    gather: Tensor
    mask: Tensor
    scatter: Tensor


@dataclass(frozen=True)
class Bucket:
    """Neighbouring segments that attend in one operation: the slices of their segments and tokens.

    `length` is that of the longest segment; without `padding`, all are of this length.
    """

    segments: slice
    tokens: slice
    length: int
    padding: Padding | None = None

    @property
    def mask(self) -> Tensor | None:
        """What to add to attention scores, [n, 1, 1, L]: None where there is no padding."""
        return None if self.padding is None else self.padding.mask

    def pad(self, tokens: Tensor) -> Tensor:
        """Return the bucket's segments, padded, [n, L, d], out of all tokens [N, d]."""
        tokens = tokens[self.tokens]
        if self.padding is None:
            return tokens.unflatten(0, (-1, self.length))
        return tokens[self.padding.gather]

    def unpad(self, padded: Tensor) -> Tensor:
        """Return the tokens of padded segments [n, L, d] end to end."""
        tokens = padded.flatten(0, 1)
        return tokens if self.padding is None else tokens[self.padding.scatter]

    def to(self, device: torch.device) -> "Bucket":
        """Return the bucket with its indices on a device."""
        if self.padding is None:
            return self
        return replace(self, padding=Padding(*(send(part, device) for part in self.padding)))


@dataclass(frozen=True)
class Segments:
    """How tokens are cut into segments, bucket by bucket.

    `order` [N] sorts the tokens by segment, and `inverse` undoes that; both are None where the
    tokens lie segment by segment already.
    """

    buckets: tuple[Bucket, ...]
    order: Tensor | None = None
    inverse: Tensor | None = None

    def arrange(self, tokens: Tensor) -> Tensor:
        """Return tokens [N, d] segment by segment."""
        return tokens if self.order is None else tokens[self.order]

    def restore(self, tokens: Tensor) -> Tensor:
        """Return tokens that lie segment by segment in their own order."""
        return tokens if self.inverse is None else tokens[self.inverse]

    def to(self, device: torch.device) -> "Segments":
        """Return the segments with their indices on a device."""
        order, inverse = (
            None if index is None else send(index, device) for index in (self.order, self.inverse)
        )
        return Segments(tuple(bucket.to(device) for bucket in self.buckets), order, inverse)


class Queries(NamedTuple):
    """The tokens that attend, cut by their text and by the image that their text is about."""

    by_text: Segments
    by_image: Segments

    def to(self, device: torch.device) -> "Queries":
        """Return the queries with their indices on a device."""
        return Queries(self.by_text.to(device), self.by_image.to(device))


@dataclass(frozen=True)
class PackedTexts:
    """Some of the texts, `texts` [n] by index, shortest first; together N tokens.

    `lengths` [n] (on the host) are the lengths of the texts, `first` [n] the positions of their
    [CLS] tokens, `images` [G] (on the host) the images that they describe, ascending. `tokens` are
    all tokens as queries, `cls` the [CLS] tokens alone.
    """

    texts: Tensor
    lengths: Tensor
    first: Tensor
    images: Tensor
    tokens: Queries
    cls: Queries

    @property
    def position_ids(self) -> Tensor:
        """The position of each token in its text, [N], on the host."""
        return _positions(self.lengths)

    def per_token(self, values: Tensor) -> Tensor:
        """Repeat values of texts, [n] on the host, for each of their tokens, [N]."""
        return values.repeat_interleave(self.lengths)

    def ids_of(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Return the token ids [N] of these texts out of those of all texts, on the host."""
        return torch.tensor(list(chain.from_iterable(texts[text] for text in self.texts.tolist())))

    def to(self, device: torch.device) -> "PackedTexts":
        """Move the indices to a device; `lengths` and `images` stay on the host."""
        return replace(
            self,
            texts=send(self.texts, device),
            first=send(self.first, device),
            tokens=self.tokens.to(device),
            cls=self.cls.to(device),
        )


def pack(
    lengths: Sequence[int],
    chunk_sizes: ChunkSizes,
    *,
    image_of: Sequence[int] | NDArray[np.int64] | Tensor | None = None,
) -> Iterator[PackedTexts]:
    """Yield all texts, of `lengths` in tokens, in packs of at most `chunk_sizes.text_tokens`.

    A text that is longer is a pack alone. Text n is about image `image_of[n]`; by default, all are
    about image 0.
    """
    order = torch.tensor(lengths, dtype=torch.long).sort(stable=True)
    images = None if image_of is None else torch.as_tensor(np.asarray(image_of))[order.indices]
    end = order.values.cumsum(0)
    begin = 0
    while begin < len(end):
        before = int(end[begin - 1]) if begin else 0
        full = torch.searchsorted(end, before + chunk_sizes.text_tokens, right=True)
        texts = slice(begin, max(begin + 1, int(full)))
        yield _packed(
            order.indices[texts],
            order.values[texts],
            None if images is None else images[texts],
            chunk_sizes.min_bucket,
        )
        begin = texts.stop


def dense(images: int, texts: int, length: int) -> Queries:
    """Return the queries of G `images` with n `texts` each, all of one `length` T: [G * n * T]."""
    rows = images * texts
    tokens = slice(0, rows * length)
    return Queries(
        Segments((Bucket(slice(0, rows), tokens, length),)),
        Segments((Bucket(slice(0, images), tokens, texts * length),)),
    )


def _packed(
    texts: Tensor, lengths: Tensor, image_of: Tensor | None, min_bucket: int
) -> PackedTexts:
    if image_of is None:
        images, row = torch.zeros(1, dtype=torch.long), None
    else:
        images, row = image_of.unique(return_inverse=True)
    by_text = tuple(_buckets(lengths, min_bucket))
    one_each = tuple(Bucket(bucket.segments, bucket.segments, 1) for bucket in by_text)
    row_of_token = None if row is None else row.repeat_interleave(lengths)
    return PackedTexts(
        texts,
        lengths,
        lengths.cumsum(0) - lengths,
        images,
        Queries(Segments(by_text), _by_image(row_of_token, int(lengths.sum()), min_bucket)),
        Queries(Segments(one_each), _by_image(row, len(texts), min_bucket)),
    )


def _by_image(row: Tensor | None, count: int, min_bucket: int) -> Segments:
    """Cut `count` tokens by the image they are about, `row` [count], one of 0 .. G - 1 or all 0."""
    if row is None:
        return Segments((Bucket(slice(0, 1), slice(0, count), count),))
    order = row.argsort(stable=True)
    buckets = tuple(_buckets(row.bincount(), min_bucket))
    if torch.equal(order, torch.arange(count)):
        return Segments(buckets)
    return Segments(buckets, order, order.argsort())


def _buckets(lengths: Tensor, min_bucket: int) -> Iterator[Bucket]:
    """Yield buckets of segments: neighbours of one length, and more where they are too few."""
    counts = lengths.unique_consecutive(return_counts=True)[1].tolist()
    begin = token = end = 0
    for number, count in enumerate(counts, start=1):
        end += count
        if end - begin >= min_bucket or number == len(counts):
            bucket = lengths[begin:end]
            longest, tokens = int(bucket.max()), slice(token, token + int(bucket.sum()))
            equal = bool((bucket == longest).all())
            yield Bucket(
                slice(begin, end), tokens, longest, None if equal else _padding(bucket, longest)
            )
            begin, token = end, tokens.stop


def _padding(lengths: Tensor, longest: int) -> Padding:
    position, length = torch.arange(longest), lengths[:, None]
    first = (lengths.cumsum(0) - lengths)[:, None]
    row = torch.arange(len(lengths)).repeat_interleave(lengths)
    return Padding(
        gather=first + torch.minimum(position, length - 1),
        mask=torch.where(position < length, 0.0, MASKED)[:, None, None],
        scatter=row * longest + _positions(lengths),
    )


def _positions(lengths: Tensor) -> Tensor:
    first = lengths.cumsum(0) - lengths
    return torch.arange(int(lengths.sum())) - first.repeat_interleave(lengths)
