"""OVAD's mean average precision and chance level as statistics of images, to resample them.

The same numbers as in `attributes`, where a box counts as often as its image was drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.metrics.attribute_changes import image_changes
from harness.metrics.attributes import FREQUENCIES, UNKNOWN, Named, average_precisions, members
from harness.statistics.sums import Floats, Statistic, Sums, Swappable

DRAWS_AT_ONCE = 64  # resamples computed together: their boxes fit into the processor's cache


@dataclass(frozen=True)
class MeanAveragePrecision:
    """Mean average precision of the attributes `columns`; box i belongs to image `image[i]`.

    `scores` and `labels` [boxes, attributes], `image` [boxes].
    """

    kind: ClassVar[str] = "mean average precision"
    scores: NDArray[np.floating[Any]]
    labels: NDArray[np.int8]
    image: NDArray[np.int32]
    columns: NDArray[np.int32]

    def each(self) -> Floats:
        """Return the average precision, in percent, of each attribute that has a positive box."""
        precisions = 100 * average_precisions(
            self.scores[:, self.columns], self.labels[:, self.columns]
        )
        return precisions[~np.isnan(precisions)]

    def resampled(self) -> "RankedBoxes":
        """Return the boxes in clusters of one image."""
        clipped = np.clip(self.scores[:, self.columns], 0, 1)
        images = int(self.image.max()) + 1
        return RankedBoxes(clipped, self.labels[:, self.columns], self.image, images)


@dataclass(frozen=True)
class Chance:
    """The mean share of decided boxes with each of the attributes `columns`, as in `chances`.

    `labels` [boxes, attributes]; box i belongs to image `image[i]`.
    """

    kind: ClassVar[str] = "chance"
    labels: NDArray[np.int8]
    image: NDArray[np.int32]
    columns: NDArray[np.int32]

    def each(self) -> Floats:
        """Return the chance level of each attribute, in percent."""
        sums = self.resampled().rows.sum(axis=0, keepdims=True)
        return _chances(sums)[0]

    def resampled(self) -> Sums:
        """Return each image's counts of positive boxes and of decided boxes per attribute."""
        labels, images = self.labels[:, self.columns], int(self.image.max()) + 1
        rows = np.zeros((images, 2 * labels.shape[1]))
        np.add.at(rows, self.image, np.hstack([labels == 1, labels != UNKNOWN]))
        return Sums(rows, lambda sums: _chances(sums).mean(axis=1))


@dataclass(frozen=True)
class RankedBoxes:
    """Boxes with their scores clipped to 0..1, in `clusters` clusters: one per image.

    `scores` and `labels` [boxes, attributes], `image` [boxes].
    """

    scores: NDArray[np.floating[Any]]
    labels: NDArray[np.int8]
    image: NDArray[np.int32]
    clusters: int

    def changed_in(self, other: "RankedBoxes") -> NDArray[np.bool_]:
        """Return which images have a box with another score in another run, [C]."""
        changed = np.zeros(self.clusters, dtype=np.bool_)
        changed[self.image[(self.scores != other.scores).any(axis=1)]] = True
        return changed

    def changes_in(self, other: "RankedBoxes") -> Floats:
        """Return how much each image adds to the metric's change in another run, [C].

        To first order (`harness.metrics.attribute_changes`). An image without changed scores adds
        a little where another image's boxes passed its own.
        """
        return image_changes(
            (self.scores, other.scores), self.labels, self.image, images=self.clusters
        )

    def swappable_with(self, other: "RankedBoxes") -> Swappable:
        """Return each changed image's part in the change of the metric, as a sum that was 0."""
        parts = np.where(self.changed_in(other), self.changes_in(other), 0.0)[:, None]
        return Swappable(Sums(np.zeros_like(parts), np.ravel), Sums(parts, np.ravel))

    def of(self, weights: Floats) -> Floats:
        """Return the mean average precision [R], in percent; image c counts `weights[r, c]` times.

        Two images of one box each; drawn twice, the negative box halves the precision less:

        >>> scores = np.array([[0.9], [0.8]], dtype=np.float32)
        >>> boxes = RankedBoxes(scores, np.array([[0], [1]]), np.array([0, 1]), clusters=2)
        >>> boxes.of(np.array([[1.0, 1.0], [1.0, 2.0], [0.0, 1.0]])).round(2)
        array([ 50.  ,  66.67, 100.  ])
        """
        starts = range(0, len(weights), DRAWS_AT_ONCE)
        return np.concatenate(
            [
                self._of(np.ascontiguousarray(weights[start : start + DRAWS_AT_ONCE].T, np.float32))
                for start in starts
            ]
        )

    def _of(self, weights: NDArray[np.float32]) -> Floats:
        """Return the mean average precision [R] for at most DRAWS_AT_ONCE `weights` [C, R]."""
        with np.errstate(invalid="ignore"):
            precisions = np.array(
                [self._precision(column, weights) for column in range(self.scores.shape[1])]
            )
        defined = ~np.isnan(precisions)
        with np.errstate(invalid="ignore"):
            return 100 * np.where(defined, precisions, 0.0).sum(axis=0) / defined.sum(axis=0)

    def _precision(self, column: int, weights: NDArray[np.float32]) -> Floats:
        """Return an attribute's average precision [R].

        Only thresholds that add a positive box are evaluated: the others gain no recall.
        """
        known = np.flatnonzero(self.labels[:, column] != UNKNOWN)
        order = known[np.argsort(-self.scores[known, column], kind="stable")]
        ranked = self.scores[order, column]
        positive = np.flatnonzero(self.labels[order, column] == 1)
        if not len(positive):
            return np.full(weights.shape[1], np.nan)
        # Equal scores are one threshold.
        ends = np.searchsorted(-ranked, -ranked[positive], side="right")
        ends, first = np.unique(ends, return_index=True)
        starts = np.concatenate([[0], ends[:-1]])
        gained = np.add.reduceat(weights[self.image[order[positive]]], first, axis=0)
        gained = gained.astype(np.float64)
        listed = np.add.reduceat(weights[self.image[order[: ends[-1]]]], starts, axis=0)
        listed = listed.cumsum(axis=0, dtype=np.float64)
        hits = gained.cumsum(axis=0)
        precision = np.divide(hits, listed, out=np.zeros_like(hits), where=listed > 0)
        return (gained * precision).sum(axis=0) / hits[-1]


def attribute_statistics(
    scores: NDArray[np.floating[Any]],
    labels: NDArray[np.int8],
    image: Sequence[int],
    attributes: Sequence[Named],
) -> dict[str, Statistic]:
    """Return the statistics of `map`, `chance` and both per frequency; box i is of `image[i]`.

    >>> from types import SimpleNamespace
    >>> scores, labels = np.array([[0.9], [0.8]], dtype=np.float32), np.array([[0], [1]])
    >>> red = SimpleNamespace(name="color:red", freq_set="tail")
    >>> statistics = attribute_statistics(scores, labels, [0, 1], [red])
    >>> {name: float(statistic.each()[0]) for name, statistic in statistics.items()}
    {'map': 50.0, 'chance': 50.0, 'map_tail': 50.0, 'chance_tail': 50.0}
    """
    images = np.array(image, dtype=np.int32)
    statistics: dict[str, Statistic] = {}
    for suffix, columns in _groups(attributes):
        statistics[f"map{suffix}"] = MeanAveragePrecision(scores, labels, images, columns)
        statistics[f"chance{suffix}"] = Chance(labels, images, columns)
    return statistics


def _groups(attributes: Sequence[Named]) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """Yield the metric suffix and the columns of all attributes, then of each frequency."""
    yield "", np.arange(len(attributes), dtype=np.int32)
    for frequency in FREQUENCIES:
        if len(columns := np.flatnonzero(members(attributes, frequency))):
            yield f"_{frequency}", columns.astype(np.int32)


def _chances(sums: Floats) -> Floats:
    """Return each attribute's chance in percent [R, A], from positive and decided boxes [R, 2A]."""
    positive, decided = np.hsplit(sums, 2)
    return 100 * np.where(decided > 0, positive / np.maximum(decided, 1), 1.0)
