"""Attributes of detected boxes: how boxes are matched, and what is refused."""

import numpy as np
import pytest

from harness.metrics import BoxAttributes, detected_attribute_map
from harness.metrics.detected_attributes import corners, match_boxes

YES_NO = [[1], [0]]
APART = [(0, 0, 10, 10), (50, 0, 10, 10)]


def match(true, detected):
    return match_boxes(corners(np.float32(true)), corners(np.float32(detected)))


def value(detections, truths):
    return detected_attribute_map(detections, truths)["map"].value


def test_the_largest_overlap_is_matched_first_whatever_another_pairing_could_reach():
    """The middle box overlaps most with the first detection; the left one then stays alone."""
    true = [(0, 0, 10, 10), (2, 0, 10, 10)]
    detected = [(1.5, 0, 10, 10), (4, 0, 10, 10)]
    assert match(true, detected) == [(1, 0)]


def test_an_overlap_of_exactly_one_half_counts():
    assert match([(0, 0, 10, 10)], [(0, 0, 10, 5)]) == [(0, 0)]
    assert match([(0, 0, 10, 10)], [(0, 0, 10, 4.99)]) == []


def test_boxes_without_an_area_overlap_with_nothing():
    assert match([(5, 5, 0, 0)], [(5, 5, 0, 0), (0, 0, 9, 9)]) == []


def test_a_true_box_that_no_detection_meets_ranks_last():
    truths = {1: BoxAttributes(APART, YES_NO)}
    assert value({1: BoxAttributes([APART[1]], [[0.1]])}, truths) == 50.0
    assert value({1: BoxAttributes([APART[0]], [[0.1]])}, truths) == 100.0


def test_other_detections_cost_nothing():
    truths = {1: BoxAttributes(APART, YES_NO)}
    boxes = [*APART, (200, 200, 9, 9), (0.5, 0, 10, 10)]
    assert value({1: BoxAttributes(boxes, [[0.6], [0.5], [0.9], [0.0]])}, truths) == 100.0


@pytest.mark.parametrize("nothing", [{}, {2: BoxAttributes([], [])}])
def test_an_image_without_detections_is_left_out_with_its_true_boxes(nothing):
    truths = {1: BoxAttributes(APART, YES_NO), 2: BoxAttributes(APART, [[1], [1]])}
    detections = {1: BoxAttributes(APART, [[0.9], [0.1]]), **nothing}
    assert value(detections, truths) == 100.0


@pytest.mark.parametrize(
    ("detections", "message"),
    [
        ({}, "no image has both"),
        ({3: BoxAttributes(APART, YES_NO)}, "truths lack the image 3"),
        ({1: BoxAttributes(APART, [[0.5, 0.5]] * 2)}, "scores of 2 attributes and labels of 1"),
        ({1: BoxAttributes(APART, [[0.5]])}, "detections of image 1 should be boxes"),
        ({1: BoxAttributes([(0, 0, 9)], [[0.5]])}, "detections of image 1 should be boxes"),
        ({1: BoxAttributes([(0, 0, -9, 9)], [[0.5]])}, "negative size"),
        ({1: BoxAttributes([(0, 0, np.nan, 9)], [[0.5]])}, "not finite"),
        ({1: BoxAttributes([APART[0]], [[np.nan]])}, "a score is not a number"),
        ({1: BoxAttributes([APART[0]], [[-0.5]])}, "image 1 has the negative score -0.5, which"),
        ({1: BoxAttributes([], [[0.5]])}, "detections of image 1 should be boxes"),
    ],
)
def test_what_cannot_be_scored_is_refused(detections, message):
    with pytest.raises(ValueError, match=message):
        detected_attribute_map(detections, {1: BoxAttributes(APART, YES_NO)})
