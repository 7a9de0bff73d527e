"""How much is computed at a time. More fills a device no better, and takes more memory."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Grain:
    """What fills a kind of device.

    `samples` in a batch; `patches` (first tokens of the vision encoder) encoded together; `tokens` of readers that look together; `few` of
    them are worth some padding, as are texts laid end to end where not so many are `alike` in length; `rows` whose distributions over all
    words are there at a time.
    """

    samples: int
    patches: int
    tokens: int
    few: int
    alike: int
    rows: int


IMAGE = 96 * 96  # patches of an image of 384 px
GRAINS = {
    "cpu": Grain(samples=32, patches=IMAGE, tokens=4096, few=16, alike=1, rows=128),  # what its cache holds
    "cuda": Grain(samples=512, patches=64 * IMAGE, tokens=16384, few=256, alike=512, rows=2048),  # what is longer computed than called for
}


def grain_of(device: torch.device) -> Grain:
    """Return what fills a device."""
    return GRAINS[device.type]
