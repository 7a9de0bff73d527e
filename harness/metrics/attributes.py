"""OVAD, box oracle: mean average precision of attributes.

Source: the benchmark's evaluator (as published in lmb-freiburg/ovqa). Golden `ovad_eval`. An attribute that no labelled box has counts in
none of the means; the chance level counts it as 0.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1  # a label: 1 the box has the attribute, 0 it has not, -1 nobody can say
FREQUENCIES = ("head", "medium", "tail")


class Named(Protocol):
    """An attribute, in the words of the annotation file: `name` is `type:synonym/synonym`, `freq_set` one of FREQUENCIES."""

    @property
    def name(self) -> str: ...
    @property
    def freq_set(self) -> str: ...


def average_precisions(
    scores: NDArray[np.float32], labels: NDArray[np.int8]
) -> NDArray[np.float64]:
    """Return the average precision of each attribute in 0..1, NaN where no box has it; scores and labels [boxes, attributes].

    Scores are cut to 0..1 first, as in the evaluator: cosines below 0 all become one tie. Raises ValueError for a score that is no number.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    cut = np.clip(scores, 0, 1)
    return np.array(
        [_average_precision(cut[:, column], labels[:, column]) for column in range(labels.shape[1])]
    )


def chances(labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the share of labelled boxes that have each attribute, which is what random scores reach; 1 where no box is labelled."""
    positive, labelled = (labels == 1).sum(0), (labels != UNKNOWN).sum(0)
    return np.where(labelled > 0, positive / np.maximum(labelled, 1), 1.0)


def map_of_groups(
    precisions: NDArray[np.float64], attributes: Sequence[Named]
) -> Mapping[str, float]:
    """Return mean average precision in percent: `map`, `map_head`, `map_medium`, `map_tail`; a group without any is left out."""
    means = {"map": _mean(precisions)}
    means |= {
        f"map_{frequency}": _mean(precisions[members(attributes, frequency)])
        for frequency in FREQUENCIES
    }
    return {name: 100 * mean for name, mean in means.items() if not np.isnan(mean)}


def chance_of_groups(
    chance: NDArray[np.float64], attributes: Sequence[Named]
) -> Mapping[str, float]:
    """Return the chance level in percent: `chance`, `chance_head`, ...; the mean over all attributes of a group, if it has any."""
    means = {"chance": float(chance.mean())}
    for frequency in FREQUENCIES:
        if (mine := members(attributes, frequency)).any():
            means[f"chance_{frequency}"] = float(chance[mine].mean())
    return {name: 100 * mean for name, mean in means.items()}


def _average_precision(scores: NDArray[np.float32], labels: NDArray[np.int8]) -> float:
    """Return the sum over thresholds of the precision there, weighted by the recall gained; equal scores are one threshold."""
    known = labels != UNKNOWN
    order = np.argsort(-scores[known], kind="stable")
    ranked, positive = scores[known][order], labels[known][order] == 1
    if not positive.any():
        return float("nan")
    last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    found = np.cumsum(positive)[last_of_tie]
    precision, recall = found / (last_of_tie + 1), found / positive.sum()
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def members(attributes: Sequence[Named], frequency: str) -> NDArray[np.bool_]:
    """Return which attributes are of a frequency."""
    return np.array([attribute.freq_set == frequency for attribute in attributes])


def _mean(values: NDArray[np.float64]) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
