"""OVAD's mean average precision and chance level made of the boxes of each image, so that they can be computed again from resampled images.

The same numbers as in `attributes`, where a box counts as often as its image was drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.metrics.attributes import FREQUENCIES, UNKNOWN, Named, average_precisions, members
from harness.statistics.sums import Floats, Statistic, Sums

DRAWS_AT_ONCE = (
    64  # resamples of all boxes looked at together: what they need fits the processor's cache
)


@dataclass(frozen=True)
class MeanAveragePrecision:
    """Mean average precision of the attributes `columns`, by `scores` and `labels` [boxes, attributes]; box i is of image `image[i]`."""

    kind: ClassVar[str] = "mean average precision"
    scores: NDArray[np.float32]
    labels: NDArray[np.int8]
    image: NDArray[np.int32]
    columns: NDArray[np.int32]

    def each(self) -> Floats:
        """Return the average precision of each attribute that a box has: here, the units are attributes."""
        precisions = 100 * average_precisions(
            self.scores[:, self.columns], self.labels[:, self.columns]
        )
        return precisions[~np.isnan(precisions)]

    def resampled(self) -> "RankedBoxes":
        """Return the boxes of each image, ranked."""
        cut = np.clip(self.scores[:, self.columns], 0, 1)
        return RankedBoxes(cut, self.labels[:, self.columns], self.image, int(self.image.max()) + 1)


@dataclass(frozen=True)
class Chance:
    """The mean share of labelled boxes that have each attribute, 1 where none is labelled; box i is of image `image[i]`."""

    kind: ClassVar[str] = "chance"
    labels: NDArray[np.int8]
    image: NDArray[np.int32]
    columns: NDArray[np.int32]

    def each(self) -> Floats:
        """Return the chance of each attribute."""
        sums = self.resampled().rows.sum(axis=0, keepdims=True)
        return _chances(sums)[0]

    def resampled(self) -> Sums:
        """Return how many boxes of each image have each attribute, and how many are labelled."""
        labels, images = self.labels[:, self.columns], int(self.image.max()) + 1
        rows = np.zeros((images, 2 * labels.shape[1]))
        np.add.at(rows, self.image, np.hstack([labels == 1, labels != UNKNOWN]))
        return Sums(rows, lambda sums: _chances(sums).mean(axis=1))


@dataclass(frozen=True)
class RankedBoxes:
    """Boxes by their scores [boxes, attributes], cut to 0..1, in clusters: the image of each, [boxes]."""

    scores: NDArray[np.float32]
    labels: NDArray[np.int8]
    image: NDArray[np.int32]
    clusters: int

    def beside(self, other: "RankedBoxes") -> "RankedBoxes":
        """Return the boxes of both, ranked together."""
        scores, labels = (
            np.vstack([self.scores, other.scores]),
            np.vstack([self.labels, other.labels]),
        )
        return RankedBoxes(
            scores,
            labels,
            np.concatenate([self.image, other.image + self.clusters]),
            self.clusters + other.clusters,
        )

    def of(self, weights: Floats) -> Floats:
        """Return the mean average precision [R] where image c counts `weights[r, c]` times."""
        starts = range(0, len(weights), DRAWS_AT_ONCE)
        return np.concatenate(
            [
                self._of(np.ascontiguousarray(weights[start : start + DRAWS_AT_ONCE].T, np.float32))
                for start in starts
            ]
        )

    def _of(self, weights: NDArray[np.float32]) -> Floats:
        """Return the mean average precision [R] for `weights` [C, R], few enough to be ranked at once."""
        with np.errstate(invalid="ignore"):
            precisions = np.array(
                [self._precision(column, weights) for column in range(self.scores.shape[1])]
            )
        has = ~np.isnan(precisions)
        with np.errstate(invalid="ignore"):
            return 100 * np.where(has, precisions, 0.0).sum(axis=0) / has.sum(axis=0)

    def _precision(self, column: int, weights: NDArray[np.float32]) -> Floats:
        """Return the average precision [R] of an attribute: only thresholds at which a box is found that has it add to it."""
        known = np.flatnonzero(self.labels[:, column] != UNKNOWN)
        order = known[np.argsort(-self.scores[known, column], kind="stable")]
        ranked, positive = (
            self.scores[order, column],
            np.flatnonzero(self.labels[order, column] == 1),
        )
        if not len(positive):
            return np.full(weights.shape[1], np.nan)
        ends = np.searchsorted(
            -ranked, -ranked[positive], side="right"
        )  # equal scores are one threshold
        ends, first = np.unique(ends, return_index=True)
        starts = np.concatenate([[0], ends[:-1]])
        found = np.add.reduceat(weights[self.image[order[positive]]], first, axis=0).astype(
            np.float64
        )
        seen = np.add.reduceat(weights[self.image[order[: ends[-1]]]], starts, axis=0).cumsum(
            axis=0, dtype=np.float64
        )
        right = found.cumsum(axis=0)
        precision = np.divide(right, seen, out=np.zeros_like(right), where=seen > 0)
        return (found * precision).sum(axis=0) / right[-1]


def attribute_statistics(
    scores: NDArray[np.float32],
    labels: NDArray[np.int8],
    image: Sequence[int],
    attributes: Sequence[Named],
) -> dict[str, Statistic]:
    """Return the statistics of `map`, `chance` and those of each group of attributes; box i is of image number `image[i]`."""
    of = np.array(image, dtype=np.int32)
    found: dict[str, Statistic] = {}
    for ending, columns in _groups(attributes):
        found[f"map{ending}"] = MeanAveragePrecision(scores, labels, of, columns)
        found[f"chance{ending}"] = Chance(labels, of, columns)
    return found


def _groups(attributes: Sequence[Named]) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """Yield all attributes, and those of each frequency: what the names of their metrics end in, and their columns."""
    yield "", np.arange(len(attributes), dtype=np.int32)
    for frequency in FREQUENCIES:
        if len(columns := np.flatnonzero(members(attributes, frequency))):
            yield f"_{frequency}", columns.astype(np.int32)


def _chances(sums: Floats) -> Floats:
    """Return the chance of each attribute in percent, [R, A], from positive and labelled boxes [R, 2 A]."""
    positive, labelled = np.hsplit(sums, 2)
    return 100 * np.where(labelled > 0, positive / np.maximum(labelled, 1), 1.0)
