"""Tokens of image regions, as X-VLM is pre-trained on them. No evaluation needs them."""

import torch
from torch import Tensor


def region_tokens(tokens: Tensor, *, image_of: Tensor, inside: Tensor) -> Tensor:
    """Return the tokens [N, 1 + P, C] of N regions: the mean of its patches, then all patches.

    `tokens` [M, 1 + P, C] are the encoder's output, `image_of` [N] the image of each region, and
    `inside` [N, P] is 1 for its patches (X-VLM, section 3.2).
    """
    patches = tokens[image_of, 1:]
    inside = inside.to(patches.dtype)
    mean = torch.einsum("np,npc->nc", inside, patches) / inside.sum(1, keepdim=True)
    return torch.cat([mean[:, None], patches], dim=1)
