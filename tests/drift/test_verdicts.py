"""When a change is drift: it is significant over all cells, outside its interval, and large."""

import pytest

from harness.drift import verdicts  # pytest would take an imported `Tested` for tests
from harness.drift.verdicts import Cell, Due, Refused, Verdict, adjusted_ps, judge
from harness.statistics.interval import Interval
from harness.statistics.paired import Comparison, Flips

DROP = Comparison(-1.0, Interval(-1.5, -0.5), p=0.001, flips=Flips(60, 20))
NARROW = DROP._replace(interval=Interval(-0.09, 0.2))


def verdict(metric="accuracy", *, among=0, **changes):
    """The verdict on a drop, judged among `among` tests in which nothing changed."""
    comparison = DROP._replace(**changes)
    adjusted = adjusted_ps([comparison, *[DROP._replace(p=1.0)] * among])
    return judge(metric, comparison, adjusted[comparison.p])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "drifted"),
        ({"p": 0.06}, "same"),
        ({"interval": Interval(-2.0, 0.0)}, "same"),
        # Certain, and smaller than what rounding hides in print.
        ({"difference": -0.09, "interval": Interval(-0.12, -0.06)}, "same"),
        ({"difference": -0.11, "interval": Interval(-0.14, -0.08)}, "drifted"),
        ({"metric": "cider", "difference": -0.4, "interval": Interval(-0.5, -0.3)}, "same"),
        ({"metric": "cider", "difference": -0.6, "interval": Interval(-0.7, -0.5)}, "drifted"),
        ({"difference": 1.0, "interval": Interval(0.5, 1.5)}, "improved"),
        ({"difference": 0.09, "interval": Interval(0.06, 0.12)}, "same"),
        ({"flips": Flips(0, 0), "difference": 1e-7}, "identical"),
    ],
)
def test_all_three_conditions_have_to_hold(changes, expected):
    assert verdict(**changes) == expected


def test_among_many_metrics_more_evidence_is_required():
    assert verdict(among=48) == "drifted"  # 49 x 0.001 is less than 0.05
    assert verdict(among=50) == "same"


def test_equal_ps_are_adjusted_alike():
    tests = [DROP._replace(p=p) for p in (0.02, 0.01, 0.02)]
    assert adjusted_ps(tests) == pytest.approx({0.01: 0.03, 0.02: 0.04})


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Refused("no data"), ("not comparable", True, "no data", -0.5, None, None, None)),
        (Due(Verdict.DRIFTED, "digits"), ("drifted", True, "digits", -0.5, None, None, None)),
        (Due(Verdict.IDENTICAL, "", DROP), ("identical", False, "", -1.0, None, (60, 20), False)),
        (verdicts.Tested(DROP, 0.02), ("drifted", True, "", -1.0, 0.02, (60, 20), False)),
        (verdicts.Tested(NARROW, 0.5), ("same", False, "", -1.0, 0.5, (60, 20), True)),
    ],
)  # fmt: skip
def test_a_cell_says_what_its_outcome_tells(outcome, expected):
    cell = Cell("c", "t", "s", "accuracy", 80.0, 79.5, outcome)
    flips = cell.comparison.flips if cell.comparison else None
    assert expected == (
        cell.verdict, cell.failing, cell.reason, cell.difference, cell.p, flips, cell.no_worse,
    )  # fmt: skip


def test_a_metric_that_one_side_lacks_has_no_difference():
    assert Cell("c", "t", "s", "m", None, 79.5, Refused("new")).difference is None
