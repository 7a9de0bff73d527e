"""The grounding metric on boxes one can check by hand."""

import math

import pytest

from harness.metrics.grounding import Box, accuracy, distribution, in_pixels, iou

SQUARE = Box(0, 0, 10, 10)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (SQUARE, 1.0),
        (Box(0, 0, 10, 5), 0.5),
        (Box(5, 0, 10, 10), 50 / 150),
        (Box(10, 0, 10, 10), 0.0),  # side by side
        (Box(9, 9, 10, 10), 0.0),  # an overlap of one pixel counts as none
        (Box(8, 8, 10, 10), 4 / 196),
        (Box(-5, -5, 20, 20), 100 / 400),  # not clipped to the image
    ],
)
def test_iou_is_the_shared_area_over_the_area_of_both_in_either_order(other, expected):
    assert iou(SQUARE, other) == pytest.approx(expected, abs=1e-7)
    assert iou(other, SQUARE) == pytest.approx(expected, abs=1e-7)


def test_an_object_one_pixel_wide_never_matches_itself():
    assert iou(Box(3, 3, 1, 8), Box(3, 3, 1, 8)) == 0.0


def test_a_predicted_box_is_scaled_by_the_size_of_its_image_and_turned_from_centre_to_corner():
    assert in_pixels([0.5, 0.25, 0.5, 0.5], width=640, height=480) == (160.0, 0.0, 320.0, 240.0)


def test_a_predicted_box_may_reach_beyond_the_image():
    assert in_pixels([0.0, 0.0, 0.5, 0.5], width=100, height=100) == (-25.0, -25.0, 50.0, 50.0)


def test_an_iou_of_exactly_one_half_is_right():
    assert accuracy([0.5, 0.49999997, 0.0, 1.0]) == 50.0


def test_nothing_to_score_is_an_error_and_not_zero():
    with pytest.raises(ValueError, match="no expression"):
        accuracy([])


@pytest.mark.parametrize("box", [Box(math.nan, 0, 5, 5), Box(0, 0, 5, math.nan)])
def test_a_box_that_is_no_number_is_an_error_on_either_side(box):
    for pair in ((SQUARE, box), (box, SQUARE)):
        with pytest.raises(ValueError, match="not made of numbers"):
            iou(*pair)


def test_an_iou_that_is_no_number_is_an_error():
    with pytest.raises(ValueError, match="not a number"):
        accuracy([1.0, math.nan])


def test_a_distribution_holds_the_mean_and_the_share_from_each_threshold_up():
    expected = {"mean": 50.0, ">=0.25": 75.0, ">=0.5": 50.0, ">=0.75": 25.0, ">=0.9": 25.0}
    assert distribution([1.0, 0.5, 0.5 - 1e-9, 1e-9]) == pytest.approx(expected)
