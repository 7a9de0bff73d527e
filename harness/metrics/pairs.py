"""Ranking from scored pairs: what one retrieval run stores is enough for every protocol of this family.

X-VLM ranks a shortlist by the matching logit alone (`itm`), BLIP and LAVIS by its sum with the similarity (`itm+itc`), CLIP by the
similarity (`itc`). The shortlist of a query are its `k` most similar candidates: those are among the stored pairs, since a pair is stored
if either side lists the other, and whatever else is stored of a query is less similar.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
PROTOCOLS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "itm": lambda itc, itm: itm,
    "itm+itc": lambda itc, itm: itm + itc,
    "itc": lambda itc, itm: itc,
}


@dataclass(frozen=True)
class Pairs:
    """Scored pairs, each once: an image, a text (both by index), their similarity and their matching logit."""

    image: NDArray[np.int64]
    text: NDArray[np.int64]
    itc: Floats
    itm: Floats


class Places(NamedTuple):
    """For each query the place of its truth (from 0), and whether the truth was not on its shortlist at all."""

    place: NDArray[np.int64]
    outside: NDArray[np.bool_]


def places(
    pairs: Pairs, captions: Sequence[int], *, shortlist: int, protocol: str
) -> tuple[Places, Places]:
    """Return the places from image to text, and from text to image; image n has `captions[n]` texts, counted on in order.

    The best of an image's texts counts. Raises ValueError for a score that is no number.
    """
    if np.isnan(pairs.itc).any() or np.isnan(pairs.itm).any():
        raise ValueError("a score is not a number")
    score = PROTOCOLS[protocol](pairs.itc, pairs.itm)
    image_of = np.repeat(np.arange(len(captions)), captions)
    right = image_of[pairs.text] == pairs.image
    i2t = _places(
        pairs.image, pairs.text, pairs.itc, score, right, queries=len(captions), shortlist=shortlist
    )
    t2i = _places(
        pairs.text, pairs.image, pairs.itc, score, right, queries=len(image_of), shortlist=shortlist
    )
    return i2t, t2i


def _places(
    query: NDArray[np.int64], candidate: NDArray[np.int64], similarity: Floats, score: Floats, right: NDArray[np.bool_],
    *, queries: int, shortlist: int,
) -> Places:  # fmt: skip
    """Place the best right candidate of each query in its shortlist: by score, of equal ones the later index first."""
    place = np.full(queries, np.iinfo(np.int64).max)
    listed = np.lexsort(
        (candidate, -similarity, query)
    )  # by query, the most similar first, of equal ones the lower index
    starts = np.searchsorted(query[listed], np.arange(queries + 1))
    for number in range(queries):
        mine = listed[starts[number] : starts[number + 1]][:shortlist]
        ranked = mine[np.lexsort((-candidate[mine], -score[mine]))]
        if (found := np.flatnonzero(right[ranked])).size:
            place[number] = found[0]
    return Places(place, place == np.iinfo(np.int64).max)
