"""How much a device computes at a time: larger chunks are no faster and take more memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

T = TypeVar("T")
PATCH = 4  # pixels per side of a patch


@dataclass(frozen=True)
class ChunkSizes:
    """On a CPU, sizes that suit its caches; on a GPU, sizes that hide the launch of kernels."""

    batch: int
    """Samples in a batch."""

    image_patches: int
    """Patches of PATCH x PATCH pixels, of the images that are encoded together."""

    text_tokens: int
    """Tokens of the texts that are packed together."""

    min_bucket: int
    """Minimum number of texts per attention call, padded where their lengths differ."""

    lm_head_rows: int
    """Distributions over the vocabulary in memory at a time."""

    reranked_images: int
    """Images whose pairs with texts are scored together, in re-ranking."""

    @property
    def of_pairs(self) -> "ChunkSizes":
        """The sizes for the texts that are fused with all images re-ranked together."""
        return replace(self, text_tokens=self.text_tokens * self.reranked_images)

    def images_of(self, resolution: int) -> int:
        """Return the number of images, of this side in pixels, to encode together."""
        return max(1, self.image_patches // (resolution // PATCH) ** 2)


IMAGE_PATCHES = 96 * 96  # of an image of 384 px
CHUNK_SIZES = {
    "cpu": ChunkSizes(
        batch=32,
        image_patches=IMAGE_PATCHES,
        text_tokens=4096,
        min_bucket=1,
        lm_head_rows=128,
        reranked_images=1,
    ),
    "cuda": ChunkSizes(
        batch=512,
        image_patches=64 * IMAGE_PATCHES,
        text_tokens=16384,
        min_bucket=512,
        lm_head_rows=2048,
        reranked_images=1,
    ),
}


def chunk_sizes_of(device: torch.device) -> ChunkSizes:
    """Return the chunk sizes for a device."""
    return CHUNK_SIZES[device.type]


def in_chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield a sequence in parts of at most `size`.

    >>> list(in_chunks("abcde", 2))
    ['ab', 'cd', 'e']
    """
    for first in range(0, len(items), size):
        yield items[first : first + size]
