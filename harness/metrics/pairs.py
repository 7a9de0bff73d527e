"""Ranks from scored image-text pairs, by every protocol of the family, from one retrieval run.

X-VLM ranks a shortlist by the matching logit alone (`itm`), BLIP and LAVIS by its sum with the
similarity (`itm+itc`), CLIP by the similarity (`itc`). The shortlist of a query is its `k` most
similar candidates. All of them are among the stored pairs: a pair is stored if it is on the
shortlist of either side, and any other stored pair of the query is less similar.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
PROTOCOLS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "itm": lambda itc, itm: itm,
    "itm+itc": lambda itc, itm: itm + itc,
    "itc": lambda itc, itm: itc,
}


@dataclass(frozen=True)
class ScoredPairs:
    """Distinct pairs [N]: the indices of image and text, their similarity and matching logit."""

    image: NDArray[np.int64]
    text: NDArray[np.int64]
    itc: Floats
    itm: Floats


class Ranks(NamedTuple):
    """The rank, from 0, of each query's best true candidate, and whether none was shortlisted."""

    rank: NDArray[np.int64]
    outside: NDArray[np.bool_]


class RetrievalRanks(NamedTuple):
    """The ranks from image to text and from text to image."""

    i2t: Ranks
    t2i: Ranks


def shortlist_ranks(
    pairs: ScoredPairs, captions: Sequence[int], *, shortlist: int, protocol: str
) -> RetrievalRanks:
    """Rank the `shortlist` most similar candidates of each query by a protocol of PROTOCOLS.

    Image n has the next `captions[n]` texts, the best of which counts. Raises ValueError for NaN.

    >>> scores = np.array([0.9, 0.1, 0.5, 0.4], dtype=np.float32)
    >>> image, text = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> pairs = ScoredPairs(image, text, itc=scores, itm=scores)
    >>> i2t, t2i = shortlist_ranks(pairs, captions=[1, 1], shortlist=2, protocol="itm")
    >>> i2t.rank, t2i.rank
    (array([0, 1]), array([0, 0]))
    """
    if np.isnan(pairs.itc).any() or np.isnan(pairs.itm).any():
        raise ValueError("a score is not a number")
    score = PROTOCOLS[protocol](pairs.itc, pairs.itm)
    image_of = np.repeat(np.arange(len(captions)), captions)
    right = image_of[pairs.text] == pairs.image
    i2t = _ranks(
        pairs.image, pairs.text, pairs.itc, score, right, queries=len(captions), shortlist=shortlist
    )
    t2i = _ranks(
        pairs.text, pairs.image, pairs.itc, score, right, queries=len(image_of), shortlist=shortlist
    )
    return RetrievalRanks(i2t, t2i)


def _ranks(
    query: NDArray[np.int64], candidate: NDArray[np.int64], similarity: Floats, score: Floats,
    right: NDArray[np.bool_], *, queries: int, shortlist: int,
) -> Ranks:  # fmt: skip
    """Rank each query's shortlist by score; of equal scores, the later index comes first."""
    rank = np.full(queries, np.iinfo(np.int64).max)
    # By query, then the most similar first; of equal similarities the lower index.
    order = np.lexsort((candidate, -similarity, query))
    starts = np.searchsorted(query[order], np.arange(queries + 1))
    for number in range(queries):
        listed = order[starts[number] : starts[number + 1]][:shortlist]
        ranked = listed[np.lexsort((-candidate[listed], -score[listed]))]
        if (hits := np.flatnonzero(right[ranked])).size:
            rank[number] = hits[0]
    return Ranks(rank, rank == np.iinfo(np.int64).max)
