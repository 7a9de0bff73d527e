"""Recall of image-text retrieval: how often the truth is among the first K.

Source: X-VLM's `itm_eval`, the same in ALBEF, BLIP and LAVIS. Goldens `retrieval_eval`, `b_retrieval`, `b_ties`. The official order of
equal scores depends on the processor; here, as in its reversed stable sort, the later index comes first.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.statistics.means import Mean, MeanOfMeans
from harness.statistics.sums import Statistic

KS = (1, 5, 10)


Truths = (
    Sequence[Sequence[int]] | Sequence[NDArray[np.int64]] | NDArray[np.int64]
)  # the true candidates of each query


def ranks(scores: NDArray[np.float32], truths: Truths) -> NDArray[np.int64]:
    """Return, for each query, the place (from 0) of the best of its true candidates; `scores` [queries, candidates].

    A query without any true candidate never finds one: its rank is the number of candidates. Raises ValueError for a score that is no
    number: NaN would come first.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    best = np.full(len(scores), scores.shape[1], dtype=np.int64)
    place = np.empty(scores.shape[1], dtype=np.int64)
    for query, true in enumerate(truths):
        if len(true):
            place[np.argsort(scores[query], kind="stable")[::-1]] = np.arange(scores.shape[1])
            best[query] = place[list(true)].min()
    return best


def recalls(places: NDArray[np.int64], *, prefix: str) -> Mapping[str, float]:
    """Return the share of queries whose truth is among the first 1, 5 and 10, in percent: `{prefix}_r1`, ... Raises ValueError for none."""
    if not len(places):
        raise ValueError("no query to score")
    return {f"{prefix}_r{k}": 100 * float(np.mean(places < k)) for k in KS}


def summary(i2t: Mapping[str, float], t2i: Mapping[str, float]) -> Mapping[str, float]:
    """Return all recalls, image to text and text to image, and their means as the official code prints them."""
    means = {"i2t_mean": sum(i2t.values()) / len(i2t), "t2i_mean": sum(t2i.values()) / len(t2i)}
    return {**i2t, **t2i, **means, "mean": (means["i2t_mean"] + means["t2i_mean"]) / 2}


def statistics(
    i2t: NDArray[np.int64], t2i: NDArray[np.int64], captions: Sequence[int]
) -> Mapping[str, Statistic]:
    """Return what each query contributes to the metrics of `summary`; image n has `captions[n]` texts, counted on in order.

    Every image is a query of its own; texts that tell of one image are found or missed together, and are drawn together.
    """
    images = np.arange(len(captions), dtype=np.int32)
    sides = {"i2t": (i2t, images), "t2i": (t2i, np.repeat(images, captions))}
    hits = {
        f"{way}_r{k}": Mean(np.where(place < k, 100.0, 0.0), of, len(images))
        for way, (place, of) in sides.items()
        for k in KS
    }
    means = {
        f"{way}_mean": Mean(
            np.stack([hits[f"{way}_r{k}"].values for k in KS]).mean(axis=0), of, len(images)
        )
        for way, (_, of) in sides.items()
    }
    return {**hits, **means, "mean": MeanOfMeans((means["i2t_mean"], means["t2i_mean"]))}
