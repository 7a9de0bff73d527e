"""The pairs of images and texts worth re-ranking: both directions' shortlists as one set."""

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.engine.device import float32_context

ROWS = 256  # queries compared at a time: memory then grows with the pairs, not with images x texts


@dataclass(frozen=True)
class Pairs:
    """Pairs ordered by image, then text: `image` and `text` [P] are indices."""

    image: Tensor
    text: Tensor

    def texts_of_image(self, image: int) -> Tensor:
        """Return the candidate texts of an image, ascending."""
        low, high = torch.searchsorted(self.image, torch.tensor([image, image + 1])).tolist()
        return self.text[low:high]


def cosine_similarity(queries: Tensor, candidates: Tensor) -> Tensor:
    """Return the products [n, m] of unit vectors [n, f] and [m, f], in float32 in every run.

    Fewer bits would create ties, and these products decide which pairs are re-ranked at all.
    """
    with float32_context(queries.device):
        return queries.float() @ candidates.float().T


def shortlist_pairs(images: Tensor, texts: Tensor, count: int) -> Pairs:
    """Return the `count` best texts of every image and best images of every text, each pair once.

    `images` [I, f] and `texts` [T, f] are features, compared by cosine. Ties go to the lower
    index, on every device.
    """
    image, text = _best(images, texts, count)
    text_as_query, image_as_candidate = _best(texts, images, count)
    pairs = torch.cat(
        [image * len(texts) + text, image_as_candidate * len(texts) + text_as_query]
    ).unique()
    return Pairs(pairs // len(texts), pairs % len(texts))


def _best(queries: Tensor, candidates: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return (query, candidate) indices of the best candidates of each query, unordered."""
    pairs = []
    for first in range(0, len(queries), ROWS):
        similarity = cosine_similarity(queries[first : first + ROWS], candidates)
        row, column = _largest(similarity, min(count, len(candidates))).nonzero(as_tuple=True)
        pairs.append(torch.stack([row + first, column]).cpu())
    row, column = torch.cat(pairs, dim=1)
    return row, column


def _largest(rows: Tensor, count: int) -> Tensor:
    """Return a mask of the `count` largest entries of each row [n, m]; ties go to the lower index.

    (`topk` breaks ties arbitrarily.)
    """
    smallest = rows.topk(count, dim=1).values[:, -1:]
    above, tied = rows > smallest, rows == smallest
    open_places = count - above.sum(1, keepdim=True)
    return above | (tied & (tied.cumsum(1) <= open_places))
