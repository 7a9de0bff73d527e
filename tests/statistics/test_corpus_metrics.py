"""Metrics that are not means: resampled images give the same value as copies of the images."""

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu_scorer import BleuScorer

from harness.formats.ovad import Attribute
from harness.metrics.attribute_ranks import attribute_statistics
from harness.metrics.attributes import average_precisions, chance_of_groups, chances, map_of_groups
from harness.metrics.caption_sums import Bleu, bleu_counts
from harness.statistics.intervals import metric_interval as interval
from harness.statistics.paired import Pair, compare
from harness.statistics.swaps import swap_test

TIMES = np.array([2.0, 0.0, 1.0, 3.0, 1.0])  # how often each of five images was drawn
CAPTIONS = [
    "a red cup on a plate",
    "a cup",
    "two men in the blue sea",
    "the man on a plate",
    "a blue plate of red cups on a plate",
]
REFERENCES = [
    ["a red cup on a blue plate", "a cup on a plate"],
    ["cups"],
    ["two men in the sea"],
    ["a man"],
    ["a blue plate of red cups"],
]


def bleu_of(images, order):
    scorer = BleuScorer(n=4)
    for image in images:
        scorer += (CAPTIONS[image], REFERENCES[image])
    return 100 * scorer.compute_score(option="closest", verbose=0)[0][order - 1], scorer.ctest


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bleu_of_resampled_images_is_bleu_of_as_many_copies(order):
    _, cooked = bleu_of(range(5), order)
    parts = [
        {**part, "closest": min((abs(n - part["testlen"]), n) for n in part["reflen"])[1]}
        for part in cooked
    ]
    statistic = Bleu(bleu_counts(parts, order=order), order)
    copies = [image for image, times in enumerate(TIMES) for _ in range(int(times))]
    assert statistic.resampled().of(TIMES[None])[0] == pytest.approx(
        bleu_of(copies, order)[0], abs=1e-9
    )


FREQUENCIES = {"color:red": "head", "color:blue": "tail", "size:big": "tail"}
ATTRIBUTES = [
    Attribute(number, name, "is", frequency)
    for number, (name, frequency) in enumerate(FREQUENCIES.items())
]
IMAGE = np.repeat(np.arange(5), [3, 1, 4, 2, 3])
DRAWS = np.random.Generator(np.random.PCG64(3))
SCORES = DRAWS.integers(-2, 6, size=(13, 3)).astype(np.float32) / 5  # many ties, and some below 0
LABELS = DRAWS.integers(-1, 2, size=(13, 3)).astype(np.int8)


def metrics_of(boxes):
    precisions = average_precisions(SCORES[boxes], LABELS[boxes])
    return {
        **map_of_groups(precisions, ATTRIBUTES),
        **chance_of_groups(chances(LABELS[boxes]), ATTRIBUTES),
    }


@pytest.mark.parametrize("times", [np.ones(5), TIMES, np.array([0.0, 0.0, 4.0, 1.0, 0.0])])
def test_attributes_of_resampled_images_are_those_of_as_many_copies(times):
    copies = [box for box, image in enumerate(IMAGE) for _ in range(int(times[image]))]
    statistics = attribute_statistics(SCORES, LABELS, IMAGE.tolist(), ATTRIBUTES)
    expected = metrics_of(copies)
    for name, statistic in statistics.items():
        if name in expected:
            assert statistic.resampled().of(times[None])[0] == pytest.approx(
                expected[name], abs=1e-9
            ), name


def test_attributes_have_an_interval_around_their_value():
    statistics, expected = (
        attribute_statistics(SCORES, LABELS, IMAGE.tolist(), ATTRIBUTES),
        metrics_of(range(13)),
    )
    for name in expected:
        low, high = interval(statistics[name])
        assert low <= expected[name] <= high


def test_the_interval_of_a_ranking_is_not_shifted_by_boxes_drawn_twice():
    """A box drawn twice ranks next to itself, so resamples of few positives are biased upward."""
    draws = np.random.Generator(np.random.PCG64(9))
    labels = (draws.random((2000, 4)) < 0.01).astype(np.int8)
    scores = draws.random((2000, 4)).astype(np.float32)
    statistic = attribute_statistics(scores, labels, np.arange(2000).tolist(), ATTRIBUTES[:1] * 4)[
        "map"
    ]
    value, (low, high) = statistic.each().mean(), interval(statistic)
    assert value == pytest.approx((low + high) / 2, abs=0.25 * (high - low))


def test_attributes_of_two_runs_are_compared_by_swapping_images():
    same = attribute_statistics(SCORES, LABELS, IMAGE.tolist(), ATTRIBUTES)["map"]
    unchanged = compare(Pair(same, same))
    assert (unchanged.difference, unchanged.flips) == (0.0, (0, 0))
    worse = attribute_statistics(-SCORES, LABELS, IMAGE.tolist(), ATTRIBUTES)["map"]
    pair = Pair(same, worse)
    change = compare(pair)
    assert change.difference == pytest.approx(worse.each().mean() - same.each().mean())
    assert change.flips.worse + change.flips.better == 3
    # What the images add to the change is the change to first order, even of 13 boxes reversed.
    assert pair.changes.sum() == pytest.approx(change.difference, rel=0.1)
    p = swap_test({"map": pair}, level=0.05, seed=1).adjusted["map"].drop
    assert 2**-5 <= p <= 1.0
