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


NO_PAIR = -1  # instead of an index


@dataclass(frozen=True)
class ScoredPairs:
    """Distinct pairs [N]: the indices of image and text, their similarity and matching logit.

    `itm` repeats `itc` where a model has no matching score.
    """

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
    pairs: ScoredPairs, captions: Sequence[int], *, shortlist: int
) -> dict[str, RetrievalRanks]:
    """Rank the `shortlist` most similar candidates of each query, by every protocol of PROTOCOLS.

    Image n has the next `captions[n]` texts, the best of which counts. Raises ValueError for NaN.

    >>> scores = np.array([0.9, 0.1, 0.5, 0.4], dtype=np.float32)
    >>> image, text = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> pairs = ScoredPairs(image, text, itc=scores, itm=scores)
    >>> i2t, t2i = shortlist_ranks(pairs, captions=[1, 1], shortlist=2)["itm"]
    >>> i2t.rank, t2i.rank
    (array([0, 1]), array([0, 0]))
    """
    if np.isnan(pairs.itc).any() or np.isnan(pairs.itm).any():
        raise ValueError("a score is not a number")
    image_of = np.repeat(np.arange(len(captions)), captions)
    right = image_of[pairs.text] == pairs.image
    i2t = _shortlists(pairs.image, pairs.text, pairs.itc, len(captions), shortlist)
    t2i = _shortlists(pairs.text, pairs.image, pairs.itc, len(image_of), shortlist)
    ranks = {}
    for protocol, combined in PROTOCOLS.items():
        score = combined(pairs.itc, pairs.itm)
        ranks[protocol] = RetrievalRanks(
            _ranks(pairs.image[i2t], pairs.text[i2t], score[i2t], right[i2t], len(captions)),
            _ranks(pairs.text[t2i], pairs.image[t2i], score[t2i], right[t2i], len(image_of)),
        )
    return ranks


def _shortlists(
    query: NDArray[np.int64],
    candidate: NDArray[np.int64],
    similarity: Floats,
    queries: int,
    shortlist: int,
) -> NDArray[np.int64]:
    """Return the indices of the pairs on a shortlist; of equal similarities, the lower candidate.

    Only the queries with more pairs than the shortlist holds are sorted.
    """
    order = _grouped(query, queries)
    ends = np.cumsum(np.bincount(query, minlength=queries))
    for number in np.flatnonzero(np.diff(ends, prepend=0) > shortlist):
        start = ends[number - 1] if number else 0
        group = order[start : ends[number]]
        ranked = group[np.lexsort((candidate[group], -similarity[group]))]
        ranked[shortlist:] = NO_PAIR
        order[start : ends[number]] = ranked
    return order[order != NO_PAIR]


def _grouped(query: NDArray[np.int64], queries: int) -> NDArray[np.int64]:
    """Return the stable order by query: by radix for 16 bits, as NumPy sorts them."""
    small = queries <= np.iinfo(np.uint16).max
    return np.argsort(query.astype(np.uint16) if small else query, kind="stable")


def _ranks(
    query: NDArray[np.int64],
    candidate: NDArray[np.int64],
    score: Floats,
    right: NDArray[np.bool_],
    queries: int,
) -> Ranks:
    """Rank each query's best true candidate among the shortlisted pairs.

    Where scores are equal, the later index comes first.
    """
    true = np.flatnonzero(right)
    true = true[np.lexsort((candidate[true], score[true], query[true]))]
    best = np.full(queries, NO_PAIR)
    best[query[true]] = true  # the last of a query stays, which is the best
    found = best != NO_PAIR
    top = best[query]
    ahead = (score > score[top]) | ((score == score[top]) & (candidate > candidate[top]))
    rank = np.bincount(query[ahead], minlength=queries)
    return Ranks(np.where(found, rank, np.iinfo(np.int64).max), ~found)
