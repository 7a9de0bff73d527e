"""How much is computed at a time. More fills a device no better, and takes more memory."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ChunkSizes:
    """What fills a kind of device: on a CPU what its caches serve well, on a GPU what takes longer to compute than to ask for."""

    samples: int  # in a batch
    patches: int  # first tokens of the vision encoder, of images that are encoded together
    tokens: int  # of texts that are read, or look, together
    few: int  # texts: a group of fewer may have more padding than `readers.WASTE`
    alike: int  # texts: so many, laid end to end, attend to themselves together, padded where they are not of one length
    rows: int  # distributions over all words that are there at a time


IMAGE = 96 * 96  # patches of an image of 384 px
GRAINS = {
    "cpu": ChunkSizes(samples=32, patches=IMAGE, tokens=4096, few=16, alike=1, rows=128),
    "cuda": ChunkSizes(
        samples=512, patches=64 * IMAGE, tokens=16384, few=256, alike=512, rows=2048
    ),
}


def chunk_sizes_of(device: torch.device) -> ChunkSizes:
    """Return what fills a device."""
    return GRAINS[device.type]
