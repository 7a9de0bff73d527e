"""OVAD's resamples are counted three at a time, for all groups of attributes at once."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.metrics import attribute_ranks, attribute_sums
from harness.metrics.attribute_ranks import RankedBoxes, attribute_statistics
from harness.statistics.intervals import metric_interval, metric_intervals

BOXES, ATTRIBUTES, IMAGES = 300, 9, 40
FREQUENCIES = ("head", "medium", "tail")


@pytest.fixture
def boxes():
    draws = np.random.default_rng(0)
    scores = draws.integers(0, 30, (BOXES, ATTRIBUTES)) / np.float32(30)  # many are equal
    labels = draws.choice(np.array([-1, 0, 1], dtype=np.int8), (BOXES, ATTRIBUTES))
    labels[:, 3] = 0  # an attribute that no box has
    image = np.sort(np.concatenate([np.arange(IMAGES), draws.integers(0, IMAGES, BOXES - IMAGES)]))
    return scores, labels, image.astype(np.int32)


def not_below(scores):
    """Return, of each attribute, 1.0 where a box [row] has another [column] at or above it."""
    columns = scores.T
    return (columns[:, None, :] >= columns[:, :, None]).astype(np.float64)


def by_definition(not_below, labels, image, weights):
    """Return the mean over attributes of the mean precision at each positive box."""
    precisions = []
    for column, at_least in enumerate(not_below):
        count = np.where(labels[:, column] == -1, 0.0, weights[image])
        positive = np.where(labels[:, column] == 1, count, 0.0)
        if positive.sum() == 0:
            continue
        drawn = positive > 0
        precision = (at_least @ positive)[drawn] / (at_least @ count)[drawn]
        precisions.append((positive[drawn] * precision).sum() / positive.sum())
    return 100 * float(np.mean(precisions))


@pytest.mark.parametrize("scale", [1.0, 0.5], ids=["whole", "fractions"])
def test_packed_sums_are_those_of_the_definition(boxes, scale):
    scores, labels, image = boxes
    weights = scale * np.random.default_rng(1).poisson(1.0, (70, IMAGES)).astype(np.float64)
    ranked = RankedBoxes(scores, labels, image, IMAGES)
    packed = attribute_sums.packed_weights(weights, np.bincount(image))
    assert (packed is None) == (scale == 0.5)
    comparisons = not_below(scores)
    expected = [by_definition(comparisons, labels, image, row) for row in weights]
    np.testing.assert_allclose(ranked.of(weights), expected, rtol=1e-12)


def test_weights_that_would_overflow_a_field_are_not_packed(boxes, monkeypatch):
    ranked = RankedBoxes(*boxes, IMAGES)
    weights = np.random.default_rng(1).poisson(1.0, (7, IMAGES)).astype(np.float64)
    packed = ranked.of(weights)
    monkeypatch.setattr(attribute_sums, "LANE_BITS", 8)  # for sums of about 300
    assert attribute_sums.packed_weights(weights, np.bincount(boxes[2])) is None
    assert ranked.of(weights).tobytes() == packed.tobytes()


def test_groups_have_the_intervals_that_each_has_alone(boxes, monkeypatch):
    scores, labels, image = boxes
    attributes = [
        SimpleNamespace(name=f"color:{number}", freq_set=FREQUENCIES[number % 3])
        for number in range(ATTRIBUTES)
    ]
    statistics = attribute_statistics(scores, labels, image, attributes)
    alone = {name: metric_interval(statistic) for name, statistic in statistics.items()}
    computed = []
    precision = attribute_ranks.precision_of
    monkeypatch.setattr(
        attribute_ranks, "precision_of", lambda *given: computed.append(0) or precision(*given)
    )
    assert metric_intervals(statistics) == alone
    chunks = -(-1000 // attribute_ranks.DRAWS_AT_ONCE) + 1  # and one for the observed metric
    assert len(computed) == ATTRIBUTES * chunks  # each attribute once, not for each group again
