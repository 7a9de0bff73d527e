"""When a change is called drift: it has to be significant over all cells, outside of its interval, and beyond its margin."""

import pytest

from harness.drift.check import Cell, judge
from harness.statistics.interval import Interval

DROP = {"metric": "accuracy", "difference": -1.0, "interval": Interval(-1.5, -0.5), "p": 0.001}


def verdict(*, among=0, **changes):
    """The verdict on a cell, judged among so many others of which nothing changed."""
    first, *_ = judge(
        [
            Cell("c", "t", "s", **{**DROP, **changes}),
            *(Cell("c", "t", "s", str(n), p=1.0) for n in range(among)),
        ]
    )
    return first.verdict


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "drifted"),
        ({"p": 0.06}, "same"),
        ({"interval": Interval(-2.0, 0.0)}, "same"),
        (
            {"difference": -0.09, "interval": Interval(-0.12, -0.06)},
            "same",
        ),  # sure, and smaller than what is lost in print
        ({"difference": -0.11, "interval": Interval(-0.14, -0.08)}, "drifted"),
        ({"metric": "cider", "difference": -0.4, "interval": Interval(-0.5, -0.3)}, "same"),
        ({"metric": "cider", "difference": -0.6, "interval": Interval(-0.7, -0.5)}, "drifted"),
        ({"difference": 1.0, "interval": Interval(0.5, 1.5)}, "improved"),
        ({"difference": 0.09, "interval": Interval(0.06, 0.12)}, "same"),
    ],
)
def test_all_three_have_to_agree(changes, expected):
    assert verdict(**changes) == expected


def test_among_many_metrics_more_evidence_is_asked_for():
    assert verdict(among=48) == "drifted"  # 49 x 0.001 is less than 0.05
    assert verdict(among=50) == "same"
