"""Which pairs of images and texts are worth a closer look: the best of both directions, as one set of pairs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.engine.device import float32_context

ROWS = 256  # compared at a time with everything on the other side: memory grows with the pairs, not with images times texts


@dataclass(frozen=True)
class Pairs:
    """Pairs to be scored, in order of image and then text: `image` and `text` [P] are indices."""

    image: Tensor
    text: Tensor

    def texts_of_image(self, image: int) -> Tensor:
        """Return the texts to be compared with one image, in order of index."""
        low, high = torch.searchsorted(self.image, torch.tensor([image, image + 1])).tolist()
        return self.text[low:high]


def cosine_similarity(asking: Tensor, asked: Tensor) -> Tensor:
    """Return the products [n, m] of unit vectors [n, f] and [m, f] in float32, whatever a run computes in.

    Fewer bits would make equal what is not, and this is where it is decided what is looked at at all.
    """
    with float32_context(asking.device):
        return asking.float() @ asked.float().T


def shortlist_pairs(images: Tensor, texts: Tensor, count: int) -> Pairs:
    """Return the `count` likeliest texts of every image and the `count` likeliest images of every text, each pair once.

    `images` [I, f] and `texts` [T, f] are features, whose products say how likely. Of equal ones the lower index is taken, on every device.
    """
    image, text = _best(images, texts, count)
    wanted, by = _best(texts, images, count)
    pairs = torch.cat([image * len(texts) + text, by * len(texts) + wanted]).unique()
    return Pairs(pairs // len(texts), pairs % len(texts))


def _best(asking: Tensor, asked: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return (asking, asked) indices of the best of `asked` for each of `asking`, in no order."""
    found = []
    for first in range(0, len(asking), ROWS):
        similarity = cosine_similarity(asking[first : first + ROWS], asked)
        row, column = _largest(similarity, min(count, len(asked))).nonzero(as_tuple=True)
        found.append(torch.stack([row + first, column]).cpu())
    row, column = torch.cat(found, dim=1)
    return row, column


def _largest(rows: Tensor, count: int) -> Tensor:
    """Return where the `count` largest of each row [n, m] are; of those equal to the last of them, the first ones. (topk takes any.)"""
    least = rows.topk(count, dim=1).values[:, -1:]
    above, level = rows > least, rows == least
    room = count - above.sum(1, keepdim=True)
    return above | (level & (level.cumsum(1) <= room))
