"""Texts padded to one length, as the literal algorithm and the authors' scripts have them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class PaddedTexts(NamedTuple):
    """Token ids [N, T], and the attention mask [N, T]: 1 for tokens, 0 for padding."""

    ids: Tensor
    mask: Tensor


def pad(texts: Sequence[Sequence[int]], *, length: int = 0, filler: int = 0) -> PaddedTexts:
    """Pad token ids by `filler` to the longest text, or to `length` if that is more.

    >>> pad([[5, 6], [7]]).mask.tolist()
    [[1, 1], [1, 0]]
    """
    longest = max(length, *map(len, texts))
    ids = [[*text, *[filler] * (longest - len(text))] for text in texts]
    mask = [[1] * len(text) + [0] * (longest - len(text)) for text in texts]
    return PaddedTexts(torch.tensor(ids), torch.tensor(mask))
