"""The official metrics on a user's own predictions, each with its 95 % confidence interval.

Predictions and truths come as sequences in the same order. `images` names the image of each one:
what is about one image is not independent, and the interval is over images. Metrics are in percent.
Missing is not zero, and nothing is guessed: each function raises ValueError for no sample, for
sequences of different lengths, and for a value that is not what it expects.
"""

from collections.abc import Hashable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from harness.metrics.attribute_ranks import attribute_statistics
from harness.metrics.attributes import FREQUENCIES, UNKNOWN, average_precisions, map_of_groups
from harness.metrics.given import (
    boxes_of,
    check_lengths,
    check_text_lists,
    check_texts,
    counts_of,
    verdicts_of,
)
from harness.metrics.grounding import THRESHOLD, iou
from harness.metrics.nlvr2 import accuracy, consistency, consistent
from harness.metrics.retrieval import ranks, recalls, statistics, summary
from harness.metrics.rounding import ranked_alike
from harness.metrics.vqa import official
from harness.statistics.interval import Interval
from harness.statistics.intervals import metric_interval
from harness.statistics.means import mean_of
from harness.statistics.sums import Statistic

Images = Sequence[Hashable] | None


class Metric(NamedTuple):
    """A metric and its 95 % confidence interval, in percent."""

    value: float
    interval: Interval

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2f} ({low:.2f} to {high:.2f})"


def vqa_accuracy(
    predictions: Sequence[str],
    answers: Sequence[Sequence[str] | Sequence[Mapping[str, object]]],
    *,
    images: Images = None,
) -> Metric:
    """Return the accuracy of the official scorer of VQA v2.

    `answers` are those of the ten people who were asked each question: texts, or the entries of the
    annotation file. Raises ValueError for a question with one answer, which can never count: the
    scorer compares each answer with the others.

    >>> print(vqa_accuracy(["red", "two"], [["red"] * 10, ["2"] * 9 + ["two"]]))
    100.00 (34.24 to 100.00)
    """
    check_lengths(predictions, answers, images)
    check_texts("predictions", predictions)
    check_text_lists("answers", answers)
    if single := [number for number, given in enumerate(answers) if len(given) == 1]:
        raise ValueError(
            f"answers[{single[0]}] is a single answer, which the official scorer never counts; "
            'score it as own data: load_task("vqa", annotations=FILE)'
        )
    accuracies = [
        100 * official(prediction, [_answer(*pair) for pair in enumerate(given)])
        for prediction, given in zip(predictions, answers, strict=True)
    ]
    return _mean(accuracies, images)


def nlvr2_accuracy(
    predictions: Sequence[bool],
    truths: Sequence[bool],
    *,
    groups: Sequence[Hashable] | None = None,
    images: Images = None,
) -> Mapping[str, Metric]:
    """Return the accuracy of statements and, given `groups`, the consistency of NLVR2.

    A group holds all image pairs that a statement was written about; it counts if all its verdicts
    are right. Verdicts are true or false, or 1 or 0.

    >>> scores = nlvr2_accuracy([True, True, False], [True, False, False], groups=["a", "a", "b"])
    >>> {name: round(metric.value, 1) for name, metric in scores.items()}
    {'accuracy': 66.7, 'consistency': 50.0}
    """
    check_lengths(predictions, truths, groups, images)
    pairs = zip(verdicts_of("predictions", predictions), verdicts_of("truths", truths), strict=True)
    right = [prediction == truth for prediction, truth in pairs]
    scores = {"accuracy": _mean([100.0 * value for value in right], images, accuracy(right))}
    if groups is not None:
        by_group = [100.0 * value for value in consistent(right, groups).values()]
        scores["consistency"] = _mean(by_group, None, consistency(right, groups))
    return scores


def grounding_accuracy(
    predicted: Sequence[Sequence[float]],
    true: Sequence[Sequence[float]],
    *,
    images: Images = None,
    threshold: float = THRESHOLD,
) -> Metric:
    """Return the share of predicted boxes whose IoU with the true one reaches the threshold.

    Boxes are (x, y, width, height) in pixels of the image; `in_pixels` makes them of fractions.

    >>> print(grounding_accuracy([(0, 0, 10, 10), (50, 50, 5, 5)], [(0, 0, 10, 8), (0, 0, 10, 10)]))
    50.00 (5.46 to 94.54)
    """
    check_lengths(predicted, true, images)
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold should be an IoU above 0 and up to 1, not {threshold}")
    pairs = zip(boxes_of("true", true), boxes_of("predicted", predicted), strict=True)
    overlaps = [iou(truth, box) for truth, box in pairs]
    return _mean([100.0 * (overlap >= threshold) for overlap in overlaps], images)


def retrieval_recalls(
    i2t: ArrayLike, t2i: ArrayLike | None = None, *, captions: Sequence[int] | None = None
) -> Mapping[str, Metric]:
    """Return R@1, R@5 and R@10 of both directions, and their means, from matrices of scores.

    i2t       scores [images, texts] that rank the texts of each image
    t2i       scores [texts, images] that rank the images of each text; by default `i2t` transposed
    captions  how many texts each image has, in order; by default one

    Where two candidates tie, the later one ranks first, as in X-VLM's code. Raises ValueError for
    matrices that do not fit, for an image without a text, and for a score that is not a number.

    >>> scores = retrieval_recalls([[0.9, 0.1, 0.4], [0.2, 0.3, 0.8]], captions=[1, 2])
    >>> {name: scores[name].value for name in ("i2t_r1", "t2i_r1", "mean")}
    {'i2t_r1': 100.0, 't2i_r1': 100.0, 'mean': 100.0}
    """
    forward = np.asarray(i2t)
    backward = forward.T if t2i is None else np.asarray(t2i)
    counts = [1] * len(forward) if captions is None else counts_of("captions", captions)
    if forward.shape != (len(counts), sum(counts)) or backward.shape != forward.shape[::-1]:
        raise ValueError(
            f"{len(counts)} images with {sum(counts)} texts need scores of the shapes "
            f"({len(counts)}, {sum(counts)}) and ({sum(counts)}, {len(counts)}), not "
            f"{forward.shape} and {backward.shape}"
        )
    owner = np.repeat(np.arange(len(counts)), counts)
    of_images = ranks(forward, [np.flatnonzero(owner == image) for image in range(len(counts))])
    of_texts = ranks(backward, owner[:, None])
    values = summary(recalls(of_images, prefix="i2t"), recalls(of_texts, prefix="t2i"))
    return _measured(values, statistics(of_images, of_texts, counts))


def attribute_map(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    images: Images = None,
    frequencies: Sequence[str] | None = None,
) -> Mapping[str, Metric]:
    """Return OVAD's mean average precision over attributes.

    scores       [boxes, attributes]
    labels       [boxes, attributes]: 1 for yes, 0 for no, -1 for unknown, which does not count
    images       the image of each box
    frequencies  of each attribute: `head`, `medium` or `tail`, for `map_head` and so on

    >>> scores = attribute_map([[0.9], [0.2], [0.6]], [[1], [0], [1]], frequencies=["head"])
    >>> {name: metric.value for name, metric in scores.items()}
    {'map': 100.0, 'map_head': 100.0}
    """
    values, truths = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if values.ndim != 2 or values.shape != truths.shape or not values.size:
        raise ValueError(
            f"scores and labels should be [boxes, attributes], not {values.shape}, {truths.shape}"
        )
    check_lengths(values, images)
    if not np.isin(truths, (1, 0, UNKNOWN)).all():
        raise ValueError(f"labels should be 1, 0 or {UNKNOWN} for yes, no and unknown")
    truths = truths.astype(np.int8)
    names = _attributes(values.shape[1], frequencies)
    numbers: dict[Hashable, int] = {}
    owners = range(len(values)) if images is None else images
    image = [numbers.setdefault(owner, len(numbers)) for owner in owners]
    ranked = ranked_alike(values)
    means = map_of_groups(average_precisions(ranked, truths), names)
    if not means:
        raise ValueError("no attribute to score: no label is 1")
    return _measured(means, attribute_statistics(ranked, truths, image, names))


def _attributes(count: int, frequencies: Sequence[str] | None) -> list[SimpleNamespace]:
    """Return attributes by their numbers, with their frequencies where these are known."""
    if frequencies is None:
        frequencies = [""] * count
    elif len(frequencies) != count or not set(FREQUENCIES).issuperset(frequencies):
        raise ValueError(
            f"frequencies should name one of {', '.join(FREQUENCIES)} for each of {count} "
            f"attributes, but are {list(frequencies)}"
        )
    return [
        SimpleNamespace(name=str(column), freq_set=frequency)
        for column, frequency in enumerate(frequencies)
    ]


def _mean(values: Sequence[float], images: Images, value: float | None = None) -> Metric:
    mean = sum(values) / len(values) if value is None else value
    return Metric(mean, metric_interval(mean_of(values, clusters=images)))


def _measured(
    values: Mapping[str, float], statistics: Mapping[str, Statistic]
) -> Mapping[str, Metric]:
    return {
        name: Metric(value, metric_interval(statistics[name])) for name, value in values.items()
    }


def _answer(number: int, answer: Any) -> Mapping[str, object]:
    """Return an answer as the annotation file has it."""
    return answer if isinstance(answer, Mapping) else {"answer": answer, "answer_id": number}
