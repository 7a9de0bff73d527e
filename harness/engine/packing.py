"""Packed (varlen) texts: the tokens of many texts end to end, [N], without padding.

A transformer layer computes almost everything for each token alone. Only attention has to know
which tokens belong together: a token attends to its own text, and to the image that its text is
about. `Segments` cut the tokens accordingly.
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
from harness.engine.packed_attention import Tiles, cut_by_row, cut_by_text, packed_attention
from harness.engine.segments import Bucket, Segments, cut_segments, positions


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
        return positions(self.lengths)

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
    row_of_token = None if row is None else row.repeat_interleave(lengths)
    count = int(lengths.sum())
    if packed_attention.is_on:
        tokens = _tiles(cut_by_text(lengths, lengths), cut_by_row(row_of_token, count))
        cls = _tiles(cut_by_text(torch.ones_like(lengths), lengths), cut_by_row(row, len(lengths)))
    else:
        by_text = cut_segments(lengths, min_bucket)
        one_each = tuple(Bucket(bucket.segments, bucket.segments, 1) for bucket in by_text.buckets)
        tokens = Queries(by_text, _by_image(row_of_token, count, min_bucket))
        cls = Queries(Segments(one_each), _by_image(row, len(lengths), min_bucket))
    return PackedTexts(texts, lengths, lengths.cumsum(0) - lengths, images, tokens, cls)


def _tiles(by_text: Tiles, by_image: Tiles) -> Queries:
    return Queries(Segments((), tiles=by_text), Segments((), tiles=by_image))


def _by_image(row: Tensor | None, count: int, min_bucket: int) -> Segments:
    """Cut `count` tokens by the image they are about, `row` [count], one of 0 .. G - 1 or all 0."""
    if row is None:
        return Segments((Bucket(slice(0, 1), slice(0, count), count),))
    order = row.argsort(stable=True)
    in_order = torch.equal(order, torch.arange(count))
    return cut_segments(row.bincount(), min_bucket, order=None if in_order else order)
