"""Which pairs of images and texts are worth a closer look: the best of both directions, as one set of pairs."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """Pairs to be scored, in order of image and then text: `image` and `text` [P] are indices."""

    image: Tensor
    text: Tensor

    def of_image(self, image: int) -> Tensor:
        """Return the texts to be compared with one image, in order of index."""
        low, high = torch.searchsorted(self.image, torch.tensor([image, image + 1])).tolist()
        return self.text[low:high]


def shortlisted(similarity: Tensor, count: int) -> Pairs:
    """Return the `count` likeliest texts of every image and the `count` likeliest images of every text, each pair once.

    `similarity` [images, texts]. Of equal ones the lower index is taken, on every device.
    """
    wanted = torch.zeros(similarity.shape, dtype=torch.bool, device=similarity.device)
    wanted.scatter_(1, _best(similarity, count), True)
    wanted.T.scatter_(1, _best(similarity.T, count), True)
    image, text = wanted.nonzero(as_tuple=True)
    return Pairs(image.cpu(), text.cpu())


def _best(rows: Tensor, count: int) -> Tensor:
    return rows.sort(dim=1, descending=True, stable=True).indices[:, :count]
