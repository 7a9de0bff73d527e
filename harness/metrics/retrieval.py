"""Recall of image-text retrieval: the share of queries with a true candidate among the first K.

Source: X-VLM's `itm_eval`, the same in ALBEF, BLIP and LAVIS. Goldens `retrieval_eval`,
`b_retrieval`, `b_ties`. The official order of equal scores depends on the processor; here the
later index comes first, as in its reversed sort where that is stable.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.statistics.means import Mean, MeanOfMeans
from harness.statistics.sums import Statistic

KS = (1, 5, 10)

# The true candidates of each query, by index.
Truths = Sequence[Sequence[int]] | Sequence[NDArray[np.int64]] | NDArray[np.int64]


def ranks(scores: NDArray[Any], truths: Truths) -> NDArray[np.int64]:
    """Return the rank, from 0, of the best true candidate of each query.

    `scores` [queries, candidates], of any numeric type. The rank of a query without true candidates
    is the number of candidates: it never finds one. Raises ValueError for NaN, which would come
    first.

    >>> ranks(np.array([[0.1, 0.9, 0.5], [0.3, 0.1, 0.7]], dtype=np.float32), [[0, 2], [2]])
    array([1, 0])
    """
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    best = np.full(len(scores), scores.shape[1], dtype=np.int64)
    for query, true in enumerate(truths):
        if len(true):
            row, indices = scores[query], np.asarray(true)
            top = row[indices].max()
            last = indices[row[indices] == top].max()
            # Before it: higher scores, and equal ones with a later index.
            best[query] = np.count_nonzero(row > top) + np.count_nonzero(row[last + 1 :] == top)
    return best


def recalls(ranks: NDArray[np.int64], *, prefix: str) -> Mapping[str, float]:
    """Return R@1, R@5 and R@10 in percent as `{prefix}_r1`, ... Raises ValueError for no query.

    >>> recalls(np.array([0, 4, 5, 9, 99]), prefix="i2t")
    {'i2t_r1': 20.0, 'i2t_r5': 40.0, 'i2t_r10': 80.0}
    """
    if not len(ranks):
        raise ValueError("no query to score")
    return {f"{prefix}_r{k}": 100 * float(np.mean(ranks < k)) for k in KS}


def summary(i2t: Mapping[str, float], t2i: Mapping[str, float]) -> Mapping[str, float]:
    """Return the recalls of both directions, and their means as the official code prints them.

    >>> summary({"i2t_r1": 80.0, "i2t_r5": 90.0}, {"t2i_r1": 60.0, "t2i_r5": 70.0})["mean"]
    75.0
    """
    means = {"i2t_mean": sum(i2t.values()) / len(i2t), "t2i_mean": sum(t2i.values()) / len(t2i)}
    return {**i2t, **t2i, **means, "mean": (means["i2t_mean"] + means["t2i_mean"]) / 2}


def statistics(
    i2t: NDArray[np.int64], t2i: NDArray[np.int64], captions: Sequence[int]
) -> Mapping[str, Statistic]:
    """Return the statistic of each metric of `summary`, from ranks per image and per text.

    Image n has the next `captions[n]` texts. An image is one query and one cluster; the texts of
    an image are found or missed together, so they are one cluster.

    >>> statistics(np.array([0, 7]), np.array([0, 3, 1]), captions=[2, 1])["t2i_r1"].each()
    array([100.,   0.,   0.])
    """
    images = np.arange(len(captions), dtype=np.int32)
    directions = {"i2t": (i2t, images), "t2i": (t2i, np.repeat(images, captions))}
    hits = {
        f"{direction}_r{k}": Mean(np.where(ranks < k, 100.0, 0.0), cluster, len(images))
        for direction, (ranks, cluster) in directions.items()
        for k in KS
    }
    means = {
        f"{direction}_mean": Mean(
            np.stack([hits[f"{direction}_r{k}"].values for k in KS]).mean(axis=0),
            cluster,
            len(images),
        )
        for direction, (_, cluster) in directions.items()
    }
    return {**hits, **means, "mean": MeanOfMeans((means["i2t_mean"], means["t2i_mean"]))}
