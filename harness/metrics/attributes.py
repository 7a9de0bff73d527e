"""OVAD, box oracle: mean average precision of attributes.

Source: the benchmark's evaluator (published in lmb-freiburg/ovqa). Golden `ovad_eval`. An attribute
without a positive box is left out of all means; the chance level counts it as 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1  # the label of an undecided box; 1: it has the attribute, 0: it has not
FREQUENCIES = ("head", "medium", "tail")


class Named(Protocol):
    """An attribute in the words of the annotation file.

    `name` is `type:synonym/synonym`, `freq_set` one of FREQUENCIES.
    """

    @property
    def name(self) -> str: ...
    @property
    def freq_set(self) -> str: ...


def average_precisions(
    scores: NDArray[np.floating[Any]], labels: NDArray[np.int8]
) -> NDArray[np.float64]:
    """Return each attribute's average precision in 0..1, NaN without a positive box.

    `scores` and `labels` [boxes, attributes]. Scores are clipped to 0..1 as in the evaluator, so
    all negative cosines are one tie. Raises ValueError for a NaN score.

    One attribute: precision 1 up to recall 1/2, then 2/3; the undecided box does not count.

    >>> scores = np.array([[0.9], [0.8], [0.7], [0.6]], dtype=np.float32)
    >>> average_precisions(scores, np.array([[1], [0], [-1], [1]])).round(4)
    array([0.8333])
    """
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    clipped = np.clip(scores, 0, 1)
    columns = range(labels.shape[1])
    return np.array(
        [_average_precision(clipped[:, column], labels[:, column]) for column in columns]
    )


def chances(labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the share of decided boxes with each attribute: the precision of random scores.

    `labels` [boxes, attributes]; 1 for an attribute without decided boxes.

    >>> chances(np.array([[1, -1], [0, -1], [-1, -1]]))
    array([0.5, 1. ])
    """
    positive, decided = (labels == 1).sum(0), (labels != UNKNOWN).sum(0)
    return np.where(decided > 0, positive / np.maximum(decided, 1), 1.0)


def map_of_groups(
    precisions: NDArray[np.float64], attributes: Sequence[Named]
) -> Mapping[str, float]:
    """Return mean average precision in percent: `map`, `map_head`, `map_medium`, `map_tail`.

    Groups without any defined precision are left out.

    >>> from types import SimpleNamespace
    >>> attributes = [SimpleNamespace(name=name, freq_set="head") for name in ("a", "b", "c")]
    >>> map_of_groups(np.array([0.5, 1.0, np.nan]), attributes)
    {'map': 75.0, 'map_head': 75.0}
    """
    means = {"map": _mean(precisions)}
    means |= {
        f"map_{frequency}": _mean(precisions[members(attributes, frequency)])
        for frequency in FREQUENCIES
    }
    return {name: 100 * mean for name, mean in means.items() if not np.isnan(mean)}


def chance_of_groups(
    chance: NDArray[np.float64], attributes: Sequence[Named]
) -> Mapping[str, float]:
    """Return the mean chance level in percent: `chance`, `chance_head`, ... of non-empty groups.

    >>> from types import SimpleNamespace
    >>> attributes = [SimpleNamespace(name=name, freq_set="tail") for name in ("a", "b")]
    >>> chance_of_groups(np.array([0.5, 1.0]), attributes)
    {'chance': 75.0, 'chance_tail': 75.0}
    """
    means = {"chance": float(chance.mean())}
    for frequency in FREQUENCIES:
        if (chosen := members(attributes, frequency)).any():
            means[f"chance_{frequency}"] = float(chance[chosen].mean())
    return {name: 100 * mean for name, mean in means.items()}


def members(attributes: Sequence[Named], frequency: str) -> NDArray[np.bool_]:
    """Return a mask [attributes] of those in a frequency group.

    >>> from types import SimpleNamespace
    >>> members([SimpleNamespace(name="a", freq_set="head")], "tail")
    array([False])
    """
    return np.array([attribute.freq_set == frequency for attribute in attributes])


def _average_precision(scores: NDArray[np.floating[Any]], labels: NDArray[np.int8]) -> float:
    """Return the sum over thresholds of precision times recall gained; a tie is one threshold."""
    known = labels != UNKNOWN
    order = np.argsort(-scores[known], kind="stable")
    ranked, positive = scores[known][order], labels[known][order] == 1
    if not positive.any():
        return float("nan")
    last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    hits = np.cumsum(positive)[last_of_tie]
    precision, recall = hits / (last_of_tie + 1), hits / positive.sum()
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def _mean(values: NDArray[np.float64]) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
