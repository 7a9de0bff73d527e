"""OVAD's mean average precision and chance level as statistics of images, to resample them.

The same numbers as in `attributes`, where a box counts as often as its image was drawn.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.metrics.attribute_changes import image_changes
from harness.metrics.attribute_sums import Ranking, packed_weights, precision_of, ranking_of
from harness.metrics.attributes import FREQUENCIES, UNKNOWN, Named, average_precisions, members
from harness.metrics.chance_intervals import kept_interval
from harness.statistics.interval import Interval
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

    def resampled_with(self, others: Sequence[Statistic]) -> "RankedGroups | None":
        """Return this statistic's boxes with the columns of all `others`, None if they differ."""
        groups = []
        for other in others:
            if not isinstance(other, MeanAveragePrecision):
                return None
            columns = np.searchsorted(self.columns, other.columns)
            same = other.scores is self.scores and other.labels is self.labels
            if not same or not np.isin(other.columns, self.columns).all():
                return None
            groups.append(columns)
        return RankedGroups(self.resampled(), groups)


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
        columns = np.hstack([labels == 1, labels != UNKNOWN]).T
        counts = [np.bincount(self.image, weights=each, minlength=images) for each in columns]
        return Sums(np.stack(counts, axis=1), lambda sums: _chances(sums).mean(axis=1))

    def kept_interval(self, compute: Callable[[], Interval]) -> Interval:
        """Return the interval of the mean chance level, which the cache may hold."""
        labels = self.labels[:, self.columns]
        return kept_interval((labels, self.image), Path(__file__), compute)


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
            [self._of(weights[start : start + DRAWS_AT_ONCE]) for start in starts]
        )

    def _of(self, weights: Floats) -> Floats:
        """Return the mean average precision [R] for at most DRAWS_AT_ONCE `weights` [R, C]."""
        return mean_precision(self.precisions(weights))

    def precisions(self, weights: Floats) -> Floats:
        """Return the average precision [A, R] of each attribute for `weights` [R, C]."""
        by_image = np.ascontiguousarray(weights.T, np.float32)
        boxes = np.bincount(self.image, minlength=self.clusters)
        packed = packed_weights(weights, boxes)
        with np.errstate(invalid="ignore"):
            return np.array([precision_of(column, by_image, packed) for column in self._rankings])

    @cached_property
    def _rankings(self) -> list[Ranking]:
        """The ranking of each attribute, which no resample changes."""
        return [
            ranking_of(self.scores[:, column], self.labels[:, column], self.image)
            for column in range(self.scores.shape[1])
        ]


@dataclass(frozen=True)
class RankedGroups:
    """Groups of the attributes of boxes, resampled together: each attribute is computed once."""

    boxes: RankedBoxes
    groups: Sequence[NDArray[np.integer[Any]]]

    @property
    def clusters(self) -> int:
        """The number of clusters."""
        return self.boxes.clusters

    def of_each(self, weights: Floats) -> Floats:
        """Return the mean average precision of each group, [G, R], for `weights` [R, C]."""
        starts = range(0, len(weights), DRAWS_AT_ONCE)
        chunks = []
        for start in starts:
            precisions = self.boxes.precisions(weights[start : start + DRAWS_AT_ONCE])
            chunks.append([mean_precision(precisions[group]) for group in self.groups])
        return np.concatenate([np.array(chunk) for chunk in chunks], axis=1)


def mean_precision(precisions: Floats) -> Floats:
    """Return the mean [R], in percent, of average precisions [A, R] that are defined.

    >>> mean_precision(np.array([[0.5, 1.0], [np.nan, 0.5]])).tolist()
    [50.0, 75.0]
    """
    defined = ~np.isnan(precisions)
    with np.errstate(invalid="ignore"):
        return 100 * np.where(defined, precisions, 0.0).sum(axis=0) / defined.sum(axis=0)


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
    chances: Floats = np.where(decided > 0, positive / np.maximum(decided, 1), 1.0)
    return 100 * chances
