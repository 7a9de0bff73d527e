"""Charts hold the numbers they are drawn from, and escape their names."""

import re

import pytest

from harness.report import charts
from harness.report.overlap import levels


def test_a_value_its_interval_and_the_published_number_are_drawn_to_one_scale():
    chart = charts.intervals([charts.Measured("accuracy", 50.0, (40.0, 60.0), 45.0)])
    (dot,) = re.findall(r'class="dot" cx="([\d.]+)"', chart)
    ((start, end),) = re.findall(r'class="whisker" d="M([\d.]+) [\d.]+H([\d.]+)', chart)
    (diamond,) = re.findall(r'class="published" d="M([\d.]+)', chart)
    left, middle, right, published = map(float, (start, dot, end, diamond))
    assert middle - left == pytest.approx(right - middle, abs=0.2)
    assert middle - left == pytest.approx(2 * (middle - published), abs=0.3)
    assert 'aria-label="accuracy 50.00 (40.00 to 60.00), published 45.00"' in chart


def test_a_bar_is_as_long_as_its_share():
    chart = charts.bars({"all": 100.0, "half": 50.0, "none": 0.0})
    widths = [float(width) for width in re.findall(r'class="bar"[^>]*width="([\d.]+)"', chart)]
    assert widths[0] == 2 * widths[1] > 0 == widths[2]


def test_histograms_of_other_sizes_are_each_as_high_as_the_chart():
    series = [charts.Series("a", [1, 4], "bar0"), charts.Series("b", [400, 100], "bar1")]
    chart = charts.histogram([0.0, 0.5, 1.0], series)
    heights = re.findall(r'class="(bar\d)"[^>]*height="([\d.]+)"/>', chart)
    drawn = [(style, float(height)) for style, height in heights if height != "10"]
    assert drawn == [("bar0", 30.5), ("bar0", 122.0), ("bar1", 122.0), ("bar1", 30.5)]


def test_a_recall_is_higher_up_the_better_it_is():
    chart = charts.recall({"image to text": {1: 50.0, 5: 75.0, 10: 100.0}})
    heights = [float(y) for y in re.findall(r'class="point line0"[^>]*cy="([\d.]+)"', chart)]
    assert heights[0] - heights[1] == heights[1] - heights[2] > 0


def test_answers_right_less_often_than_half_are_drawn_below_half():
    chart = charts.reliability([charts.Bin(0.6, 0.2, 10), charts.Bin(0.9, 0.9, 10)])
    low, high = (float(y) for y in re.findall(r'class="bubble"[^>]*cy="([\d.]+)"', chart))
    assert (low, high) == (10 + 190 * 0.8, 10 + 190 * 0.1)


def test_names_from_data_are_escaped():
    chart = charts.bars({'<script>"&': 1.0})
    assert "<script>" not in chart and "&lt;script&gt;&#34;&amp;" in chart


def test_the_longest_shared_n_gram_of_a_word_counts():
    assert levels("a big red circle on a table", ["the big red circle", "on a chair"]) == "1333220"
    assert levels("", ["a"]) == "0" and levels("red", []) == "0"
