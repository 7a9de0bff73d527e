"""How much is computed at a time. More fills a device no better, and takes more memory."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ChunkSizes:
    """What fills a kind of device: on a CPU what its caches serve well, on a GPU what takes longer to compute than to ask for."""

    batch: int  # in a batch
    image_patches: int  # first tokens of the vision encoder, of images that are encoded together
    text_tokens: int  # of texts that are read, or look, together
    min_group: int  # texts: a group of fewer may have more padding than `readers.WASTE`
    min_bucket: int  # texts: so many, laid end to end, attend to themselves together, padded where they are not of one length
    lm_head_rows: int  # distributions over all words that are there at a time


IMAGE = 96 * 96  # patches of an image of 384 px
CHUNK_SIZES = {
    "cpu": ChunkSizes(
        batch=32,
        image_patches=IMAGE,
        text_tokens=4096,
        min_group=16,
        min_bucket=1,
        lm_head_rows=128,
    ),
    "cuda": ChunkSizes(
        batch=512,
        image_patches=64 * IMAGE,
        text_tokens=16384,
        min_group=256,
        min_bucket=512,
        lm_head_rows=2048,
    ),
}


def chunk_sizes_of(device: torch.device) -> ChunkSizes:
    """Return what fills a device."""
    return CHUNK_SIZES[device.type]
